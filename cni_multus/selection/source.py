"""The text of an annotation, and its objects with the place in that text at which each value stands.

Places are looked for only once there is something to tell.
"""

from __future__ import annotations

from cni_multus.cni.config import Section
from cni_multus.cni.document import name_of_type
from cni_multus.cni.errors import DecodingFailure, InvalidNetworkConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.selection.positions import Step

LONGEST_TEXT = 253
"""Characters of a string; the longest that any key takes is the name of an object of the API."""


LONGEST_QUOTED = 100
"""Characters of what was given, in a message: an Event has room for a thousand."""

LONGEST_PATH = 300
"""Characters of the keys that lead to a value inside cni-args."""


class Source:
    """One annotation: its name, its text, and in which of the two syntaxes that is."""

    __slots__ = ("annotation", "is_json", "text")

    def __init__(self, annotation: str, text: str, *, is_json: bool) -> None:
        self.annotation = annotation
        self.text = text
        self.is_json = is_json

    def where(self, steps: tuple[Step, ...] = ()) -> str:
        """How a message names the value that `steps` lead to: the first is the element's index, from 0."""
        from cni_multus.selection.positions import find, line_and_column

        at = find(self.text, steps) if self.is_json else self._offset_of_item(steps)
        return f"{self.name(steps)} ({line_and_column(self.text, at)})"

    def name(self, steps: tuple[Step, ...] = ()) -> str:
        """The same without the position."""
        named = f"annotation {self.annotation}"
        if steps:
            named += f", element {int(steps[0]) + 1}"
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{_plain(step)}" for step in steps[1:])
        if len(path) > LONGEST_PATH:
            path = path[:LONGEST_PATH] + "..."
        return named + (f", {path[1:]}" if path else "")

    def wrong(self, steps: tuple[Step, ...], why: str) -> InvalidNetworkConfig:
        """The error that says why a value cannot be."""
        return InvalidNetworkConfig(f"{self.where(steps)}: {why}")

    def mistyped(self, steps: tuple[Step, ...], value: object, wanted: str) -> DecodingFailure:
        """The error for a value of another type than the key has."""
        advice = _advice(steps, value, wanted)
        return DecodingFailure(f"{self.where(steps)} must be {wanted}, and is {name_of_type(value)}{advice}")

    def _offset_of_item(self, steps: tuple[Step, ...]) -> int:
        items = self.text.split(",")
        before = sum(len(item) + 1 for item in items[: int(steps[0])]) if steps else 0
        item = items[int(steps[0])] if steps else self.text
        return before + len(item) - len(item.lstrip())


class Object(Section):
    """One object of the annotation; of keys that differ in case only the last counts, as in Go."""

    __slots__ = ("source", "steps")

    def __init__(self, raw: dict[str, object], source: Source, steps: tuple[Step, ...]) -> None:
        super().__init__(raw)
        self.source = source
        self.steps = steps

    def where(self, key: str) -> str:
        return self.source.where((*self.steps, key))

    def value(self, key: str) -> object:
        if self._folded is None:
            self._folded = {name.lower(): value for name, value in self.raw.items() if value is not None}
        return self._folded.get(key.lower())

    def text(self, key: str, default: str = "") -> str:
        value = self.value(key)
        if isinstance(value, str) and len(value) > LONGEST_TEXT:
            raise self.wrong(key, f"it is {len(value)} characters long, more than {LONGEST_TEXT}")
        return super().text(key, default)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings, none of them empty."""
        found = []
        for at, value in enumerate(self.items(key)):
            steps = (*self.steps, key, at)
            if not isinstance(value, str):
                raise self.source.mistyped(steps, value, "a string")
            if not value or len(value) > LONGEST_TEXT:
                why = f"it is {len(value)} characters long, more than {LONGEST_TEXT}" if value else "it is empty"
                raise self.source.wrong(steps, why)
            found.append(value)
        return tuple(found)

    def number(self, key: str, default: int = 0, *, low: int = 0, high: int = 0xFFFFFFFF) -> int:
        value = self.value(key)
        if isinstance(value, float):
            raise DecodingFailure(f"{self.where(key)} must be a whole number, written as one, and is {value}")
        if isinstance(value, int) and abs(value) > 1 << 64:
            raise self.wrong(key, f"a number of {len(str(abs(value)))} digits is not between {low} and {high}")
        return super().number(key, default, low=low, high=high)

    def _mistyped(self, key: str, value: object, wanted: str) -> DecodingFailure:
        return self.source.mistyped((*self.steps, key), value, wanted)

    def section(self, key: str) -> Object:
        value = self.value(key)
        steps = (*self.steps, key)
        if value is None:
            return Object({}, self.source, steps)
        if not isinstance(value, dict):
            raise self.source.mistyped(steps, value, "an object")
        return Object(value, self.source, steps)

    def objects(self, key: str) -> list[Object]:
        """A list of objects."""
        return [object_at(value, self.source, (*self.steps, key, at)) for at, value in enumerate(self.items(key))]


def object_at(value: object, source: Source, steps: tuple[Step, ...]) -> Object:
    """The object that `value`, which stands at `steps`, must be."""
    if isinstance(value, dict):
        return Object(value, source, steps)
    raise source.mistyped(steps, value, "an object")


def _plain(key: str) -> str:
    return (key if key.isprintable() else repr(key))[:LONGEST_QUOTED]


def _advice(steps: tuple[Step, ...], value: object, wanted: str) -> str:
    text = value if isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_QUOTED else ""
    if wanted == "a list":
        return f': write ["{text}"]' if text else ": put it into [ and ]" if isinstance(value, dict) else ""
    if wanted == "a whole number" and text.isascii() and text.isdecimal():
        return f": write {text} without quotation marks"
    return ': write {"name": "' + (text or "network-1") + '"}' if len(steps) == 1 else ""
