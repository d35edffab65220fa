"""Every input that is kept of a target, and variants of them, always the same ones."""

from __future__ import annotations

import sys
from random import Random
from typing import TYPE_CHECKING

from tests.fuzz import sandbox, structured, trial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fuzz.target import Target


def replay(target: Target, variants: int) -> int:
    """The exit status: 1 where there is a violation, which is on standard error then."""
    inputs = list(dict.fromkeys([*target.seeds(), *target.kept()]))
    sandbox.enter()
    tried = 0
    for data in _all(target, inputs, variants):
        tried += 1
        try:
            trial.attempt(target, data)
        except trial.Violation as violation:
            print(f"VIOLATION {target.name}: {violation}\n    {data[:4000]!r}", file=sys.stderr)
            return 1
    print(f"{target.name}: {tried} inputs, no violation")
    return 0


def _all(target: Target, inputs: list[bytes], variants: int) -> Iterator[bytes]:
    yield from inputs
    random = Random(target.name)
    for _ in range(variants):
        yield structured.mutated(random.choice(inputs), random, target.words)
