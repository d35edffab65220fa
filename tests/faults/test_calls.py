"""Some of what `make faults` does: requests killed before a call, or refused one, and what puts things right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.points import VERBS, points_of, slice_of

if TYPE_CHECKING:
    from tests.faults.judge import Stand

pytestmark = pytest.mark.timeout(600)

NUMBERS = {"ADD": 100, "DEL": 70, "GC": 70, "CHECK": 50}
"""How many points of each verb; there are some twenty thousand in all."""


@pytest.mark.parametrize("verb", VERBS)
def test_whatever_happens_is_recovered_from(stand: Stand, verb: str) -> None:
    stand.bring(attached=verb != "ADD")
    points = slice_of(points_of(verb, stand.calls(verb)), NUMBERS[verb])
    verdicts = [stand.attempt(point) for point in points]
    assert [each.to_json() for each in verdicts if each.problems] == []
    reached = sum(each.hit for each in verdicts)
    assert reached > len(points) * 0.9
    stand.bring(attached=False)
