"""A version put on the node and switched to, or back from, by way of what was changed; none that does not run there."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from cni_multus.cni.errors import CniError, IoFailure
from cni_multus.node import program, trial
from cni_multus.node.bundle import EXECUTABLE
from cni_multus.node.changes import CHANGE, MAKE
from cni_multus.node.receipt import DIRECTORY, HOME, Receipt, end, home, node_lock

if TYPE_CHECKING:
    from cni_multus.node.bundle import Source
    from cni_multus.node.changes import Changes


def put(receipt: Receipt, changes: Changes, source: Source) -> None:
    """Copy a version unless it is there, and switch to it; raises InvalidEnvironment, with nothing left of it."""
    place = f"{receipt.bin_dir}/{HOME}"
    is_new = source.name not in program.versions(receipt)
    if not program.is_whole(receipt, source.name):
        path = f"{place}/{program.VERSIONS}/{source.name}"
        changes.do(MAKE, path, lambda: program.add(receipt, source), "version")
    before = program.current(receipt)
    if before == source.name:
        return
    if not changes.dry:
        try:
            _try_out(receipt, source.name)
        except CniError:
            if is_new:
                _take_back(receipt, source.name)
            raise
    action, detail = (CHANGE, f"{before} -> {source.name}") if before else (MAKE, source.name)
    changes.do(action, f"{place}/{program.CURRENT}", partial(program.switch, receipt, source.name), detail)


def roll_back(root: str, bin_dir: str, changes: Changes) -> str:
    """Switch back to the version before; its name. Doing it again switches forth."""
    found = Receipt.find(root, bin_dir)
    if found is None:
        raise IoFailure(f"nothing of ours is installed in {bin_dir}")
    if changes.dry:
        return _switch_back(found, changes)
    with node_lock(root, bin_dir):
        return _switch_back(Receipt.find(root, bin_dir) or found, changes)


def _switch_back(receipt: Receipt, changes: Changes) -> str:
    now, before = program.current(receipt), receipt.previous
    if before in ("", now):
        raise IoFailure("there is no version to go back to")
    if not program.is_whole(receipt, before):
        raise IoFailure(f"the version {before} is not whole any more; install it again")
    _try_out(receipt, before)
    path = f"{receipt.bin_dir}/{HOME}/{program.CURRENT}"
    changes.do(CHANGE, path, lambda: program.switch(receipt, before), f"{now} -> {before}")
    return before


def _try_out(receipt: Receipt, name: str) -> None:
    place = os.path.join(home(receipt.root, receipt.bin_dir), program.VERSIONS, name, EXECUTABLE)
    trial.run(receipt.root, place, name.rpartition("-")[0])


def _take_back(receipt: Receipt, name: str) -> None:
    """Leave nothing of a version that does not run, nor of an installation that began with it."""
    program.remove(receipt, name)
    if not program.current(receipt) and all(entry.kind == DIRECTORY for entry in receipt.entries.values()):
        end(receipt)
