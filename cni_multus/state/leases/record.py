"""What a lease's file says: the lease, with what only the store has to know, on one line with a checksum."""

from __future__ import annotations

from binascii import crc32

from cni_multus.cni.addressing import Ip
from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object, print_compact
from cni_multus.cni.errors import CniError, DecodingFailure, IoFailure
from cni_multus.state import files
from cni_multus.state.leases.layout import Layout, is_domain
from cni_multus.state.leases.lease import RELEASED, Lease

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cni_multus.cni.addressing import Cidr
    from cni_multus.cni.request import Attachment
    from cni_multus.state.leases.clock import Moment
    from cni_multus.state.leases.layout import Slot


class Damaged(IoFailure):
    """A lease's file that is there and cannot be understood: what it had is unknown, and is not given to anybody."""


class Record:
    """A lease under its holder's `key`, and the domain of each of its addresses."""

    __slots__ = ("cool_down", "domains", "key", "lease", "leaving", "uptime")

    def __init__(
        self,
        key: str,
        lease: Lease,
        domains: Sequence[str],
        *,
        cool_down: float = 0.0,
        uptime: float = 0.0,
        leaving: Sequence[Slot] = (),
    ) -> None:
        self.key = key
        self.lease = lease
        self.domains = tuple(domains)
        self.cool_down = cool_down
        """Seconds for which the addresses are kept for their holder once they are given back."""
        self.uptime = uptime
        """`lease.since` in seconds since the boot that the holder names."""
        self.leaving = tuple(leaving)
        """What the holder had before, and is giving back."""

    @property
    def placed(self) -> list[tuple[str, Cidr]]:
        """The addresses that the holder is to have, each behind its domain."""
        return list(zip(self.domains, self.lease.addresses, strict=True))

    @property
    def slots(self) -> list[Slot]:
        """The same without the lengths of prefixes."""
        return [(domain, address.ip) for domain, address in self.placed]

    def is_of(self, attachment: Attachment) -> bool:
        """Whether it is this attachment's, and not another container's."""
        mine = self.lease.holder.attachment
        return (mine.network, mine.container_id, mine.ifname) == (
            attachment.network,
            attachment.container_id,
            attachment.ifname,
        )

    @property
    def is_released(self) -> bool:
        """Whether its cool-down has begun."""
        return self.lease.state == RELEASED

    def is_over(self, now: Moment) -> bool:
        """Whether its cool-down has ended: told by the time since the boot, so that no clock can be set back.

        After a reboot it has lasted at least as long as the node has been up.
        """
        elapsed = now.uptime - self.uptime if self.lease.holder.boot == now.boot else now.uptime
        return self.is_released and elapsed >= self.cool_down

    def print(self) -> bytes:
        """The content of the file."""
        text = print_compact(
            {
                **self.lease.to_json(),
                "domains": list(self.domains),
                **({"coolDown": self.cool_down} if self.cool_down else {}),
                **({"uptime": round(self.uptime, 3)} if self.uptime else {}),
                **({"leaving": [f"{domain} {ip}" for domain, ip in self.leaving]} if self.leaving else {}),
            }
        )
        return b"%08x %s\n" % (crc32(text), text)

    @staticmethod
    def parse(key: str, data: bytes, path: str) -> Record:
        """Read what `print` gives; raises Damaged where it is anything else."""
        checksum, _, text = data.partition(b" ")
        text = text.rstrip(b"\n")
        if not data or checksum != b"%08x" % crc32(text):
            raise Damaged(f"the lease {path} is {'damaged: its checksum is wrong' if data else 'empty'}", _ADVICE)
        try:
            section = Section(parse_object(text, path), path)
            record = Record(
                key,
                Lease.parse(section),
                section.texts("domains"),
                cool_down=section.real("coolDown"),
                uptime=section.real("uptime"),
                leaving=tuple(_leaving(section)),
            )
            _refuse_what_is_no_name(record)
            if len(record.domains) != len(record.lease.addresses):
                raise DecodingFailure(f"{len(record.lease.addresses)} addresses in {len(record.domains)} domains")
        except (CniError, ValueError) as error:
            raise Damaged(f"the lease {path} cannot be understood: {error}", _ADVICE) from error
        return record

    @staticmethod
    def read(key: str, path: str) -> Record | None:
        """The record in the file `path`, None where there is none."""
        data = files.read(path)
        return None if data is None else Record.parse(key, data, path)


_ADVICE = "its addresses stay taken; `multus ipam fsck` tells what is known of it"


def _refuse_what_is_no_name(record: Record) -> None:
    """What is wrong here would lead to other files than the store's: names become paths."""
    for domain in (*record.domains, *(domain for domain, _ in record.leaving)):
        if not is_domain(domain):
            raise DecodingFailure(f"{domain!r} is not a domain's name")
    if record.lease.holder.attachment.container_id:
        Layout("").attachment(record.lease.holder.attachment)


def _leaving(section: Section) -> Iterator[Slot]:
    for text in section.texts("leaving"):
        domain, _, ip = text.partition(" ")
        yield domain, Ip.parse(ip)
