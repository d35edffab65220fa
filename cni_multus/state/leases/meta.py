"""What is remembered of the store's file system, so that the table of mounts is read once in a boot.

One line of JSON, `<dataDir>/meta`. It is not believed in another boot, or where the directory is on another device.
"""

from __future__ import annotations

import os

from cni_multus.cni.document import parse_object, print_compact
from cni_multus.cni.errors import DecodingFailure
from cni_multus.state import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.state.leases.clock import Moment
    from cni_multus.state.leases.layout import Layout

FORMAT = 1


def is_ordered(layout: Layout, now: Moment) -> bool | None:
    """Whether one sync makes durable whatever was done before it; None where that is not known in this boot."""
    data = files.read(layout.meta)
    if not data:
        return None
    try:
        known = parse_object(data, layout.meta)
        if known.get("boot") == now.boot and known.get("device") == os.stat(layout.root).st_dev:
            return known.get("ordered") is True
    except DecodingFailure:
        return None
    except OSError as error:
        raise files.failure(error, f"look at {layout.root}") from error
    return None


def find_out(layout: Layout, now: Moment) -> bool:
    """The same by looking at the file system, before anything is written.

    Raises IoFailure where other nodes see the directory.
    """
    from cni_multus.state.leases.disk import Disk

    disk = Disk.below(layout.root)
    disk.require_own(layout.root)
    files.make_directory(f"{layout.root}/lease")
    known = {
        "format": FORMAT,
        "filesystem": disk.kind,
        "ordered": disk.ordered,
        "boot": now.boot,
        "device": disk.device,
    }
    files.overwrite(layout.meta, print_compact(known) + b"\n")
    return disk.ordered
