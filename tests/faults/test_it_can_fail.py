"""The harness against programs that are broken on purpose: it has to say so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.faults.inject import KILL, Fault
from tests.faults.judge import Stand
from tests.faults.points import REQUEST, Point, spread
from tests.faults.variant import make_variant

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

BROKEN = {
    "no plan is written before the first change": (
        ("cni_multus/multus/adding.py", "                journal.write(record)\n", "                pass\n"),
        ("ADD", "sendto", "", KILL, "GC"),
    ),
    "what cannot be looked at is taken for gone": (
        ("cni_multus/linux/netns.py", "_PASSING = (errno.EIO, errno.ENOMEM, errno.EINTR)", "_PASSING = ()"),
        ("DEL", "ioctl", r"/pod$", "EIO", "DEL"),
    ),
    "a temporary name that stays leaves what it became": (
        ("cni_multus/state/files.py", "            made.insert(0, path)\n", ""),
        ("ADD", "unlink", r"/host-local/pointed/\.multus-", "EACCES", "DEL"),
    ),
    "an address that was reserved is not taken back": (
        ("cni_multus/state/reservations.py", "                undo.callback(self._remove, ip)\n", ""),
        ("ADD", "openat", r"last_reserved_ip", "ENOSPC", "DEL"),
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_broken_is_found(tmp_path: Path, broken: str) -> None:
    (name, old, new), (verb, call, about, kind, recovery) = BROKEN[broken]
    stand = Stand(make_variant(tmp_path / "program", {name: (old, new)}), tmp_path)
    try:
        stand.bring(attached=verb != "ADD")
        meant = [each for each in stand.calls(verb) if each.name == call and re.search(about, each.about)]
        points = [Point(verb, Fault(call, each.number, kind), recovery, REQUEST) for each in spread(meant, 8)]
        reported = any(stand.attempt(point).problems for point in points)
    finally:
        stand.close()
    assert reported
