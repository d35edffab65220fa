"""What the journal says of one holder: its addresses in the API, those that it may have, and how to give them back.

One object per line of the journal: the lease (`Lease.to_json`), then

    "format": 1, "kubeconfig": path, "namespace": of the pools, "networkName": ..., "exclusive": bool,
    "id": of the entries, "podref": their pod, "previous": [IDs that the entries may still have], "look": bool,
    "takes": [{"pool", "base", "address", "reservation", "uid"}, ...],
    "at": when it was written, "doubt": when an answer was missed, "coolDown": seconds, "bootID": of these times

Times are seconds since the boot, by a clock that nobody sets.
"""

from __future__ import annotations

import time

from cni_multus.cni.addressing import Cidr
from cni_multus.cni.errors import DecodingFailure
from cni_multus.state.leases.clock import running_boot
from cni_multus.state.leases.lease import HELD, PENDING, Lease
from ipam.whereabouts.cluster.entry import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cni_multus.cni.config import Section
    from cni_multus.state.leases.lease import Holder

FORMAT = 1


class Take:
    """One address of a record: its IPPool and what offsets count from there, and its reservation."""

    __slots__ = ("address", "base", "pool", "reservation", "uid")

    def __init__(self, pool: str, base: Cidr, address: Cidr, reservation: str = "", uid: str = "") -> None:
        self.pool = pool
        self.base = base
        self.address = address
        """With the range's prefix length, as it is given to the runtime."""
        self.reservation = reservation
        """The name of the OverlappingRangeIPReservation, "" without overlap protection."""
        self.uid = uid
        """The reservation's, "" while it is not known."""

    @property
    def offset(self) -> int:
        """Its key in the pool."""
        return self.address.ip.number - self.base.first

    @staticmethod
    def parse(section: Section) -> Take:
        """Read what `to_json` gives."""
        texts = (section.text(key) for key in ("reservation", "uid"))
        return Take(section.text("pool"), section.cidr("base"), section.cidr("address"), *texts)

    def to_json(self) -> dict[str, object]:
        """The inverse of `parse`."""
        return {
            "pool": self.pool,
            "base": str(self.base),
            "address": str(self.address),
            "reservation": self.reservation,
            "uid": self.uid,
        }


class Record:
    """A holder, its takes in the order of the pools (PENDING: also such as it may have besides), and the way there."""

    __slots__ = (
        "at",
        "boot",
        "cool_down",
        "doubt",
        "exclusive",
        "holder",
        "id",
        "kubeconfig",
        "look",
        "namespace",
        "network_name",
        "podref",
        "previous",
        "since",
        "state",
        "takes",
    )

    def __init__(self, holder: Holder, entry: Entry, *, kubeconfig: str, namespace: str) -> None:
        self.holder = holder
        self.id = entry.id
        self.podref = entry.podref
        self.kubeconfig = kubeconfig
        self.namespace = namespace
        self.network_name = ""
        self.exclusive = True
        self.takes: list[Take] = []
        self.previous: tuple[str, ...] = ()
        self.state = PENDING
        self.look = False
        """Nothing is known but the container: what it has is to be looked for in the pools of `takes`."""
        self.since = time.time()
        self.cool_down = 0.0
        self.at = 0.0
        self.doubt = 0.0
        self.boot = ""

    @property
    def lease(self) -> Lease:
        """What others may know of it."""
        return Lease(self.holder, [] if self.look else [take.address for take in self.takes], self.since, self.state)

    @property
    def entry(self) -> Entry:
        """What stands in the pools."""
        return Entry(self.id, self.podref, self.holder.attachment.ifname)

    @property
    def ids(self) -> tuple[str, ...]:
        """Every ID that its entries may have."""
        return (self.id, *self.previous)

    def is_held_by(self, container_id: str) -> bool:
        """Whether the addresses are that container's now."""
        return self.holder.attachment.container_id == container_id

    def note_doubt(self) -> None:
        """An answer was missed: what was asked for may be done later than what is asked from now on."""
        self.doubt = boot_time()

    def settles_at(self, settle: float) -> float:
        """Since when nothing that was asked for can still be done, in seconds since this boot; 0 for long ago."""
        if self.boot != running_boot():
            return 0.0
        doubt = max(self.doubt, self.at) if self.state == PENDING else self.doubt
        return doubt + settle if doubt else 0.0

    def cools_until(self) -> float:
        """Of a released one: when others may have the addresses, in seconds since this boot."""
        return self.at + self.cool_down if self.cool_down and self.boot == running_boot() else 0.0

    def stamp(self) -> None:
        """It is written now."""
        self.at, self.boot = boot_time(), running_boot()

    def to_json(self) -> dict[str, object]:
        """One object, the members of the lease among the others."""
        told: dict[str, object] = {
            "format": FORMAT,
            "kubeconfig": self.kubeconfig,
            "namespace": self.namespace,
            "networkName": self.network_name,
            "exclusive": self.exclusive,
            "id": self.id,
            "podref": self.podref,
            "previous": list(self.previous),
            "look": self.look,
            "takes": [take.to_json() for take in self.takes],
            "at": round(self.at, 3),
            "doubt": round(self.doubt, 3),
            "coolDown": self.cool_down,
            "bootID": self.boot,
        }
        return {**self.lease.to_json(), **told}

    @staticmethod
    def parse(section: Section) -> Record:
        """Read what `to_json` gives; raises DecodingFailure or InvalidNetworkConfig where it is not that."""
        if section.number("format") != FORMAT:
            raise DecodingFailure(f"{section.where('format')} is {section.value('format')}, and {FORMAT} is read here")
        lease = Lease.parse(section)
        entry = Entry(section.text("id"), section.text("podref"), lease.holder.attachment.ifname)
        record = Record(lease.holder, entry, kubeconfig=section.text("kubeconfig"), namespace=section.text("namespace"))
        record.network_name, record.exclusive = section.text("networkName"), section.flag("exclusive", True)
        record.takes = [Take.parse(member) for member in section.sections("takes")]
        record.previous = section.texts("previous")
        record.state, record.since = lease.state, lease.since
        record.look = section.flag("look")
        record.at, record.doubt = section.real("at"), section.real("doubt")
        record.cool_down, record.boot = section.real("coolDown"), section.text("bootID")
        return record


def held(records: Sequence[Record]) -> list[Record]:
    """Those whose ADD came to its end, and that nobody gave back."""
    return [record for record in records if record.state == HELD]


def boot_time() -> float:
    """Seconds since the boot, those of sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
