"""Where everything of the store is: names become paths here, and only here, and none does unchecked."""

from __future__ import annotations

from cni_multus.cni.addressing import BITS, Ip
from cni_multus.cni.errors import InvalidEnvironment
from cni_multus.cni.names import LONGEST_ID, LONGEST_NAME, is_name, wrong_with_ifname
from cni_multus.cni.request import Attachment
from cni_multus.hashes import digest
from cni_multus.state.files import TEMPORARY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.addressing import Cidr

    Slot = tuple[str, Ip]
    """A domain and an address in it: what one holder has at a time."""

DEFAULT = "_default"
KEY_DIGITS = 40
_LONGEST_READABLE = 100
_HEX = frozenset("0123456789abcdef")


def domain_name(network_name: str, pool: Cidr | None = None) -> str:
    """The domain of a network's addresses; with `pool` that of one pool, where pools may overlap.

    It is fit for a file's name, and readable where `network_name` is: `_default`, `blue`, `blue+10.0.0.0_24`.
    """
    name = network_name or DEFAULT
    if network_name and (not is_name(network_name) or len(network_name) > _LONGEST_READABLE):
        name = f"_{digest(network_name, KEY_DIGITS)}"
    return name if pool is None else f"{name}+{str(pool.network).replace('/', '_')}"


def is_domain(text: str) -> bool:
    """Whether `text` can be a domain's name, which a path is made of."""
    return text not in ("", ".", "..") and "/" not in text and "\0" not in text


def is_key(text: str) -> bool:
    """Whether `text` can be a holder's key."""
    return len(text) == KEY_DIGITS and _HEX.issuperset(text)


class Layout:
    """The paths below `root`, the data directory; it opens none of them."""

    __slots__ = ("root",)

    def __init__(self, root: str) -> None:
        self.root = root

    @property
    def lock(self) -> str:
        """The lock that every change is made under."""
        return f"{self.root}/lock"

    @property
    def meta(self) -> str:
        """What the file system was found to be."""
        return f"{self.root}/meta"

    @property
    def new_lease(self) -> str:
        """A lease until it is renamed; one at a time is written."""
        return f"{self.root}/lease/{TEMPORARY}new"

    @property
    def new_pointer(self) -> str:
        """An attachment's link until it is renamed."""
        return f"{self.root}/attachment/{TEMPORARY}new"

    def lease(self, key: str) -> str:
        """The file of a holder's lease."""
        return f"{self.root}/lease/{key[:2]}/{key}"

    @staticmethod
    def target(key: str) -> str:
        """What links to a lease say, all of them from the same depth: 58 characters, which ext4 keeps in the inode."""
        return f"../../../lease/{key[:2]}/{key}"

    def network(self, network: str) -> str:
        """The directory of a network's attachments."""
        if not is_name(network) or len(network) > LONGEST_NAME:
            raise InvalidEnvironment(f"{network!r} is not a network's name")
        return f"{self.root}/attachment/{network}"

    def attachment(self, attachment: Attachment) -> str:
        """The link of an attachment."""
        container_id, ifname = attachment.container_id, attachment.ifname
        if not is_name(container_id) or len(container_id) > LONGEST_ID:
            raise InvalidEnvironment(f"{container_id!r} is not a container's ID")
        if why := wrong_with_ifname(ifname):
            raise InvalidEnvironment(f"{ifname!r} cannot name an interface: {why}")
        name = f"{container_id}@{ifname}"
        return f"{self.network(attachment.network)}/{digest(name, 1)}/{name}"

    def domain(self, domain: str) -> str:
        """The file that says what a domain is."""
        return f"{self.root}/domain/{domain}"

    def address(self, slot: Slot) -> str:
        """The link of an address: it is taken exactly while this exists."""
        domain, ip = slot
        width = BITS[ip.family] // 4
        return f"{self.root}/address/{domain}/{ip.number >> 8 & 0xFF:02x}/{ip.family}-{ip.number:0{width}x}"

    def hints(self, domain: str) -> str:
        """The directory of a domain's bitmap."""
        return f"{self.root}/hint/{domain}"

    def last(self, domain: str, name: str) -> str:
        """A file with where a search goes on."""
        return f"{self.root}/last/{domain}/{name}"

    @property
    def released(self) -> str:
        """The leases in their cool-down, by boot and minute."""
        return f"{self.root}/released"


def parse_address(name: str) -> Ip | None:
    """The address that a link's name spells."""
    family, _, digits = name.partition("-")
    if family not in ("4", "6") or len(digits) != BITS[int(family)] // 4 or not _HEX.issuperset(digits):
        return None
    return Ip(int(family), int(digits, 16))


def parse_attachment(network: str, name: str) -> Attachment | None:
    """The attachment that a link's name spells."""
    container_id, _, ifname = name.partition("@")
    if not is_name(container_id) or wrong_with_ifname(ifname):
        return None
    return Attachment(network, container_id, ifname)
