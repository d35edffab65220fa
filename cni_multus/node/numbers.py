"""What a node's requests have left behind, as numbers: counted when somebody asks, of what is on the disk anyway.

No process stays behind a request that could count it. Records, Events that wait and addresses to be given back are
files; how requests went stands in the log, which is read on from where it was read before.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from cni_multus.cni.errors import CniError
from cni_multus.events.spool import Spool
from cni_multus.node.exposition import metric
from cni_multus.node.requestlog import RequestLog
from cni_multus.node.root import resolved
from cni_multus.state.journal import Journal
from ipam.whereabouts.cluster.journal import Journal as Releases

if TYPE_CHECKING:
    from collections.abc import Iterator

CNI_DIR = "/var/lib/cni/multus"
LEASES = "/var/lib/cni/whereabouts"


class Numbers:
    """Those of a node; what cannot be read is left out, since the rest is wanted all the same."""

    def __init__(self, root: str, log_file: str, cni_dir: str = CNI_DIR, leases: str = LEASES) -> None:
        self._root = root
        self._cni_dir = cni_dir
        self._leases = leases
        self._log = RequestLog(root, log_file)
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """All of them."""
        found = []
        with self._lock:
            for part in (self._records, self._events, self._releases, self._log.metrics):
                try:
                    found.append("".join(part()))
                except (CniError, OSError):
                    continue
        return "".join(found)

    def _records(self) -> Iterator[str]:
        journal = Journal(resolved(self._root, self._cni_dir))
        sandboxes = attachments = unreadable = 0
        for container_id, ifname in journal.keys():  # noqa: SIM118 - it is no mapping
            try:
                record = journal.find(container_id, ifname)
            except CniError:
                unreadable += 1
                continue
            if record is not None:
                sandboxes += 1
                attachments += len(record.attachments)
        yield metric("multus_sandboxes", "gauge", "Sandboxes on record, whose DEL is still to come.", [({}, sandboxes)])
        yield metric("multus_attachments", "gauge", "Attachments that these have.", [({}, attachments)])
        text = "Records that cannot be read; the DEL says why."
        yield metric("multus_unreadable_records", "gauge", text, [({}, unreadable)])

    def _events(self) -> Iterator[str]:
        names = Spool(resolved(self._root, self._cni_dir)).waiting()
        since = int(names[0].partition("-")[0]) / 1e9 if names else 0.0
        yield metric("multus_events_waiting", "gauge", "Events that the API server does not have.", [({}, len(names))])
        yield metric("multus_events_oldest_seconds", "gauge", "How long the oldest waits.", [({}, _age(since))])

    def _releases(self) -> Iterator[str]:
        directory = resolved(self._root, self._leases)
        if not os.path.isdir(directory):
            return
        releases = Releases(directory)
        text = "Holders of addresses of whereabouts whose release the API server has to be told of."
        yield metric("multus_releases_waiting", "gauge", text, [({}, len(releases.todo()))])
        age = _age(releases.todo_since())
        yield metric("multus_releases_oldest_seconds", "gauge", "How long the oldest waits.", [({}, age)])


def _age(since: float) -> float:
    """Seconds until now; a clock may have been set back."""
    return round(max(0.0, time.time() - since), 3) if since else 0.0
