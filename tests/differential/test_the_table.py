"""The table of intended differences says what is, no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.differential.intended import INTENDED, LEFT_BY_REFERENCE, REFUSED_BY_OURS, REFUSED_BY_REFERENCE
from tests.differential.tally import TALLY
from tests.differential.test_refusals import CASES

HERE = Path(__file__).parent


@pytest.mark.last
def test_every_entry_still_covers_something(request: pytest.FixtureRequest) -> None:
    """It comes after all others: their reports tell which entries they need."""
    ran = {item.path for item in request.session.items}
    if request.session.testsfailed or not set(HERE.glob("test_*.py")) <= ran:
        pytest.skip("this can be told only when all comparisons ran, and succeeded")
    unneeded = [entry for at, entry in enumerate(INTENDED) if at not in TALLY.needed]
    assert [f"{entry.where}: {entry.reason}" for entry in unneeded] == []


def test_every_refusal_is_one_of_the_cases() -> None:
    assert {*LEFT_BY_REFERENCE, *REFUSED_BY_OURS, *REFUSED_BY_REFERENCE} <= set(CASES)
