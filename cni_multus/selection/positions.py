"""Where in a JSON text each value stands: for messages, so only imported once there is something to tell.

Values come from the parser of `cni.document`, which tells no positions; this finds them again in a text that it has
accepted, and knows nothing of what the values mean.
"""

from __future__ import annotations

from cni_multus.cni.document import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Step = str | int
    """A key of an object, or an index into a list."""

_SPACE = " \t\r\n"
_STRUCTURE = "[]{},:"
_AFTER_A_SCALAR = _STRUCTURE + _SPACE + '"'


def line_and_column(text: str, at: int) -> str:
    """A position as people count: from 1, in characters."""
    return f"line {text.count(chr(10), 0, at) + 1}, column {at - text.rfind(chr(10), 0, at)}"


def find(text: str, steps: tuple[Step, ...]) -> int:
    """The offset of the value that `steps` lead to, of what is around it where there is none; keys in any case.

    Where a key stands more than once it is the last one's, which is the one that counts.
    """
    wanted = [_folded(steps[:length]) for length in range(len(steps) + 1)]
    found, depth = 0, -1
    for path, at in places(text):
        length = len(path)
        if length <= len(steps) and length >= depth and _folded(path) == wanted[length]:
            found, depth = at, length
    return found


def places(text: str) -> Iterator[tuple[tuple[Step, ...], int]]:
    """Every value of a JSON text, outer ones first: the keys and indexes that lead to it, and its offset."""
    path: list[Step] = []
    at_a_key = False
    for at, token in tokens(text):
        if at_a_key and token[0] == '"':
            path[-1] = str(parse(token.encode("utf-8", "replace"), "a key"))
            at_a_key = False
        elif token == ",":
            last = path[-1]
            at_a_key = isinstance(last, str)
            path[-1] = last + 1 if isinstance(last, int) else last
        elif token in ("]", "}"):
            path.pop()
            at_a_key = False
        elif token != ":":
            yield tuple(path), at
            at_a_key = token == "{"
            if token in ("{", "["):
                path.append("" if at_a_key else 0)


def tokens(text: str) -> Iterator[tuple[int, str]]:
    """The words of a text that is meant to be JSON, each with its offset; anything at all is taken apart somehow."""
    at, size = 0, len(text)
    while at < size:
        character = text[at]
        end = at + 1
        if character in _SPACE:
            at = end
            continue
        if character == '"':
            end = _end_of_string(text, at)
        elif character not in _STRUCTURE:
            while end < size and text[end] not in _AFTER_A_SCALAR:
                end += 1
        yield at, text[at:end]
        at = end


def number_at(text: str, offset: int) -> int:
    """The number, from 1, of the member of the outermost list in which `offset` stands; 0 where it is in none."""
    depth = number = 0
    for at, token in tokens(text):
        if at >= offset:
            break
        if token in ("[", "{"):
            depth += 1
            number = number or int(depth == 1 and token == "[")
        elif token in ("]", "}"):
            depth -= 1
            if depth == 0:
                return 0
        elif token == "," and depth == 1 and number:
            number += 1
    return number


def without_trailing_commas(text: str) -> str:
    """The same text with a blank for each comma that only an end follows; every offset stays what it was."""
    blanked: list[int] = []
    before = last = (0, "")
    for found in tokens(text):
        if found[1] in ("]", "}") and last[1] == "," and before[1] not in ("", "[", "{", ",", ":"):
            blanked.append(last[0])
        before, last = last, found
    if not blanked:
        return text
    characters = list(text)
    for at in blanked:
        characters[at] = " "
    return "".join(characters)


def _end_of_string(text: str, start: int) -> int:
    at, end = start + 1, -1
    while True:
        if end < at:
            end = text.find('"', at)
        if end < 0:
            return len(text)
        escape = text.find("\\", at, end)
        if escape < 0:
            return end + 1
        at = escape + 2


def _folded(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple(step.lower() if isinstance(step, str) else step for step in steps)
