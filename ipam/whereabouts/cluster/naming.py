"""The names that Whereabouts gives its objects, and what tells in them whose an address is; it asks nobody.

Names are those of Whereabouts 0.9: both find each other's objects by them. An address is written as RFC 5952 has it,
an IPv4-mapped one as IPv4.
"""

from __future__ import annotations

from cni_multus.cni.addressing import Ip
from cni_multus.hashes import digest
from ipam.whereabouts.names import wrong_with_object_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.addressing import Cidr
    from cni_multus.state.leases.lease import Holder

LIMIT = 1 << 63
"""Whereabouts reads the key of an allocation as a signed number of 64 bits, and drops what it cannot read."""

PODLESS = "multus-no-pod"
"""Where the reference to a pod has its namespace, of containers that are no pod's."""

_DOMAIN = "whereabouts.multus.cni"
NODE = f"{_DOMAIN}/node"
POD_UID = f"{_DOMAIN}/pod-uid"
NETWORK = f"{_DOMAIN}/network"
"""Labels of a reservation, to select by; what they say exactly stands in HOLDER."""
HOLDER = f"{_DOMAIN}/holder"
"""The annotation that has the lease, as JSON."""

_LOWER = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_OF_LABELS = _LOWER | frozenset("-._ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGITS = frozenset("0123456789")


def pool_name(network_name: str, base: Cidr, node: str = "") -> str:
    """The name of the IPPool of a range, or of a node's slice of one."""
    return "-".join(part for part in (network_name, node, _normalised(str(base))) if part)


def reservation_name(network_name: str, ip: Ip) -> str:
    """The name of the OverlappingRangeIPReservation of an address."""
    name = _normalised(str(ip))
    return f"{network_name}-{name}" if network_name else name


def parse_address(text: str) -> Ip | None:
    """The address that a reservation's name, without the network's, stands for; None if it is none."""
    for spelled in (text, text.replace("-", ":")):
        try:
            return Ip.parse(spelled)
        except ValueError:
            continue
    return None


def parse_key(text: str) -> int | None:
    """The offset that a key of an allocation stands for, as Go reads it but of any size; None if it is none."""
    digits = text[1:] if text[:1] in {"+", "-"} else text
    if not digits or len(digits) > 40 or not _DIGITS.issuperset(digits):
        return None
    return -int(digits) if text[0] == "-" else int(digits)


def podref(holder: Holder) -> str:
    """What allocations name as the pod: `<namespace>/<name>`, also for a container that is no pod's."""
    return holder.pod or f"{PODLESS}/{_fit(holder.attachment.container_id)}"


def is_podless(reference: str) -> bool:
    """Whether a reference to a pod is that of a container that is no pod's."""
    return reference.startswith(f"{PODLESS}/")


def label_value(text: str) -> str:
    """`text` where it can be a label's value, else a hash of it."""
    ends = text[:1] + text[-1:]
    fits = len(text) <= 63 and _OF_LABELS.issuperset(text) and not set(ends) & set("-._")
    return text if fits else f"h-{digest(text, 40)}"


def _normalised(text: str) -> str:
    return (text + "0" if text.endswith(":") else text).replace(":", "-").replace("/", "-")


def _fit(container_id: str) -> str:
    if not wrong_with_object_name(container_id):
        return container_id
    plain = "".join(letter if letter in _LOWER else "-" for letter in container_id.lower()).strip("-")
    return f"{plain}-{digest(container_id, 16)}".lstrip("-")
