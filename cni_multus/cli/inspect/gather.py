"""The node as a whole: its own namespace and filters are read once, then every sandbox in turn, as records come.

Nothing is changed, and nothing is locked. The namespace that this process is in is taken for the node's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cni_multus.cli.inspect import kernel, nft
from cni_multus.cli.inspect.attachment import names_of
from cni_multus.cli.inspect.notes import note
from cni_multus.cli.inspect.observing import observe
from cni_multus.cli.inspect.records import JOURNAL, Known, Records
from cni_multus.cli.inspect.sandbox import ANOTHER, EARLIER, GONE, LIVE, UNSEEN, Sandbox, strangers
from cni_multus.cli.inspect.verdicts import Verdicts
from cni_multus.cni.errors import CniError
from cni_multus.marks import label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.inspect.kernel import Space
    from cni_multus.cli.inspect.notes import Note
    from cni_multus.cli.inspect.wanted import Wanted
    from cni_multus.cli.site import Site
    from cni_multus.linux.links import Link

PATIENCE = 5.0
"""Seconds of this processor for plugins' own CHECKs in all; the interfaces after that are compared without."""


@dataclass(slots=True)
class Node:
    """What `look` found; `sandboxes` goes on from there."""

    site: Site
    host: Space
    filters: nft.Filters
    known: list[Known]
    notes: list[Note]
    aliases: dict[str, list[Link]] = field(default_factory=dict)
    """The node's links by their alias: what belongs to an attachment says so."""
    boot: str = ""
    verdicts: Verdicts | None = None
    now: float = field(default_factory=time.time)

    @staticmethod
    def look(site: Site, *, check: bool = True) -> Node:
        """Read the node's namespace, its filters and every record; `check` lets the plugins' own CHECKs look, too."""
        host, filters, records = kernel.look_here(), nft.look(), Records(site)
        known = list(records)
        notes = [*records.notes, *filters.notes, *host.notes, *([host.trouble] if host.trouble else [])]
        node = Node(site, host, filters, known, notes, boot=kernel.running_boot())
        for link in host.links.values():
            if link.alias:
                node.aliases.setdefault(link.alias, []).append(link)
        if check and site.root == "/":
            node.verdicts = Verdicts(site, PATIENCE)
        return node

    def sandboxes(self, wanted: Wanted) -> Iterator[Sandbox]:
        """Those that are wanted, one after another; each is complete."""
        chosen = [known for known in self.known if wanted.has(known)]
        paths = {known.netns for known in chosen}
        sharing: dict[str, list[Known]] = {}
        for known in self.known:
            if known.netns and known.netns in paths:
                sharing.setdefault(known.netns, []).append(known)
        for known in chosen:
            yield self._sandbox(known, sharing.get(known.netns, [known]))

    def unrecorded(self, netns: str) -> Sandbox:
        """A namespace that no record is of; the path is this process's."""
        space = kernel.look(netns)
        sandbox = Sandbox(None, netns, GONE if space.trouble else LIVE, space)
        if space.trouble is not None:
            sandbox.notes.append(space.trouble)
            sandbox.state = UNSEEN if space.trouble.needs else GONE
        sandbox.strangers = strangers(space, set())
        sandbox.notes += space.notes
        return sandbox

    def _sandbox(self, known: Known, sharing: list[Known]) -> Sandbox:
        record = known.record
        sandbox = Sandbox(known, self.path(known.netns))
        if record is None:
            sandbox.wrong.append(_why_empty(known))
            return sandbox
        self._enter(sandbox)
        live = sandbox.state == LIVE
        sandbox.observed = [
            observe(self, known, attachment, sandbox.space if live else None, primary=at == 0)
            for at, attachment in enumerate(record.attachments)
        ]
        if not record.complete:
            sandbox.wrong.append(_why_incomplete(known))
        if record.failed:
            sandbox.wrong.append("a DEL was begun and has not ended: what is listed could not be detached")
        if live and sandbox.space is not None:
            self._verify(sandbox)
            sandbox.strangers = strangers(sandbox.space, _explained(sharing))
        else:
            self._left_behind(sandbox)
        return sandbox

    def _enter(self, sandbox: Sandbox) -> None:
        """Find out what became of the namespace, and read it if it is there."""
        known, path = sandbox.known, sandbox.netns
        if known is None or known.record is None or not path:
            return
        there = kernel.identity(path)
        if known.record.boot and self.boot and known.record.boot != self.boot:
            sandbox.state = EARLIER
            sandbox.wrong.append("its namespace was of an earlier boot: GC, or a DEL, takes the rest away")
        elif not there:
            sandbox.state = GONE
            sandbox.wrong.append(f"its namespace is gone: there is nothing at {path}")
        elif known.origin == JOURNAL and known.record.netns_id and known.record.netns_id != there:
            sandbox.state = ANOTHER
            sandbox.wrong.append(f"its namespace is gone: {path} is another one by now")
        else:
            self._read(sandbox)

    def _read(self, sandbox: Sandbox) -> None:
        space = sandbox.space = kernel.look(sandbox.netns)
        sandbox.state = LIVE
        sandbox.notes += space.notes
        if space.trouble is None:
            return
        if space.trouble.needs:
            sandbox.state = UNSEEN
            sandbox.notes.append(space.trouble)
        else:
            sandbox.state = GONE
            sandbox.wrong.append(f"its namespace is gone: {space.trouble.text}")

    def _verify(self, sandbox: Sandbox) -> None:
        if self.verdicts is None or sandbox.known is None or not sandbox.known.record:
            return
        if sandbox.known.origin == JOURNAL and sandbox.known.record.complete and sandbox.known.netns == sandbox.netns:
            for one in sandbox.observed:
                if one.link is not None:
                    one.wrong = list(dict.fromkeys([*one.wrong, *self.verdicts.of(one)]))

    def _left_behind(self, sandbox: Sandbox) -> None:
        """What the node still has of one whose namespace is gone."""
        if sandbox.state not in (GONE, ANOTHER, EARLIER):
            return
        for one in sandbox.observed:
            left = [f"link {link.name}" for link in self.aliases.get(label(one.key), [])]
            left += [str(each) for each in one.filters]
            one.wrong += [f"left on the node: {what}" for what in left]

    def path(self, of_the_node: str) -> str:
        """Where a namespace is for this process; "" for what cannot be one's path: a record may hold anything."""
        if not of_the_node.startswith("/") or "\0" in of_the_node:
            return ""
        try:
            return of_the_node if self.site.root == "/" else self.site.path(of_the_node)
        except CniError as error:
            self.notes.append(note(of_the_node, error))
            return ""


def _explained(sharing: list[Known]) -> set[str]:
    records = [known.record for known in sharing if known.record is not None]
    return {name for record in records for attachment in record.attachments for name in names_of(attachment)}


def _why_empty(known: Known) -> str:
    if known.trouble:
        return f"its record cannot be read: {known.trouble}"
    if known.worker:
        return f"an ADD has just begun (process {known.worker})"
    return "an ADD began, and wrote nothing before it ended: the next request of the pod, or GC, clears it up"


def _why_incomplete(known: Known) -> str:
    if known.worker:
        return f"process {known.worker} is working on it just now"
    return "its ADD has not been completed: it was killed, or failed and left something; DEL or GC takes it back"
