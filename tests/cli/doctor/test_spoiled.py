"""Each broken node: the first line of the output names its cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cni_multus.cli.command import FOUND
from cni_multus.cli.doctor.registry import CHECKS
from tests.cli.doctor.spoiled import ILLNESSES

if TYPE_CHECKING:
    from tests.cli.doctor.conftest import Ward
    from tests.cli.doctor.illnesses.illness import Illness

ELSEWHERE = {"api-definitions", "api-rights", "netns-mount"}
"""What test_mess.py has."""


@pytest.mark.parametrize("illness", [pytest.param(each, id=name) for name, each in ILLNESSES.items()])
def test_the_first_line_names_the_cause(ill: Ward, illness: Illness) -> None:
    illness.spoil(ill)
    ended = ill.doctor()
    first = ended.stdout.splitlines()[0]
    assert f" {illness.check}: " in first, ended.stdout + ended.stderr
    assert all(word in first for word in illness.words), first
    assert ended.status == FOUND
    below = [line.split()[0] for line in ended.stdout.splitlines() if line.startswith("  ") and line.strip()]
    assert {"seen", "breaks", "mend"} <= set(below)


def test_every_check_has_an_illness() -> None:
    assert {check.id for check in CHECKS} == {each.check for each in ILLNESSES.values()} | ELSEWHERE
