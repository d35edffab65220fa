"""The leases of one node, in files: found by holder, by attachment or by address, each by one name.

    <dataDir>/
      lock                                                    flock: every change is made under it
      meta                                                    what the file system was found to be, in which boot
      lease/<hh>/<key>                                        who has what: `<crc32> <JSON>`, replaced by a rename
      attachment/<network>/<h>/<containerID>@<ifname>         a link to the lease: what DEL and GC start from
      address/<domain>/<hh>/<family>-<hex>                    a link to the lease: the address is taken
      domain/<domain>                                         which networks share these addresses
      hint/, last/                                            bitmaps and places; they may be deleted at any time
      released/<boot>/<minute>/<key>                          leases in their cool-down

An address is taken exactly while its link exists, and is its holder's exactly while the link names the holder's lease.
The links are symbolic: made exclusively and with their content in one step, and 58 characters long, which ext4 and XFS
keep in the inode, so that no power cut leaves one empty. Unlike hard links they stay right when the lease is replaced,
by one rename whatever it has, and when the directory is copied.

A change is made in an order that leaves, wherever it ends, what the next one can work from (see `change`):

- Take: the attachment's link, the lease with all its addresses, their links. Killed in between, the attachment leads to
  the lease, and the lease to every address that may have been linked; the same holder's ADD links what is missing.
- Give back: the addresses' links, the lease, the attachment's link. Killed in between, the same DEL finds the rest.

Leases are not kept by domain: one may have addresses in several (pools that may overlap), and stays with its holder
where a network's domain is changed. One lock for all makes an ADD one transaction, whatever domains it touches.

Synced are a lease's content before its name, and at the end the names: see `disk` for what file systems promise.
"""

from __future__ import annotations

from cni_multus.state import files
from cni_multus.state.leases.clock import Clock
from cni_multus.state.leases.layout import Layout
from cni_multus.state.leases.links import UNKNOWN, read_link
from cni_multus.state.leases.record import Damaged, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cni.addressing import Ip
    from cni_multus.cni.request import Attachment


class Store:
    """The leases below `data_dir`. It reads without the lock: what it tells was so at some moment of the call."""

    __slots__ = ("clock", "layout")

    def __init__(self, data_dir: str, clock: Clock | None = None) -> None:
        self.layout = Layout(data_dir)
        self.clock = clock or Clock()

    def exists(self) -> bool:
        """Whether anything was ever kept here."""
        return files.is_directory(f"{self.layout.root}/lease")

    def lease(self, key: str) -> Record | None:
        """The lease of a holder, None where there is none; raises Damaged where it cannot be understood."""
        return Record.read(key, self.layout.lease(key))

    def key_of(self, attachment: Attachment) -> str | None:
        """The key of the holder that an attachment belongs to."""
        return read_link(self.layout.attachment(attachment))

    def lease_of(self, attachment: Attachment) -> Record | None:
        """The lease that an attachment leads to."""
        key = self.key_of(attachment)
        return None if key is None else self.lease(key)

    def holder_of(self, domain: str, ip: Ip) -> str | None:
        """The key of who has an address, None where it is free, UNKNOWN where no link of ours stands there."""
        return read_link(self.layout.address((domain, ip)))

    def has_attachments(self, network: str) -> bool:
        """Whether any attachment of a network is known here."""
        directory = self.layout.network(network)
        return any(True for shard in files.names(directory) for _ in files.names(f"{directory}/{shard}"))

    def is_held(self, record: Record) -> bool:
        """Whether its holder has all that the lease says: no, where an ADD was interrupted."""
        return all(self.holder_of(domain, ip) == record.key for domain, ip in record.slots)

    def describe(self, key: str) -> str:
        """Who has the lease `key`, for messages."""
        try:
            record = None if key == UNKNOWN else self.lease(key)
        except Damaged as damaged:
            return f"somebody whose lease is damaged ({damaged.message})"
        if record is None:
            return "something that is no lease of ours" if key == UNKNOWN else f"the lease {key}, which is missing"
        return f"{record.lease.holder}{', which gave it back a short while ago' if record.is_released else ''}"

    def attachments(self, network: str) -> Iterator[tuple[Attachment, str]]:
        """The attachments of a network, each with its holder's key."""
        from cni_multus.state.leases.layout import parse_attachment

        directory = self.layout.network(network)
        for shard in files.names(directory):
            for name in files.names(f"{directory}/{shard}"):
                attachment = parse_attachment(network, name)
                key = read_link(f"{directory}/{shard}/{name}")
                if attachment is not None and key is not None:
                    yield attachment, key
