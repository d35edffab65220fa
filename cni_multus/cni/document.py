"""JSON documents in and out, on the C halves of the standard `json` package (which costs 7 ms to import).

`_json` is private to CPython: where its interface is another one, the public package serves.
"""

from __future__ import annotations

from cni_multus.cni.errors import DecodingFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LARGEST = 4 << 20
"""The most bytes a document from outside may have: a configuration is a thousandth of it."""

DEEPEST = 200
"""The most objects and lists inside one another: what is deeper could be read, and then not printed."""


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _refuse_type(value: object) -> object:
    raise TypeError(f"no JSON form for {type(value).__name__}")


class NotJson(DecodingFailure):
    """A text that breaks off being JSON: `why`, and at which character, where that is known."""

    def __init__(self, what: str, text: str, at: int | None, why: str) -> None:
        place = "" if at is None else _position(text, at) + ": "
        super().__init__(f"{what} is not JSON: {place}{why}")
        self.at = at
        self.why = why


class Repeating(dict):  # type: ignore[type-arg]
    """An object in which keys stood more than once (`repeated`); the last one of each counts."""

    __slots__ = ("repeated",)

    repeated: tuple[str, ...]


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    again: dict[str, None] = {}
    for name, _ in pairs:
        if name in seen:
            again[name] = None
        seen.add(name)
    repeating = Repeating(found)
    repeating.repeated = tuple(again)
    return repeating


class _Rules:
    """What the scanner asks its context for (`json.scanner` in CPython)."""

    strict = True
    object_hook = None
    object_pairs_hook = staticmethod(_object)
    array_hook = None
    parse_float = staticmethod(_finite)
    parse_int = int
    parse_constant = staticmethod(_refuse_constant)
    memo: dict[str, str] = {}


try:
    from _json import encode_basestring_ascii as _quote
    from _json import make_scanner as _make_scanner

    _scan: Callable[[str, int], tuple[object, int]] = _make_scanner(_Rules)  # type: ignore[arg-type]
    from _json import make_encoder as _make_encoder

    _encode: Callable[[object, int], Iterable[str]] = _make_encoder(
        None, _refuse_type, _quote, None, ":", ",", False, False, False
    )
except (ImportError, AttributeError, TypeError):  # another interpreter, or a newer private interface
    import json

    _quote = json.encoder.encode_basestring_ascii
    _decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite)
    _scan = _decoder.scan_once  # type: ignore[attr-defined]
    _encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_refuse_type, check_circular=False)
    _encode = _encoder.iterencode  # type: ignore[assignment]

_SPACE = " \t\r\n"
BOM = "\ufeff"


def parse(data: bytes, what: str, largest: int = LARGEST) -> object:
    """The value that `data` spells; raises DecodingFailure, which names `what` and the position."""
    if len(data) > largest:
        raise DecodingFailure(f"{what} is larger than {largest >> 20} MiB")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise DecodingFailure(f"{what} is not UTF-8: byte {error.start} is {data[error.start]:#04x}") from None
    start = len(text) - len(text.lstrip(_SPACE))
    if start == len(text):
        raise DecodingFailure(f"{what} is empty")
    try:
        value, end = _scan_from(text, start)
    except StopIteration as stop:
        if text.startswith(BOM):
            raise DecodingFailure(f"{what} is not JSON: it starts with a byte order mark") from None
        raise NotJson(what, text, stop.value, "a value is missing") from None
    except RecursionError:
        raise DecodingFailure(f"{what} is nested deeper than {DEEPEST} levels") from None
    except ValueError as error:
        raise NotJson(what, text, getattr(error, "pos", None), str(getattr(error, "msg", error))) from None
    rest = text[end:].lstrip(_SPACE)
    if rest:
        raise NotJson(what, text, len(text) - len(rest), "more after the end")
    if text.count("{") + text.count("[") > DEEPEST and _is_too_deep(value):
        raise DecodingFailure(f"{what} is nested deeper than {DEEPEST} levels")
    return value


def parse_object(data: bytes, what: str, largest: int = LARGEST) -> dict[str, object]:
    """Like `parse`, for a document that must be an object."""
    value = parse(data, what, largest)
    if not isinstance(value, dict):
        raise DecodingFailure(f"{what} is not a JSON object but {name_of_type(value)}")
    return value


def print_compact(value: object) -> bytes:
    """The shortest form, for files and for other programs; ASCII only."""
    return "".join(_encode(value, 0)).encode()


def print_readable(value: object, what: str) -> bytes:
    """Like `print_compact`, for what `parse` has to take again; raises DecodingFailure, which names `what`."""
    data = print_compact(value)
    if len(data) > LARGEST:
        raise DecodingFailure(f"{what} would be larger than {LARGEST >> 20} MiB")
    if data.count(b"{") + data.count(b"[") > DEEPEST and _is_too_deep(value):
        raise DecodingFailure(f"{what} would be nested deeper than {DEEPEST} levels")
    return data


def print_indented(value: object) -> bytes:
    """The form that the reference programs print: four spaces, no newline at the end."""
    return _print(value, "\n").encode()


def name_of_type(value: object) -> str:
    """What JSON calls the type of `value`, with its article."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    names = {dict: "an object", list: "a list", str: "a string", int: "a number", float: "a number"}
    return names.get(type(value), "an unknown type")


def _is_too_deep(value: object) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for member in level for inner in _members(member) if isinstance(inner, (dict, list))]
        if not level:
            return False
    return True


def _members(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _scan_from(text: str, start: int) -> tuple[object, int]:
    try:
        return _scan(text, start)
    except SystemError:
        # The C scanner takes its exception from this module, and only if somebody has imported it.
        import json.decoder  # noqa: F401

        return _scan(text, start)


def _position(text: str, at: int) -> str:
    line = text.count("\n", 0, at) + 1
    return f"line {line}, column {at - text.rfind(chr(10), 0, at)}"


def _print(value: object, newline: str) -> str:
    if isinstance(value, str):
        return _quote(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    inner = newline + "    "
    if isinstance(value, dict):
        pairs = [f"{_quote(key)}: {_print(member, inner)}" for key, member in value.items()]
        return "{" + inner + ("," + inner).join(pairs) + newline + "}" if pairs else "{}"
    if isinstance(value, (list, tuple)):
        members = [_print(member, inner) for member in value]
        return "[" + inner + ("," + inner).join(members) + newline + "]" if members else "[]"
    return str(_refuse_type(value))
