"""A document with the place of each value: JSON, YAML, and JSON inside strings of either.

Places are offsets into the text that the value stands in; a text inside another one knows where each of its characters
stands there, so that every place is told as line and column of the file.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cni_multus.cni.document import parse
from cni_multus.selection.positions import tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    Step = str | int
    Steps = tuple[Step, ...]

_ESCAPED = {"u": 6, "U": 10, "x": 4}
_SPACE_ESCAPES = "ntr \n"
_CODED_BLANKS = ("\\u0020", "\\u0009", "\\u000a", "\\u000d")


class Text:
    """The characters of a file, or (`outer`) those of a string in one: `offsets` has the place of each there."""

    def __init__(self, file: str, content: str, outer: Text | None = None, offsets: Sequence[int] = ()) -> None:
        self.file = file
        self.content = content
        self._outer = outer
        self._offsets = offsets
        self._lines: list[int] | None = None

    def spot(self, offset: int) -> tuple[int, int]:
        """Line and column in the file, from 1."""
        if self._outer is not None:
            at = min(offset, len(self._offsets) - 1)
            return self._outer.spot(self._offsets[at] if at >= 0 else 0)
        lines = self._line_starts()
        line = bisect_right(lines, offset)
        return line, offset - lines[line - 1] + 1

    def offset(self, line: int, column: int) -> int:
        """The reverse, of a line and a column from 0."""
        lines = self._line_starts()
        return min(lines[min(line, len(lines) - 1)] + column, len(self.content))

    def inner(self, content: str, start: int, end: int) -> Text:
        """The text of a string that is written from `start` to `end`, quotation marks or a block's header included."""
        return Text(self.file, content, self, _align(self.content[:end], start, content))

    def _line_starts(self) -> list[int]:
        if self._lines is None:
            self._lines = [0]
            at = self.content.find("\n")
            while at >= 0:
                self._lines.append(at + 1)
                at = self.content.find("\n", at + 1)
        return self._lines


@dataclass(frozen=True)
class Place:
    """Where a value begins and ends, and where its key does; -1 where it has none."""

    start: int
    end: int
    key: int = -1


@dataclass(frozen=True)
class Trap:
    """A plain scalar of YAML that is not what it looks like: where it stands, what is written, and what that means."""

    steps: Steps
    kind: str
    written: str
    value: object


@dataclass
class Tree:
    """A value and everything in it; `prefix` leads to it from the top of its text."""

    value: object
    text: Text
    places: dict[Steps, Place]
    prefix: Steps = ()
    repeated: list[tuple[Steps, int]] = field(default_factory=list)
    """Keys that stood in their object already, and where they do so again."""
    traps: tuple[Trap, ...] = ()
    """In YAML, in the order of the text."""

    def spot(self, steps: Steps = (), *, key: bool = False) -> tuple[int, int]:
        """Line and column of what `steps` lead to; of what is around it, where there is no such thing."""
        full = (*self.prefix, *steps)
        for length in range(len(full), -1, -1):
            place = self.places.get(full[:length])
            if place is not None:
                at = place.key if key and length == len(full) and place.key >= 0 else place.start
                return self.text.spot(at)
        return self.text.spot(0)

    def at(self, *steps: Step) -> Tree:
        """The part that `steps` lead to; its value is None where there is nothing."""
        value = self.value
        for step in steps:
            if isinstance(value, dict) and isinstance(step, str):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                value = None
        return Tree(value, self.text, self.places, (*self.prefix, *steps), self.repeated, self.traps)

    def string(self) -> Text:
        """The text of this value, which is a string."""
        place = self.places.get(self.prefix)
        if place is None:
            return Text(self.text.file, str(self.value), self.text, [0])
        return self.text.inner(str(self.value), place.start, place.end)

    def find(self, key: str) -> Step:
        """How `key` is written in this object, in whatever case."""
        if isinstance(self.value, dict) and key not in self.value:
            return next((name for name in reversed(self.value) if name.lower() == key.lower()), key)
        return key

    def resolve(self, path: str) -> Steps | None:
        """The steps of a path as messages have it (`ipam.ranges[0][1].subnet`); None where nothing stands there."""
        steps: list[Step] = []
        value, rest = self.value, path
        while rest:
            if isinstance(value, list):
                number, closed, rest = rest.removeprefix("[").partition("]")
                if not closed or not number.isdecimal() or int(number) >= len(value):
                    return None
                steps.append(int(number))
                value = value[int(number)]
            elif isinstance(value, dict):
                fits = [name for name in value if _leads(rest, name)]
                if not fits:
                    return None
                name = max(fits, key=len)
                steps.append(name)
                value, rest = value[name], rest[len(name) :]
            else:
                return None
            rest = rest.removeprefix(".")
        return tuple(steps)


def parse_json(text: Text, what: str) -> Tree:
    """The tree of a JSON text; raises DecodingFailure as a request would be refused."""
    value = parse(text.content.encode("utf-8", "surrogatepass"), what)
    places, repeated = _scan(text.content)
    return Tree(value, text, places, (), repeated)


def _leads(path: str, name: str) -> bool:
    return path[: len(name)].lower() == name.lower() and path[len(name) : len(name) + 1] in ("", ".", "[")


def _scan(content: str) -> tuple[dict[Steps, Place], list[tuple[Steps, int]]]:
    places: dict[Steps, Place] = {}
    repeated: list[tuple[Steps, int]] = []
    path: list[Step] = []
    begun: list[tuple[int, int]] = []
    key_at, at_a_key = -1, False
    for at, token in tokens(content):
        end = at + len(token)
        if at_a_key and token[0] == '"':
            path[-1] = str(parse(token.encode("utf-8", "surrogatepass"), "a key"))
            key_at, at_a_key = at, False
            if tuple(path) in places:
                repeated.append((tuple(path), at))
        elif token == ",":
            last = path[-1]
            at_a_key = isinstance(last, str)
            path[-1] = last + 1 if isinstance(last, int) else last
        elif token in ("]", "}"):
            path.pop()
            start, key = begun.pop()
            places[tuple(path)] = Place(start, end, key)
            at_a_key = False
        elif token != ":":
            places[tuple(path)] = Place(at, end, key_at)
            if token in ("{", "["):
                begun.append((at, key_at))
                at_a_key = token == "{"
                path.append("" if at_a_key else 0)
            key_at = -1
    return places, repeated


def _align(raw: str, at: int, content: str) -> list[int]:
    """For each character of `content` where it is written in `raw` from `at` on; blanks are where the next one is."""
    if raw[at : at + 1] in ("|", ">"):
        at = raw.find("\n", at) + 1 or len(raw)
    elif raw[at : at + 1] in ('"', "'"):
        at += 1
    offsets, last = [], len(raw) - 1
    for character in content:
        if character in " \t\r\n":
            offsets.append(min(at, last))
            continue
        at = _skip_blanks(raw, at)
        offsets.append(min(at, last))
        if raw[at : at + 1] == character:
            at += 2 if raw[at : at + 2] == "''" == character * 2 else 1
        elif raw[at : at + 1] == "\\":
            at += _ESCAPED.get(raw[at + 1 : at + 2], 2)
        else:
            found = raw.find(character, at)
            at = found + 1 if found >= 0 else at
    return offsets


def _skip_blanks(raw: str, at: int) -> int:
    while at < len(raw):
        if raw[at] in " \t\r\n":
            at += 1
        elif raw[at] == "\\" and raw[at + 1 : at + 2] in _SPACE_ESCAPES and raw[at + 1 : at + 2]:
            at += 2
        elif raw[at : at + 6].lower() in _CODED_BLANKS:
            at += 6
        else:
            break
    return at
