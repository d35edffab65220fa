"""The scene as SVG: the node's links above, the pods in columns below, and a line for each link along every column.

No link is above another one, so that a line can leave each downwards: it runs across in a lane of its own, and down
beside each column in which pods stand on it; from there short ends lead to their interfaces. So lines meet at right
angles only, and cross no box, however many pods there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.inspect.layout import (
    ANCHOR_HEIGHT,
    GAP,
    LANE,
    LEVEL,
    MARGIN,
    POD,
    ROW,
    Placed,
    anchor_lines,
    anchor_width,
    height_of,
    in_columns,
    lines_of,
    rows_of,
)
from cni_multus.cli.inspect.svg import Svg, width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cni_multus.cli.inspect.scene import Anchor, Box, End, Scene

COLOURS = ("#1f77b4", "#d9730d", "#2a9d4a", "#8e5bd0", "#0f9aa7", "#b5487f", "#8a6d1b", "#4a5fd0", "#6b8e23", "#7a4a3a")
INK, FAINT, RED, LINE = "#1f2933", "#69747f", "#c0262d", "#9aa5b1"


def picture(scene: Scene) -> str:
    """The whole document."""
    return _Picture(scene).draw()


class _Picture:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._svg = Svg()
        self._used = scene.used
        self._colours = {anchor.name: COLOURS[at % len(COLOURS)] for at, anchor in enumerate(self._used)}
        self._gutter = 20 + LANE * len(self._used)

    def draw(self) -> str:
        svg, scene = self._svg, self._scene
        svg.text(MARGIN, MARGIN + 8, scene.title, bold=True, size=16)
        across = sum(anchor_width(each) + GAP for each in scene.anchors)
        columns = in_columns(scene.boxes, self._gutter, across)
        wide = max(
            2 * MARGIN + len(columns) * (POD + self._gutter),
            2 * MARGIN + across,
            2 * MARGIN + width(scene.title, 16) * 1.05,
        )
        places, bottom = self._draw_anchors(MARGIN + 30, wide)
        lanes = {anchor.name: bottom + 16 + LANE * at for at, anchor in enumerate(self._used)}
        top = bottom + 30 + LANE * len(self._used)
        placed = [self._place(column, at, top) for at, column in enumerate(columns)]
        self._draw_lines(placed, places, lanes)
        for column in placed:
            for each in column:
                self._draw_box(each)
        low = max([each.y + each.high for column in placed for each in column], default=top)
        return svg.end(wide, self._legend(low + GAP, wide) + MARGIN, scene.title)

    def _draw_anchors(self, top: float, wide: float) -> tuple[dict[str, tuple[float, float]], float]:
        """Their boxes, by level; where each one's lower end is, and where all of them end."""
        svg, anchors = self._svg, self._scene.anchors
        if not anchors:
            return {}, top
        high = (max(anchor.level for anchor in anchors) + 1) * LEVEL + 12
        svg.box(MARGIN - 10, top, wide - 2 * MARGIN + 20, high, fill="#f5f7fa", stroke="#cbd2d9")
        places: dict[str, tuple[float, float]] = {}
        x = MARGIN + 4
        for anchor in anchors:
            places[anchor.name] = (x + anchor_width(anchor) / 2, top + 16 + anchor.level * LEVEL + ANCHOR_HEIGHT)
            x += anchor_width(anchor) + GAP
        for anchor in anchors:
            to_x, low = places[anchor.name]
            for at, name in enumerate(anchor.on):
                from_x, from_y = places[name]
                side, middle = to_x - 8 + 8 * at, low - ANCHOR_HEIGHT - 9
                svg.line((from_x - 8, from_y), (from_x - 8, middle), (side, middle), (side, middle + 9), stroke=LINE)
        for anchor in anchors:
            middle, low = places[anchor.name]
            self._draw_anchor(anchor, middle - anchor_width(anchor) / 2, low - ANCHOR_HEIGHT)
        return places, top + high

    def _draw_anchor(self, anchor: Anchor, x: float, y: float) -> None:
        svg = self._svg
        colour = self._colours.get(anchor.name, LINE)
        svg.box(x, y, anchor_width(anchor), ANCHOR_HEIGHT, fill="#ffffff", stroke=colour, dashed=not anchor.up)
        svg.text(x + 10, y + 18, anchor.name, bold=True)
        for at, (text, is_wrong) in enumerate(anchor_lines(anchor)):
            svg.text(x + 10, y + 35 + 15 * at, text, fill=RED if is_wrong else FAINT, size=11)

    def _place(self, column: Sequence[Box], at: int, top: float) -> list[Placed]:
        x = MARGIN + at * (POD + self._gutter) + self._gutter - 8
        y, placed = top, []
        for box in column:
            placed.append(Placed(box, x, y, height_of(box)))
            y += height_of(box) + GAP
        return placed

    def _draw_lines(
        self, columns: list[list[Placed]], places: dict[str, tuple[float, float]], lanes: dict[str, float]
    ) -> None:
        svg = self._svg
        for order, anchor in enumerate(self._used):
            colour, lane = self._colours[anchor.name], lanes[anchor.name]
            reached = []
            for column in columns:
                rows = [
                    (each.x, y + ROW / 2) for each in column for end, y in rows_of(each) if end.anchor == anchor.name
                ]
                if not rows:
                    continue
                x = column[0].x - 12 - LANE * order
                svg.line((x, lane), (x, rows[-1][1]), stroke=colour)
                for left, y in rows:
                    svg.line((x, y), (left, y), stroke=colour)
                reached.append(x)
            start_x, start_y = places[anchor.name]
            svg.line((start_x, start_y), (start_x, lane), stroke=colour, thick=2)
            ends = [start_x, *reached]
            svg.line((min(ends), lane), (max(ends), lane), stroke=colour, thick=2)
            for x in reached:
                svg.dot(x, lane, colour)

    def _draw_box(self, placed: Placed) -> None:
        svg, box = self._svg, placed.box
        told = [box.name, box.netns, *([box.wrong] if box.wrong else [])]
        told += [f"{end.ifname}: {text}" for end in box.ends for text in end.wrong]
        svg.begin("\n".join(told))
        svg.box(
            placed.x,
            placed.y,
            POD,
            placed.high,
            fill="#fff5f5" if box.wrong else "#ffffff",
            stroke=RED if box.wrong or any(end.wrong for end in box.ends) else LINE,
            dashed=bool(box.wrong),
        )
        svg.text(placed.x + 10, placed.y + 16, box.name, bold=True, room=POD - 20)
        for end, y in rows_of(placed):
            self._draw_end(end, placed.x, y)
        if box.wrong:
            svg.text(placed.x + 10, placed.y + placed.high - 7, box.wrong, fill=RED, size=11, room=POD - 20)
        svg.close()

    def _draw_end(self, end: End, x: float, y: float) -> None:
        svg = self._svg
        colour = FAINT if end.unknown else RED if end.wrong else INK
        if end.anchor in self._colours:
            svg.dot(x, y + ROW / 2, self._colours[end.anchor])
        kind = f"{end.kind}?" if end.unknown else end.kind
        svg.text(x + 10, y + 13, end.ifname, fill=colour, room=64)
        svg.text(
            x + 80,
            y + 13,
            f"{end.network} {kind}".strip() if end.network != kind else kind,
            fill=colour,
            size=11,
            room=126,
        )
        for at, (text, is_wrong) in enumerate(lines_of(end)):
            left, size = (x + 24, 11.0) if is_wrong else (x + 214, 12.0)
            svg.text(
                left, y + 13 + ROW * at, text, fill=RED if is_wrong else colour, size=size, room=x + POD - 8 - left
            )

    def _legend(self, y: float, wide: float) -> float:
        words = ["red: not as recorded", "dashed: down, or gone", "( ): recorded only", "?: no record has it"]
        if self._scene.hidden > 0:
            words.append(f"links of the node that are left out: {self._scene.hidden}")
        lines = [""]
        for word in words:
            longer = f"{lines[-1]}   {word}".strip()
            if lines[-1] and width(longer, 11) > wide - 2 * MARGIN:
                lines.append(word)
            else:
                lines[-1] = longer
        for line in lines:
            y += 14
            self._svg.text(MARGIN, y, line, fill=FAINT, size=11)
        return y
