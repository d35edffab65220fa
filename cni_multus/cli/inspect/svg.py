"""SVG, as much of it as a picture of boxes and lines needs; every text is escaped."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from cni_multus.cli.output import escape as printable

FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
SIZE = 12
ADVANCE = 0.602
"""The width of a letter of such a font, of its size."""


def width(text: str, size: float = SIZE) -> float:
    """About how wide a text is."""
    return len(text) * size * ADVANCE


def cut(text: str, room: float, size: float = SIZE) -> str:
    """The text, its middle left out where it does not fit: both ends of a pod's name matter."""
    text = printable(text)
    most = max(4, int(room / (size * ADVANCE)))
    if len(text) <= most:
        return text
    return f"{text[: (most - 1) // 2]}…{text[len(text) - (most - 1 - (most - 1) // 2) :]}"


class Svg:
    """Elements one after another; `end` gives the document."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def box(
        self, x: float, y: float, wide: float, high: float, *, fill: str, stroke: str, dashed: bool = False
    ) -> None:
        """A rectangle with round corners."""
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{wide:g}" height="{high:g}" rx="5" '
            f'fill="{fill}" stroke="{stroke}"{dash}/>'
        )

    def line(self, *points: tuple[float, float], stroke: str, thick: float = 1.5, dashed: bool = False) -> None:
        """A line through points."""
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        told = " ".join(f"{x:g},{y:g}" for x, y in points)
        self._parts.append(f'<polyline points="{told}" fill="none" stroke="{stroke}" stroke-width="{thick:g}"{dash}/>')

    def dot(self, x: float, y: float, fill: str) -> None:
        """A point where lines meet."""
        self._parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="3.5" fill="{fill}"/>')

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        fill: str = "#1f2933",
        bold: bool = False,
        size: float = SIZE,
        room: float = 0,
    ) -> None:
        """A line of text, cut to `room`; the whole of it is shown by browsers when one points at it."""
        shown = cut(text, room, size) if room else printable(text)
        whole = printable(text)
        title = f"<title>{escape(whole)}</title>" if shown != whole else ""
        weight = ' font-weight="bold"' if bold else ""
        scale = f' font-size="{size:g}"' if size != SIZE else ""
        self._parts.append(f'<text x="{x:g}" y="{y:g}" fill="{fill}"{weight}{scale}>{title}{escape(shown)}</text>')

    def begin(self, title: str) -> None:
        """Begin a group with a title, which browsers show when one points at it."""
        self._parts.append(f"<g><title>{escape(printable(title))}</title>")

    def close(self) -> None:
        """End it."""
        self._parts.append("</g>")

    def end(self, wide: float, high: float, title: str) -> str:
        """The document."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:g}" height="{high:g}" '
            f'viewBox="0 0 {wide:g} {high:g}" '
            f'font-family={quoteattr(FONT)} font-size="{SIZE}" xml:space="preserve">\n'
            f"<title>{escape(printable(title))}</title>\n"
            f'<rect width="100%" height="100%" fill="#ffffff"/>\n'
        )
        return head + "\n".join(self._parts) + "\n</svg>\n"
