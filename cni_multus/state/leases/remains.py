"""What the links still tell of a lease whose file is damaged or gone; it looks at every link there is."""

from __future__ import annotations

import os

from cni_multus.cni.addressing import BITS, Cidr
from cni_multus.cni.request import Attachment
from cni_multus.state import files
from cni_multus.state.leases.layout import parse_address
from cni_multus.state.leases.lease import Holder, Lease
from cni_multus.state.leases.links import read_link
from cni_multus.state.leases.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.state.leases.layout import Slot
    from cni_multus.state.leases.store import Store


def remains(store: Store, key: str) -> Record:
    """A lease made of the addresses that name `key`, for the attachment that was the last to be led to it, if any."""
    slots = [slot for slot, holder in addresses(store) if holder == key]
    leading = [attachment for attachment, holder in attachments(store) if holder == key]
    leading.sort(key=lambda attachment: _made(store.layout.attachment(attachment)))
    attachment = leading[-1] if leading else Attachment("", "", "")
    cidrs = [Cidr(ip, BITS[ip.family]) for _, ip in slots]
    return Record(key, Lease(Holder(attachment), cidrs, 0.0), [domain for domain, _ in slots])


def addresses(store: Store, domain: str = "") -> Iterator[tuple[Slot, str]]:
    """Every address that is taken, and the key of who has it."""
    root = f"{store.layout.root}/address"
    for name in [domain] if domain else sorted(files.names(root)):
        for shard in sorted(files.names(f"{root}/{name}")):
            for entry in sorted(files.names(f"{root}/{name}/{shard}")):
                ip = parse_address(entry)
                key = None if ip is None else read_link(f"{root}/{name}/{shard}/{entry}")
                if ip is not None and key is not None:
                    yield (name, ip), key


def attachments(store: Store, network: str = "") -> Iterator[tuple[Attachment, str]]:
    """Every attachment, and the key of the lease that it leads to."""
    root = f"{store.layout.root}/attachment"
    for name in [network] if network else sorted(files.names(root)):
        if not name.startswith(files.TEMPORARY):
            yield from store.attachments(name)


def _made(path: str) -> int:
    try:
        return os.lstat(path).st_mtime_ns
    except OSError:
        return 0
