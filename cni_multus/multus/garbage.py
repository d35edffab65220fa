"""GC: what belongs to no valid sandbox goes, for every network and every trace of it."""

from __future__ import annotations

import os

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError
from cni_multus.multus import takeover
from cni_multus.multus.detach import detach, joined
from cni_multus.multus.log import Log
from cni_multus.multus.plan import Planned, configured, recorded
from cni_multus.network import Network
from cni_multus.state import libcni_cache
from cni_multus.state.files import Lock
from cni_multus.state.journal import Journal, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.multus.settings import Settings


def collect(request: Request, settings: Settings) -> None:
    """Detach what the runtime does not know any more, then let each network sweep; raises at the end."""
    valid = request.valid_attachments()
    log = Log(settings, "GC")
    journal = Journal(settings.cni_dir)
    errors: list[CniError] = []
    networks = {network.name: network for network in configured(settings)}
    interfaces = set(valid)
    for record in _all_records(request, settings, journal, valid):
        for planned, attachment in recorded(record, settings)[0]:
            networks.setdefault(planned.name, planned.network)
            if (record.container_id, record.ifname) in valid:
                interfaces.add((record.container_id, attachment.ifname))
        if (record.container_id, record.ifname) not in valid:
            errors += _drop(request, settings, journal, record, log)
    members = [{"containerID": container_id, "ifname": ifname} for container_id, ifname in sorted(interfaces)]
    for network in networks.values():
        errors += _sweep(request, settings, network, members)
    if errors:
        raise joined(errors)


def _all_records(
    request: Request, settings: Settings, journal: Journal, valid: set[tuple[str, str]]
) -> list[Record]:
    """Ours, and what the Go Multus left: its files name the container, and the runtime's list the interface."""
    records = journal.records()
    ours = {record.container_id for record in records}
    primaries = dict(valid)
    for container_id in _foreign_containers(settings):
        if container_id in ours:
            continue
        asked = request.with_config(request.config, None)
        asked.container_id = container_id
        asked.ifname = primaries.get(container_id, "eth0")
        record = takeover.find_record(settings.cni_dir, asked)
        if record is not None:
            records.append(record)
    return records


def _foreign_containers(settings: Settings) -> list[str]:
    cached = {entry.container_id for entry in libcni_cache.entries(takeover.results(settings.cni_dir))}
    try:
        with os.scandir(settings.cni_dir) as entries:
            return sorted(cached | {entry.name for entry in entries if entry.is_file(follow_symlinks=False)})
    except OSError:
        return sorted(cached)


def _drop(request: Request, settings: Settings, journal: Journal, record: Record, log: Log) -> list[CniError]:
    lock = os.path.join(settings.cni_dir, "locks", record.container_id)
    try:
        with Lock(lock, f"another request for container {record.container_id}", wait=1.0):
            errors = detach(request, settings, record, record.living_netns(), log)
            if errors:
                journal.write(record)
                return errors
            journal.remove(record.container_id, record.ifname)
            takeover.forget(settings.cni_dir, record.container_id)
    except CniError as error:
        return [error]
    return []


def _sweep(request: Request, settings: Settings, network: Network, members: list[dict[str, object]]) -> list[CniError]:
    planned = Planned(network, "", Section({}))
    network.timeout = settings.delegate_timeout
    return network.collect_garbage(planned.request(request, settings, ""), members)
