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

    from tests.faults.inject import Call

pytestmark = pytest.mark.timeout(300)

BROKEN = {
    "no plan is written before the first change": (
        ("cni_multus/multus/adding.py", "                journal.write(record)\n", "                pass\n"),
        ("ADD", "sendto", "", KILL),
    ),
    "what cannot be looked at is taken for gone": (
        ("cni_multus/state/files.py", 'raise failure(error, f"look at {path}") from error', "return None"),
        ("DEL", "newfstatat", r"/journal/pod-0@eth0$", "ENOMEM"),
    ),
    "a temporary name that stays leaves what it became": (
        ("cni_multus/state/files.py", "            made.insert(0, path)\n", ""),
        ("ADD", "unlink", r"/host-local/pointed/\.multus-", "EACCES"),
    ),
    "an address that was reserved is not taken back": (
        ("cni_multus/state/reservations.py", "                undo.callback(self._remove, ip)\n", ""),
        ("ADD", "openat", r"last_reserved_ip", "ENOSPC"),
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_broken_is_found(tmp_path: Path, broken: str) -> None:
    (name, old, new), (verb, call, about, kind) = BROKEN[broken]
    stand = Stand(make_variant(tmp_path / "program", {name: (old, new)}), tmp_path)
    try:
        stand.bring(attached=verb != "ADD")
        meant = [each for each in stand.calls(verb) if each.name == call and re.search(about, each.about)]
        verdicts = [stand.attempt(point) for point in spread(points(verb, meant, kind), 4)]
    finally:
        stand.close()
    assert any(each.problems for each in verdicts)


def points(verb: str, calls: list[Call], kind: str) -> list[Point]:
    """These calls, with a DEL after each."""
    return [Point(verb, Fault(each.name, each.number, kind), "DEL", REQUEST) for each in calls]
