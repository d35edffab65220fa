"""Documents that are nearly right: JSON taken apart, changed in a place or two, and put together again."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

TEXTS = (
    *("", " ", "\0", "\ud800", "\n", "..", "../x", "/", "/etc/passwd", "a/b", "%s", "é", "\U0001f600", "x" * 300),
    *("0", "-1", "10.0.0.0/8", "10.0.0.1/24", "10.0.0.1", "::/0", "fd00::1/64", "0.0.0.0/0", "10.0.0.1/33", "::1%lo"),
    *("02:00:00:00:00:01", "1.1.0", "0.2.0", "9.9.9", "null", "true", "{}", "[]", "{", "tcp", "eth0", "lo", "net1"),
)
NUMBERS = (0, 1, -1, 2, 253, 4095, 65536, 2**31, 2**32, 2**53 + 1, 2**63, 2**64, 10**400, 0.5, 1e308, -0.0, 1e-300)
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"": ""}, [1, "x"])

Place = tuple[Any, Any]


def mutated(data: bytes, random: Random, words: Sequence[str] = ()) -> bytes:
    """A variant of a document, or of bytes that are none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return torn(data, random)
    if random.random() < 0.1:
        return torn(data, random)
    return json.dumps(changed(value, random, words), ensure_ascii=random.random() < 0.9).encode(errors="surrogatepass")


def changed(value: Any, random: Random, words: Sequence[str] = ()) -> Any:
    """A variant of a value, with one to four changes."""
    whole = [deepcopy(value)]
    for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
        places = list(_places(whole))
        within = [(holder, key) for holder, key in places if str(holder[key])[:2] in ('{"', "[{")]
        inner = [(holder, key) for holder, key in within if isinstance(holder[key], str)]
        if inner and random.random() < 0.3:
            _edit(*random.choice(inner), places, random, words)
            continue
        holder, key = random.choice(places)
        random.choice(_CHANGES)(holder, key, places, random, words)
        if not whole:
            whole = [None]
    return whole[0]


def torn(data: bytes, random: Random) -> bytes:
    """Bytes with a piece taken out, doubled, put in or turned over."""
    at, to = sorted(random.randrange(len(data) + 1) for _ in range(2))
    piece = random.choice(
        (b"", b"", data[at:to] * 2, random.randbytes(random.randrange(5)), b"\0", b"\xff", b"[" * 300)
    )
    return data[:at] + piece + (data[to:] if random.random() < 0.8 else data[at:])


def _places(holder: Any) -> list[Place]:
    found: list[Place] = []
    waiting = [holder]
    while waiting:
        each = waiting.pop()
        inner = list(each.items()) if isinstance(each, dict) else list(enumerate(each))
        for key, value in inner:
            found.append((each, key))
            if isinstance(value, dict | list):
                waiting.append(value)
    return found


def _scalar(random: Random, words: Sequence[str]) -> Any:
    kinds: list[Sequence[Any]] = [TEXTS, NUMBERS, OTHERS, *([words] * 2 if words else [])]
    return deepcopy(random.choice(random.choice(kinds)))


def _replace(holder: Any, key: Any, places: list[Place], random: Random, words: Sequence[str]) -> None:
    is_number = isinstance(holder[key], int | float)
    holder[key] = random.choice(NUMBERS) if is_number and random.random() < 0.5 else _scalar(random, words)


def _remove(holder: Any, key: Any, places: list[Place], random: Random, words: Sequence[str]) -> None:
    del holder[key]


def _copy(holder: Any, key: Any, places: list[Place], random: Random, words: Sequence[str]) -> None:
    other, at = random.choice(places)
    try:
        copied = deepcopy(other[at])
        if len(json.dumps(copied)) < 4000:
            holder[key] = copied
    except (KeyError, IndexError):
        return  # a change before this one took it away


def _double(holder: Any, key: Any, places: list[Place], random: Random, words: Sequence[str]) -> None:
    if isinstance(holder, list):
        holder.insert(key, deepcopy(holder[key]))
    else:
        holder[key.swapcase()] = _scalar(random, words)


def _rename(holder: Any, key: Any, places: list[Place], random: Random, words: Sequence[str]) -> None:
    if isinstance(holder, dict):
        name = _scalar(random, words)
        holder[name if isinstance(name, str) else key.upper()] = holder.pop(key)


def _edit(holder: Any, key: Any, places: list[Place], random: Random, words: Sequence[str]) -> None:
    value = holder[key]
    if isinstance(value, str):
        deeper = value[:1] in ("{", "[") and random.random() < 0.8
        inner = mutated(value.encode(errors="surrogatepass"), random, words) if deeper else b""
        at = random.randrange(len(value) + 1)
        edited = value[:at] + str(_scalar(random, words)) + value[at + random.randrange(3) :]
        holder[key] = inner.decode(errors="replace") if inner else edited
    elif isinstance(value, int) and not isinstance(value, bool):
        holder[key] = value + random.choice((-1, 1, 2**16, -(2**31)))
    else:
        holder[key] = random.choice(([value], {"x": value}, json.dumps(value)))


_CHANGES = (_replace, _replace, _remove, _copy, _double, _rename, _edit, _edit)
