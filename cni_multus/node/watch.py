"""Our configuration kept as the primary's is: one look at the node after another, each at everything.

Nothing is remembered that a look could not find out, but what was written last: whoever is killed is continued by who
comes next, and finds the last good configuration on the node. A look takes what is there for granted only where it
lasts:

    the primary's file cannot be read       the last good configuration stays
    it is another file now                  it is taken after `settle` seconds: the first may be back by then
    ours was taken away, or changed back    it is restored, ten times, and then once in a minute
    ours was edited, or is another's        it is left, unless forced
    ours is not JSON                        it is replaced after `settle` seconds: an editor may be at work
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cni_multus.cni.errors import CniError
from cni_multus.node.configure import Plan, carry_out, plan
from cni_multus.node.generate import Document
from cni_multus.node.marker import BROKEN, EDITED, FOREIGN, OURS, read_mark
from cni_multus.node.primary import configurations
from cni_multus.node.publish import HIDDEN, Refused, own_files
from cni_multus.node.root import resolved, under
from cni_multus.state import files

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.node.configure import Configuration
    from cni_multus.node.health import Health
    from cni_multus.node.troubles import Troubles

RESTORES = 10
"""How often the configuration is restored at once."""
PER_RESTORE = 60.0
"""Seconds after which it may be restored once more."""


class Watch:
    """`follow` says whether the primary is followed after the first configuration was made."""

    def __init__(
        self,
        root: str,
        configuration: Configuration,
        health: Health,
        troubles: Troubles,
        say: Callable[[str], object],
        *,
        settle: float,
        follow: bool = True,
    ) -> None:
        self._root = root
        self._configuration = configuration
        self._health = health
        self._troubles = troubles
        self._say = say
        self._settle = settle
        self._follow = follow
        self._good: Plan | None = None
        """What is on the node, or was until somebody took it away."""
        self._made = False
        """Whether this process has made it, or found it to be as it would make it."""
        self._candidate = ("", 0.0)
        self._restores = float(RESTORES)
        self._restored = 0.0
        self._others: tuple[str, ...] = ()
        self._remark = ""

    def look(self, now: float) -> None:
        """Look at the node, and do what is to be done there; what cannot be done is noted."""
        try:
            if self._good is None:
                self._adopt()
            if wanted := self._wanted(now):
                self._place(wanted, now)
            self._look_at_order(now)
            self._look_at_readiness(now)
        except CniError as error:
            self._troubles.note("directory", _text(error), now)

    def is_placed(self) -> bool:
        """Whether a configuration of ours is known to be on the node."""
        return self._good is not None and self._there(self._good.document.name) is not None

    def remarks(self) -> dict[str, str]:
        """What is not wrong, but may not be meant, by kind."""
        return {"several": self._remark} if self._remark else {}

    def directories(self) -> set[str]:
        """Where changes matter."""
        wanted = {self._configuration.conf_dir, self._configuration.primary_dir}
        if os.path.isabs(self._configuration.conf_file):
            wanted.add(os.path.dirname(self._configuration.conf_file))
        found = set()
        for path in wanted:
            try:
                found.add(resolved(self._root, path))
            except CniError:
                continue  # the look notes it
        return found

    def _adopt(self) -> None:
        """Take what an earlier process left for the last good configuration."""
        directory = resolved(self._root, self._configuration.conf_dir)
        for name, mark in own_files(directory).items():
            data = files.read(os.path.join(directory, name))
            if mark.owner == OURS and not name.endswith(HIDDEN) and not mark.uninstalling and data:
                self._good = Plan(Document(name, data, mark.source))
                return

    def _wanted(self, now: float) -> Plan | None:
        """What is to be on the node; what is there already where nothing better is known."""
        if self._made and not self._follow:
            return self._good
        try:
            found = plan(self._root, self._configuration)
        except CniError as error:
            kept = f"; the configuration made from {self._good.document.source} stays" if self._good else ""
            self._troubles.note("primary", _text(error) + kept, now)
            return self._good
        self._tell_of_others(found)
        source = found.document.source
        if self._good is None or source == self._good.document.source:
            self._candidate = ("", 0.0)
            return found
        if self._candidate[0] != source:
            self._candidate = (source, now)
        return found if now - self._candidate[1] >= self._settle else self._good

    def _place(self, wanted: Plan, now: float) -> None:
        document = wanted.document
        there = self._there(document.name)
        if there == document.data and not (wanted.renamed or wanted.back) and not self._has_siblings(document.name):
            self._good, self._made = wanted, True
            return
        if self._must_leave(document.name, there, now):
            return
        is_restored = self._good is not None and self._there(self._good.document.name) != self._good.document.data
        if is_restored and not self._may_restore(document, now):
            return
        try:
            done = carry_out(self._root, self._configuration, wanted)
        except Refused as refused:
            self._troubles.note("file", _text(refused), now, blocking=refused.owner == FOREIGN)
        except CniError as error:
            self._troubles.note("publish", _text(error), now)
        else:
            self._restores -= is_restored
            self._restored = now if is_restored else self._restored
            self._good, self._made = wanted, True
            self._health.count("restored" if is_restored else "published")
            self._say(f"{'restored' if is_restored else done.change} {done.path} from {document.source}")
            for name in done.removed:
                self._say(f"removed {os.path.join(self._configuration.conf_dir, name)}, which it replaces")

    def _must_leave(self, name: str, there: bytes | None, now: float) -> bool:
        """Whether a file in our place is somebody's work, or may be about to become that."""
        if there is None or self._configuration.force:
            return False
        owner = read_mark(there).owner
        path = os.path.join(self._configuration.conf_dir, name)
        if owner in (EDITED, FOREIGN):
            self._troubles.note("file", _text(Refused(path, owner)), now, blocking=owner == FOREIGN)
            return True
        return owner == BROKEN and self._troubles.note("file", f"{path} is not JSON", now) < self._settle

    def _may_restore(self, document: Document, now: float) -> bool:
        """Whether it was not restored too often; somebody who takes it away each time must be told of."""
        self._restores = min(float(RESTORES), self._restores + max(0.0, now - self._restored) / PER_RESTORE)
        self._restored = max(now, self._restored)
        if self._restores >= 1:
            return True
        path = os.path.join(self._configuration.conf_dir, document.name)
        why = "somebody removes, renames or replaces it"
        if os.path.lexists(os.path.join(resolved(self._root, self._configuration.conf_dir), document.name + HIDDEN)):
            why = "Cilium renames it: set its value cni.exclusive to false"
        self._troubles.note("taken", f"{path} was restored {RESTORES} times and is gone again; {why}", now)
        return False

    def _look_at_order(self, now: float) -> None:
        """The runtime takes the first file."""
        names = configurations(resolved(self._root, self._configuration.conf_dir))
        if self._good and self._good.document.name in names[1:]:
            first, ours = os.path.join(self._configuration.conf_dir, names[0]), self._good.document.name
            self._troubles.note("order", f"the runtime reads {first}, which comes before {ours}: rename it", now)

    def _look_at_readiness(self, now: float) -> None:
        path = self._configuration.options.readiness_file
        if path and not os.path.lexists(under(self._root, path)):
            self._troubles.note("readiness", f"{path} is not there: the primary CNI is not ready", now)

    def _tell_of_others(self, found: Plan) -> None:
        primary = found.primary
        if primary is None:
            return
        labels = {"file": primary.path, "network": primary.name, "cni_version": primary.version}
        self._health.saw_primary(labels, 1 + len(primary.others))
        if primary.others != self._others:
            self._others, passed = primary.others, ", ".join(primary.others)
            self._remark = f"the primary is {primary.path}, the first in order; passed over: {passed}" if passed else ""
            if passed:
                self._say(self._remark)

    def _there(self, name: str) -> bytes | None:
        try:
            return files.read(os.path.join(resolved(self._root, self._configuration.conf_dir), name))
        except CniError:
            return None

    def _has_siblings(self, name: str) -> bool:
        ours = own_files(resolved(self._root, self._configuration.conf_dir))
        return any(other != name and not other.endswith(HIDDEN) for other in ours)


def _text(error: CniError) -> str:
    return f"{error.message} ({error.details})" if error.details else error.message
