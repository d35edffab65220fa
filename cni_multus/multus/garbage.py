"""GC: what belongs to no valid sandbox goes, for every network and every trace of it."""

from __future__ import annotations

import os

from cni_multus.cni.config import Section
from cni_multus.cni.document import print_compact
from cni_multus.cni.errors import CniError, TryAgainLater
from cni_multus.cni.request import VALID_ATTACHMENTS
from cni_multus.multus import records, takeover
from cni_multus.multus.detach import detach, joined
from cni_multus.multus.plan import Planned, recorded
from cni_multus.multus.records import Turn
from cni_multus.multus.wanted import configured_here
from cni_multus.state import libcni_cache
from cni_multus.state.journal import Journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.multus.log import Log
    from cni_multus.multus.settings import Settings
    from cni_multus.network import Network
    from cni_multus.state.journal import Record


def collect(request: Request, settings: Settings, log: Log) -> None:
    """Detach what the runtime does not know any more, then let each network sweep; raises at the end."""
    collection = _Collection(request, settings, log)
    for container_id, ifname in collection.sandboxes():
        collection.visit(container_id, ifname)
    collection.sweep()
    if collection.errors:
        raise joined(collection.errors)


class _Collection:
    """One GC: the networks that anything was attached to, the interfaces that must stay, and what went wrong."""

    def __init__(self, request: Request, settings: Settings, log: Log) -> None:
        self.request = request
        self.settings = settings
        self.valid = _valid(request)
        self.journal = Journal(settings.cni_dir)
        self.log = log
        self.interfaces = set(self.valid)
        self.unsure = False
        networks, self.errors = configured_here(request, settings)
        self.networks = {_key(network): network for network in (one.network for one in networks.values())}

    def sandboxes(self) -> list[tuple[str, str]]:
        """Ours, and those that the Go Multus left: its files name containers, the runtime's list their interfaces."""
        ours = self.journal.keys()
        known = {container_id for container_id, _ in ours}
        primaries = dict(self.valid)
        foreign = _foreign_containers(self.settings) - known
        return ours + [(container_id, primaries.get(container_id, "eth0")) for container_id in sorted(foreign)]

    def visit(self, container_id: str, ifname: str) -> None:
        """Drop a sandbox that is not valid; one that a request is just working on stays."""
        if (container_id, ifname) in self.valid:
            return
        try:
            self._drop_in_turn(self._asked(container_id, ifname))
        except CniError as error:
            self.errors.append(error)

    def sweep(self) -> None:
        """Let every network remove what belongs to no interface that stays, if those are all known.

        An ADD that began meanwhile is on record, or waits for the end before it attaches anything.
        """
        try:
            if not self.journal.is_there():
                return self._sweep()
            with self.journal.still():
                self._sweep()
        except CniError as error:
            self.errors.append(error)

    def _sweep(self) -> None:
        for container_id, ifname in self.sandboxes():
            self._find(self._asked(container_id, ifname))
        if self.unsure:
            return
        members: list[dict[str, object]] = [
            {"containerID": container_id, "ifname": ifname} for container_id, ifname in sorted(self.interfaces)
        ]
        for network in self.networks.values():
            request = Planned(network, "", Section({})).request(self.request, self.settings, "")
            self.errors += network.collect_garbage(request, members)

    def _asked(self, container_id: str, ifname: str) -> Request:
        asked = self.request.with_config(self.request.config, None)
        asked.container_id, asked.ifname = container_id, ifname
        return asked

    def _find(self, asked: Request) -> None:
        """Note what a sandbox has that stays."""
        try:
            if found := records.find(asked, self.settings, self.journal):
                self._note(found.record)
        except CniError as error:
            self.errors.append(error)
            self.unsure = True

    def _drop_in_turn(self, asked: Request) -> None:
        try:
            with Turn(self.journal, asked.container_id, asked.ifname, wait=1.0):
                self._drop(asked)
        except TryAgainLater:
            return

    def _drop(self, asked: Request) -> None:
        found = records.find(asked, self.settings, self.journal)
        if found is None or (found.foreign and found.damage):
            return  # nothing, or a file that may be anybody's
        record = found.record
        self._note(record, stays=False)
        errors = detach(asked, self.settings, record, self.log)
        self.errors += errors
        if errors:
            # What still has its link keeps its address.
            record.failed = True
            self._note(record)
            records.keep_what_is_left(self.journal, record)
        else:
            records.forget(record, self.settings, self.journal)

    def _note(self, record: Record, *, stays: bool = True) -> None:
        for planned, _ in recorded(record)[0]:
            self.networks.setdefault(_key(planned.network), planned.network)
        if stays:
            self.interfaces.update((record.container_id, attachment.ifname) for attachment in record.attachments)


def _valid(request: Request) -> set[tuple[str, str]]:
    """The runtime's list; a member that names nothing means that it cannot be believed about what is stale."""
    valid = request.valid_attachments()
    if any(not container_id or not ifname for container_id, ifname in valid):
        raise request.config.wrong(VALID_ATTACHMENTS, "a member has no containerID or no ifname")
    return valid


def _foreign_containers(settings: Settings) -> set[str]:
    cached = {entry.container_id for entry in libcni_cache.entries(takeover.results(settings.cni_dir))}
    try:
        with os.scandir(settings.cni_dir) as entries:
            return cached | {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}
    except OSError:
        return cached


def _key(network: Network) -> bytes:
    """Networks of one name may differ in where their addresses are kept."""
    return print_compact([network.name, network.version, network.raw])
