"""Requests of one pod come one after another, those of different pods are served together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.variant import make_variant
from tests.load.turns import Together, await_that, overlap
from tools.build import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod
    from tests.pods import MakePod

pytestmark = pytest.mark.timeout(300)

PAIRS = [("ADD", "DEL"), ("ADD", "ADD"), ("DEL", "DEL"), ("DEL", "ADD"), ("DEL", "CHECK"), ("CHECK", "DEL")]
LOCK = "            self._lock = Lock(self._path, attempt, wait=self._wait).__enter__()\n"


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_requests_of_one_pod_come_one_after_another(node: Node, pod: Pod, first: str, second: str) -> None:
    together = Together(node, PROGRAM)
    if first != "ADD":
        together.done("ADD", pod)
    together.hold()
    notes = together.both(first, second, pod)
    assert notes[:2] == [f"begin {first} {pod.container_id}", f"end {first} {pod.container_id}"]
    assert not overlap(notes)


@pytest.mark.parametrize("verb", ["ADD", "CHECK", "DEL"])
def test_requests_of_different_pods_are_at_work_at_once(node: Node, make_pod: MakePod, verb: str) -> None:
    together = Together(node, PROGRAM)
    pods = [make_pod(f"pod-{at}") for at in range(4)]
    if verb != "ADD":
        for pod in pods:
            together.done("ADD", pod)
    together.hold()
    started = [together.start(verb, pod) for pod in pods]
    await_that(lambda: len(together.notes()) == len(pods))  # each waits to be let go, and nobody has ended
    together.let_go()
    for each in started:
        each.communicate()
        assert each.returncode == 0
    assert sorted(together.notes()[: len(pods)]) == [f"begin {verb} {pod.container_id}" for pod in pods]


def test_without_a_turn_they_are_mixed(node: Node, pod: Pod, tmp_path: Path) -> None:
    """What the tests above would say of a program that takes none."""
    broken = make_variant(tmp_path / "broken", {"cni_multus/multus/records.py": (LOCK, "            pass\n")})
    together = Together(node, broken)
    together.done("ADD", pod)
    assert overlap(together.both("DEL", "DEL", pod))
