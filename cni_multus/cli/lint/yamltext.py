"""YAML with places, built from the parser's events: no recursion, and an alias makes nothing large.

Values are those that kubectl would send (YAML 1.1's words for numbers and booleans). What a reader would take for
something else is told as a trap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cni_multus.cli.lint.tree import Place, Text, Trap, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.lint.tree import Step, Steps

DEEPEST = 200
MOST = 500_000
"""Values in one file."""

OCTAL, WORD = "octal", "word"


class NotYaml(Exception):
    """What cannot be read: why, and the place, line and column from 0."""

    def __init__(self, why: str, line: int, column: int) -> None:
        super().__init__(why)
        self.why = why
        self.line = line
        self.column = column


class YamlTree(Tree):
    """A document of YAML as a whole."""


def parse_yaml(text: Text) -> Iterator[YamlTree]:
    """The documents; those before what cannot be read are given before NotYaml is raised."""
    yaml: Any = importlib.import_module("yaml")

    try:
        events = yaml.parse(text.content, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        builder: _Builder | None = None
        for count, event in enumerate(events):
            if count > MOST:
                raise NotYaml(f"it has more than {MOST} values", event.start_mark.line, event.start_mark.column)
            if isinstance(event, yaml.DocumentStartEvent):
                builder = _Builder(text)
            elif isinstance(event, yaml.DocumentEndEvent) and builder is not None:
                yield builder.finish()
                builder = None
            elif builder is not None:
                builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ": ".join(filter(None, (error.context, error.problem)))
        raise NotYaml(said or "it cannot be read", mark.line if mark else 0, mark.column if mark else 0) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NotYaml(" ".join(str(error).split())[:300], 0, 0) from None


class _Builder:
    """Makes the values of one document from its events."""

    def __init__(self, text: Text) -> None:
        yaml: Any = importlib.import_module("yaml")
        self._yaml = yaml
        self._text = text
        self._resolver: Any = yaml.resolver.Resolver()
        self._places: dict[Steps, Place] = {}
        self._repeated: list[tuple[Steps, int]] = []
        self._traps: list[Trap] = []
        self._anchors: dict[str, object] = {}
        self._open: list[tuple[Any, int, int]] = []
        """The containers that are not closed yet, with their beginnings and those of their keys."""
        self._path: list[Step] = []
        self._wants_key: list[bool] = []
        self._key = -1
        self._top: object = None

    def finish(self) -> YamlTree:
        return YamlTree(self._top, self._text, self._places, (), self._repeated, tuple(self._traps))

    def take(self, event: Any) -> None:
        yaml = self._yaml
        start, end = self._offset(event.start_mark), self._offset(event.end_mark)
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, start, end)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise NotYaml(f"there is no anchor {event.anchor!r}", event.start_mark.line, event.start_mark.column)
            self._value(self._anchors[event.anchor], start, end)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._begin(event, start, is_map=isinstance(event, yaml.MappingStartEvent))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._end(event, end)

    def _offset(self, mark: Any) -> int:
        return self._text.offset(mark.line, mark.column)

    def _scalar(self, event: Any, start: int, end: int) -> None:
        if self._wants_key and self._wants_key[-1]:
            self._path[-1] = event.value
            self._key, self._wants_key[-1] = start, False
            if tuple(self._path) in self._places:
                self._repeated.append((tuple(self._path), start))
            return
        value = self._resolved(event)
        if event.anchor:
            self._anchors[event.anchor] = value
        self._value(value, start, end)

    def _begin(self, event: Any, start: int, *, is_map: bool) -> None:
        if len(self._open) >= DEEPEST:
            raise NotYaml(f"it is nested deeper than {DEEPEST} levels", event.start_mark.line, event.start_mark.column)
        if self._wants_key and self._wants_key[-1]:
            raise NotYaml("a key must be a text", event.start_mark.line, event.start_mark.column)
        made: Any = {} if is_map else []
        if event.anchor:
            self._anchors[event.anchor] = {} if is_map else []  # what repeats it is not looked into
        self._place(start, start)
        self._attach(made)
        self._open.append((made, start, self._key))
        self._path.append("" if is_map else 0)
        self._wants_key.append(is_map)
        self._key = -1

    def _end(self, event: Any, end: int) -> None:
        _, start, key = self._open.pop()
        self._path.pop()
        self._wants_key.pop()
        self._places[tuple(self._path)] = Place(start, end, key)
        self._next()

    def _value(self, value: object, start: int, end: int) -> None:
        if self._wants_key and self._wants_key[-1]:
            line, column = self._text.spot(start)
            raise NotYaml("an alias cannot be a key here", line - 1, column - 1)
        self._place(start, end)
        self._attach(value)
        self._key = -1
        self._next()

    def _place(self, start: int, end: int) -> None:
        self._places[tuple(self._path)] = Place(start, end, self._key)

    def _attach(self, value: object) -> None:
        if not self._open:
            self._top = value
            return
        parent = self._open[-1][0]
        if isinstance(parent, dict):
            parent[self._path[-1]] = value
        else:
            parent.append(value)

    def _next(self) -> None:
        """What follows is another key, or the next member."""
        if not self._open:
            return
        last = self._path[-1]
        if isinstance(last, int):
            self._path[-1] = last + 1
        else:
            self._wants_key[-1] = True

    def _resolved(self, event: Any) -> object:
        written = str(event.value)
        if event.style or event.tag not in (None, "!"):
            return written
        kind = self._resolver.resolve(self._yaml.ScalarNode, written, (True, False)).rpartition(":")[2]
        value = _plain(kind, written)
        if kind == "bool" and written.lower() not in ("true", "false"):
            self._traps.append(Trap(tuple(self._path), WORD, written, value))
        if kind == "int" and isinstance(value, int) and _is_octal(written):
            self._traps.append(Trap(tuple(self._path), OCTAL, written, value))
        return value


def _is_octal(written: str) -> bool:
    digits = written.lstrip("+-")
    return (len(digits) > 1 and digits[0] == "0" and digits[1] not in "xXbB") or ":" in digits


def _plain(kind: str, written: str) -> object:
    import yaml

    if kind not in ("null", "bool", "int", "float"):
        return written
    node = yaml.ScalarNode(f"tag:yaml.org,2002:{kind}", written)
    constructor: Any = yaml.constructor.SafeConstructor()
    try:
        return constructor.construct_object(node)
    except (ValueError, yaml.YAMLError):
        return written
