"""The smallest inputs that reach, together, every branch that all of them reach; found by tracing lines."""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz import trial

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType
    from typing import Any

    from tests.fuzz.target import Target

MOST = 24
"""Inputs that are kept of a target."""
LARGEST = 2048
"""Bytes of one that is kept."""

_ROOT = str(Path(__file__).parent.parent.parent)
_PRODUCT = tuple(f"{_ROOT}/{name}/" for name in ("cni_multus", "plugins", "ipam"))


def reached(target: Target, data: bytes) -> set[tuple[str, int, int]]:
    """The steps from line to line of the program that an input makes; raises Violation."""
    steps: set[tuple[str, int, int]] = set()
    last: dict[int, int] = {}

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(_PRODUCT):
            return None
        if event == "line":
            at = id(frame)
            steps.add((name, last.get(at, 0), frame.f_lineno))
            last[at] = frame.f_lineno
        elif event == "call":
            last[id(frame)] = 0
        return trace

    sys.settrace(trace)
    try:
        trial.attempt(target, data)
    finally:
        sys.settrace(None)
    return steps


def minimised(target: Target, inputs: Iterable[bytes]) -> list[bytes]:
    """Those that are to be kept: what adds most for its size comes first."""
    candidates: list[tuple[bytes, set[tuple[str, int, int]]]] = []
    known: set[tuple[str, int, int]] = set()
    for data in sorted({each for each in inputs if len(each) <= LARGEST}, key=lambda each: (len(each), each)):
        steps = reached(target, data)
        if steps - known:
            known |= steps
            candidates.append((data, steps))
    kept: list[bytes] = []
    covered: set[tuple[str, int, int]] = set()
    while candidates and len(kept) < MOST:
        best = max(candidates, key=lambda each: (len(each[1] - covered), -len(each[0])))
        if not best[1] - covered:
            break
        candidates.remove(best)
        covered |= best[1]
        kept.append(best[0])
    return kept


def merge(target: Target, found: Iterable[bytes]) -> int:
    """Replace the target's corpus by the minimum of it and of what was found; how many there are now."""
    kept = minimised(target, [*target.kept(), *found])
    names = {sha256(data).hexdigest()[:16]: data for data in kept}
    target.corpus.mkdir(parents=True, exist_ok=True)
    for path in target.corpus.iterdir():
        if path.name not in names:
            path.unlink()
    for name, data in names.items():
        (target.corpus / name).write_bytes(data)
    return len(names)
