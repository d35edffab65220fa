"""How large things are in a picture of the node, and what goes into which column; it draws nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cli.inspect.svg import width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cni_multus.cli.inspect.scene import Anchor, Box, End

MARGIN, GAP = 24.0, 14.0
POD, ROW, HEAD = 380.0, 17.0, 24.0
ANCHOR_HEIGHT, LEVEL, LANE = 58.0, 78.0, 9.0
SHAPE = 1.5
"""The width that is aimed at, in heights."""

MOST_ADDRESSES = 4
"""Of one interface; how many more there are is said."""

MOST_WRONG = 3
"""Differences of one interface, likewise."""


@dataclass(slots=True)
class Placed:
    """A box and where it is."""

    box: Box
    x: float
    y: float
    high: float


def in_columns(boxes: Sequence[Box], gutter: float, across: float) -> list[list[Box]]:
    """The boxes in as many columns of about one height as give the picture its shape; `across` is wide anyway."""
    total = sum(height_of(box) + GAP for box in boxes)
    count = max(1, min(len(boxes), int(across // (POD + gutter))))
    while count * (POD + gutter) < SHAPE * total / count and count < len(boxes):
        count += 1
    columns: list[list[Box]] = [[]]
    filled = 0.0
    for box in boxes:
        if columns[-1] and filled + (height_of(box) + GAP) / 2 > total * len(columns) / count:
            columns.append([])
        columns[-1].append(box)
        filled += height_of(box) + GAP
    return columns


def lines_of(end: End) -> list[tuple[str, bool]]:
    """What is told of an interface, a line each, and whether it is a warning."""
    told = [f"VLAN {end.vlans}"] if end.vlans else []
    told += end.addresses[:MOST_ADDRESSES]
    if len(end.addresses) > MOST_ADDRESSES:
        told.append(f"and {len(end.addresses) - MOST_ADDRESSES} more")
    wrong = [f"! {text}" for text in end.wrong[:MOST_WRONG]]
    if len(end.wrong) > MOST_WRONG:
        wrong.append(f"! and {len(end.wrong) - MOST_WRONG} more")
    return [*((text, False) for text in told or ["-"]), *((text, True) for text in wrong)]


def height_of(box: Box) -> float:
    """Of a pod's box."""
    return HEAD + ROW * (sum(len(lines_of(end)) for end in box.ends) + bool(box.wrong)) + 6


def rows_of(placed: Placed) -> list[tuple[End, float]]:
    """Each interface, and where its lines begin."""
    y, found = placed.y + HEAD, []
    for end in placed.box.ends:
        found.append((end, y))
        y += ROW * len(lines_of(end))
    return found


def anchor_lines(anchor: Anchor) -> list[tuple[str, bool]]:
    """What stands below its name, and whether that is a warning."""
    words = [anchor.kind, *([f"mtu {anchor.mtu}"] if anchor.mtu else []), *([anchor.detail] if anchor.detail else [])]
    lines = [(", ".join(words) + ("" if anchor.up else ", DOWN"), not anchor.up)]
    return [*lines, (" ".join(anchor.addresses[:2]), False)] if anchor.addresses else lines


def anchor_width(anchor: Anchor) -> float:
    """Of a link's box."""
    texts = [width(text, 11) for text, _ in anchor_lines(anchor)]
    return max(110.0, width(anchor.name) * 1.05 + 20, *(each + 20 for each in texts))
