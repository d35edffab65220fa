"""What the journal knows where there is no log: the ADDs of the sandboxes that are still there, in whole seconds.

A record tells when it was begun. Its file was last written when the ADD was complete, unless a DEL has failed since.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cni_multus.cli.history.entry import Entry
from cni_multus.cli.inspect.records import Records

if TYPE_CHECKING:
    from cni_multus.cli.inspect.notes import Note
    from cni_multus.cli.inspect.records import Known
    from cni_multus.cli.site import Site

UNFINISHED = "the ADD was never completed, or is just being served"
LEFT = "a DEL could not detach all of it"


def recorded(site: Site, notes: list[Note]) -> list[Entry]:
    """The ADD of every record, by time."""
    records = Records(site, notes)
    found = [_entry(known) for known in records.journal() if known.record]
    return sorted(found, key=lambda entry: entry.at)


def _entry(known: Known) -> Entry:
    record = known.record
    assert record is not None
    entry = Entry(
        float(record.created), f"{known.pod}/{known.uid}" if known.pod else known.container_id, "ADD", "ok", None
    )
    entry.container = known.container_id
    for one in record.attachments:
        name = one.label or str(one.network.get("name", ""))
        ips = [str(ip.address) for ip in one.result.ips] if one.result else []
        entry.networks.append({"name": name, "interface": one.ifname, "ips": ips})
    if not record.complete:
        entry.outcome, entry.message = "failed", LEFT if record.failed else UNFINISHED
    elif record.failed:
        entry.message = LEFT
    else:
        _time(entry, known.path)
    return entry


def _time(entry: Entry, path: str) -> None:
    """The end, and how long it took where that is more than what the clock's whole seconds hide."""
    try:
        end = os.stat(path).st_mtime
    except OSError:
        return
    seconds = int(end) - int(entry.at)
    if seconds >= 2:
        entry.ms = seconds * 1000.0
    entry.at = max(entry.at, end)
