"""A pod's sandbox: its records, its namespace, its interfaces, and what in there no record explains."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cni_multus.cli.inspect.described import described_address, span, utc

if TYPE_CHECKING:
    from cni_multus.cli.inspect.api import Pod
    from cni_multus.cli.inspect.attachment import Observed
    from cni_multus.cli.inspect.kernel import Space
    from cni_multus.cli.inspect.notes import Note
    from cni_multus.cli.inspect.records import Known
    from cni_multus.linux.links import Link

LIVE, GONE, ANOTHER, EARLIER, UNSEEN, UNKNOWN = "live", "gone", "another", "earlier boot", "not seen", "unknown"
"""What became of the namespace: it is there; nothing is; a younger one is; it was of another boot; it may not be
looked at; no path is recorded."""

_FALLBACKS = ("ipip", "sit", "gre", "gretap", "erspan", "ip6tnl", "ip6gre", "vti", "vti6")
"""Tunnels that the kernel itself makes in every namespace: tunl0, sit0, and so on."""


@dataclass(slots=True)
class Sandbox:
    """`observed` is in the order of the record, the primary first; `known` None of a namespace without a record."""

    known: Known | None
    netns: str
    """The path as this process has it."""
    state: str = UNKNOWN
    space: Space | None = None
    observed: list[Observed] = field(default_factory=list)
    strangers: list[Link] = field(default_factory=list)
    """Links in the namespace that no record has."""
    wrong: list[str] = field(default_factory=list)
    """What differs and is no interface's."""
    notes: list[Note] = field(default_factory=list)
    api: Pod | None = None
    """What the API server says of the pod, where it was asked."""

    @property
    def pod(self) -> str:
        """NAMESPACE/NAME, else the container, else the namespace's path."""
        if self.known is None:
            return self.netns
        return self.known.pod or self.known.container_id

    @property
    def age(self) -> float:
        """Seconds since the ADD began; 0 where that is not known."""
        created = self.known.record.created if self.known and self.known.record else 0
        return max(0.0, time.time() - created) if created else 0.0

    @property
    def differs(self) -> bool:
        """Whether anything is not as recorded."""
        return bool(self.wrong) or any(one.wrong for one in self.observed)

    @property
    def differences(self) -> list[str]:
        """Everything that is not as recorded, each with the interface."""
        return self.wrong + [f"{one.ifname}: {text}" for one in self.observed for text in one.wrong]

    def to_json(self) -> dict[str, object]:
        """All of it, what there is none of left out."""
        known, record = self.known, self.known.record if self.known else None
        document: dict[str, object] = {"pod": known.pod if known else "", "netns": self.netns, "namespace": self.state}
        if known is not None:
            document |= {"containerID": known.container_id, "ifname": known.ifname, "uid": known.uid}
            document |= {"origin": known.origin, "record": known.path, "worker": known.worker}
        if record is not None:
            document |= {"created": utc(record.created), "age": span(self.age) if self.age else ""}
            document |= {"complete": record.complete, "detaching": record.failed}
        document |= {
            "api": self.api.to_json() if self.api else None,
            "interfaces": [one.to_json() for one in self.observed],
            "unknown": [self.stranger(link) for link in self.strangers],
            "differences": self.wrong,
            "notes": [each.to_json() for each in self.notes],
        }
        kept = ("differences", "interfaces", "complete")
        return {key: value for key, value in document.items() if value or key in kept}

    def stranger(self, link: Link) -> dict[str, object]:
        """A link that no record has."""
        addresses = self.space.addresses.get(link.index, []) if self.space else []
        return {
            "interface": link.name,
            "kind": link.kind or "device",
            "mac": link.mac,
            "up": link.up,
            "addresses": [described_address(address) for address in addresses],
        }


def strangers(space: Space, explained: set[str]) -> list[Link]:
    """The links that nothing explains; the kernel's own tunnels need no explanation."""
    return [
        link
        for link in space.own
        if link.name not in explained and not (link.kind in _FALLBACKS and link.name.endswith("0") and not link.up)
    ]
