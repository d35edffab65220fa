"""The VLANs that a configuration asks for a bridge's port: those of the reference, by the same keys."""

from __future__ import annotations

from cni_multus.linux.bridgevlans import LAST, NATIVE, UNTAGGED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section

_DEFAULT_NATIVE = 1


class PortVlans:
    """The keys `vlan`, `vlanTrunk`, `preserveDefaultVlan` and `vlanFiltering`.

    `filtering`: the bridge must keep VLANs apart; `switch`: it may be made to, even where others use it.
    """

    __slots__ = ("filtering", "native", "preserve", "switch", "trunk")

    def __init__(self, config: Section) -> None:
        self.native = config.number("vlan", high=LAST)
        self.trunk = {vlan for entry in config.sections("vlanTrunk") for vlan in _vlans_of(entry)}
        self.preserve = config.flag("preserveDefaultVlan")
        self.switch = config.flag("vlanFiltering")
        self.filtering = self.native != 0 or config.has("vlanTrunk") or self.switch

    def wanted(self, default: int) -> dict[int, int]:
        """The VLANs of the port with their flags, {} where it keeps those that its bridge gives it.

        `default` is the bridge's own for new ports, 0 where it has none.
        """
        if not self.native and not self.trunk:
            return {}
        vlans = {default: UNTAGGED} if self.preserve and default else {}
        return {**vlans, **dict.fromkeys(self.trunk, 0), self.native or _DEFAULT_NATIVE: NATIVE}


def _vlans_of(entry: Section) -> set[int]:
    vlans: set[int] = set()
    for key in ("minID", "maxID"):
        if entry.has(key):
            other = "maxID" if key == "minID" else "minID"
            if not entry.has(other):
                raise entry.wrong(other, f"it is missing, and {key} needs it")
    if entry.has("minID"):
        first, last = (entry.number(key, low=1, high=LAST) for key in ("minID", "maxID"))
        if first > last:
            raise entry.wrong("minID", f"{first} is more than the maxID {last}")
        vlans.update(range(first, last + 1))
    if entry.has("id"):
        vlans.add(entry.number("id", low=1, high=LAST))
    return vlans
