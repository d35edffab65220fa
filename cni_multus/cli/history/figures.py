"""How many requests, how many of them failed, and how long they took: by verb, by part, by network, by pod."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from cni_multus.cli.history.entry import PARTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cni_multus.cli.history.entry import Entry

PART, VERB, NETWORK, POD = BY = ("part", "verb", "network", "pod")


def percentile(numbers: list[float], percent: int) -> float:
    """The smallest of the (sorted) numbers that as many percent of them are at or below: nearest rank."""
    return numbers[max(0, ceil(len(numbers) * percent / 100) - 1)]


def figures(by: str, entries: list[Entry]) -> list[dict[str, object]]:
    """One row for each kind, that in which most time went first; the rows of parts in their order."""
    counts: dict[str, int] = {}
    failed: dict[str, int] = {}
    took: dict[str, list[float]] = {part: [] for part in PARTS} if by == PART else {}
    for entry in entries:
        for kind, ms in _kinds(by, entry):
            counts[kind] = counts.get(kind, 0) + 1
            failed[kind] = failed.get(kind, 0) + entry.failed
            if ms is not None:
                took.setdefault(kind, []).append(ms)
    total = sum(entry.ms or 0.0 for entry in entries)
    rows = [
        {by: kind, "count": count, "failed": failed[kind], **_spread(took.get(kind, []), total)}
        for kind, count in counts.items()
    ]
    if by == PART:
        return sorted(rows, key=lambda row: PARTS.index(str(row[by])))
    return sorted(rows, key=lambda row: (-sum(took.get(str(row[by]), [])), str(row[by])))


def _spread(numbers: list[float], total: float) -> dict[str, object]:
    if not numbers:
        return {}
    numbers.sort()
    spread: dict[str, object] = {"p50": percentile(numbers, 50), "p95": percentile(numbers, 95), "max": numbers[-1]}
    return spread | ({"share": round(100 * sum(numbers) / total)} if total else {})


def _kinds(by: str, entry: Entry) -> Iterable[tuple[str, float | None]]:
    """Where a request counts, and with how many milliseconds."""
    if by == VERB:
        return [(entry.verb, entry.ms)]
    if by == POD:
        return [("/".join(entry.pod.split("/")[:2]) or "-", entry.ms)]
    if by == PART:
        return [(part, ms) for part, ms in entry.shares.items() if ms]
    return [(str(one["name"]), ms if isinstance(ms := one.get("ms"), float) else None) for one in entry.networks]
