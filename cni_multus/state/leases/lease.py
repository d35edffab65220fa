"""A lease: the addresses of one attachment, whom they are for, and what tells whether somebody still uses them."""

from __future__ import annotations

from cni_multus.cni.addressing import Cidr
from cni_multus.cni.config import Section
from cni_multus.cni.errors import DecodingFailure
from cni_multus.cni.request import Attachment
from cni_multus.hashes import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

HELD = "held"
PENDING = "pending"
RELEASED = "released"
STATES = (PENDING, HELD, RELEASED)


class Holder:
    """Whom addresses are for: an attachment and, where the runtime tells, its pod.

    `pod` is `<namespace>/<name>`, `uid` the pod's, `claim` the `<namespace>/<name>` of an IPAMClaim; each may be "".
    """

    __slots__ = ("attachment", "boot", "claim", "netns", "node", "pod", "uid")

    def __init__(
        self,
        attachment: Attachment,
        *,
        pod: str = "",
        uid: str = "",
        claim: str = "",
        node: str = "",
        boot: str = "",
        netns: str = "",
    ) -> None:
        self.attachment = attachment
        self.pod = pod
        self.uid = uid
        self.claim = claim
        self.node = node
        self.boot = boot
        self.netns = netns

    @property
    def key(self) -> str:
        """The hash of who keeps the addresses over restarts: the claim, else the pod with its UID, else the container.

        40 hexadecimal digits; the network and the interface are part of it.
        """
        network, ifname = self.attachment.network, self.attachment.ifname
        if self.claim:
            return digest(f"claim\0{network}\0{self.claim}", 40)
        who = f"pod\0{self.pod}\0{self.uid}" if self.pod else f"container\0{self.attachment.container_id}"
        return digest(f"{who}\0{network}\0{ifname}", 40)

    def __str__(self) -> str:
        """As messages name it: `pod default/web-0 (net1, container 4f2a...)`."""
        container = f"container {self.attachment.container_id[:13]}"
        who = f"claim {self.claim}" if self.claim else f"pod {self.pod}" if self.pod else ""
        where = f"{self.attachment.ifname}, {container}" if who else f"{container}, {self.attachment.ifname}"
        return f"{who} ({where})" if who else where


class Lease:
    """A holder and its addresses, in the order of the network's ranges; times are seconds since 1970."""

    __slots__ = ("addresses", "holder", "since", "state", "until")

    def __init__(
        self, holder: Holder, addresses: Sequence[Cidr], since: float, state: str = HELD, until: float = 0.0
    ) -> None:
        self.holder = holder
        self.addresses = tuple(addresses)
        self.since = since
        self.state = state
        self.until = until
        """Of a released lease: when others may have its addresses."""

    def to_json(self) -> dict[str, object]:
        """One flat object, every member a string, a number or a list of strings; what is empty is left out."""
        holder = self.holder
        document: dict[str, object] = {
            "addresses": [str(address) for address in self.addresses],
            "network": holder.attachment.network,
            "containerID": holder.attachment.container_id,
            "ifname": holder.attachment.ifname,
            "pod": holder.pod,
            "uid": holder.uid,
            "claim": holder.claim,
            "node": holder.node,
            "boot": holder.boot,
            "netns": holder.netns,
            "since": round(self.since, 3),
            "state": self.state,
            "until": round(self.until, 3),
        }
        return {key: value for key, value in document.items() if value}

    @staticmethod
    def parse(section: Section) -> Lease:
        """Read what `to_json` gives; raises DecodingFailure or InvalidNetworkConfig where it is not that."""
        attachment = Attachment(section.text("network"), section.text("containerID"), section.text("ifname"))
        holder = Holder(attachment, **{key: section.text(key) for key in _TEXTS})
        state = section.text("state", HELD)
        if state not in STATES:
            raise DecodingFailure(f"{section.where('state')} is {state!r}, none of {', '.join(STATES)}")
        addresses = []
        for at, text in enumerate(section.texts("addresses")):
            try:
                addresses.append(Cidr.parse(text))
            except ValueError as error:
                raise DecodingFailure(f"{section.where('addresses')}[{at}]: {error}") from None
        return Lease(holder, addresses, section.real("since"), state, section.real("until"))


_TEXTS = ("pod", "uid", "claim", "node", "boot", "netns")
