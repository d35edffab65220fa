"""Text and documents without their secrets: those that are known, and those with a telling name, or form."""

from __future__ import annotations

import base64
import binascii
import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from cni_multus.cli.bundle.assigned import without_assigned
from cni_multus.cli.bundle.words import (
    CODED,
    ENVIRONMENT,
    FORMS,
    GONE,
    OPTION,
    PEM,
    PEM_END,
    SCHEME,
    USERINFO,
    is_secret,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

SHORTEST = 6
"""Characters: what is shorter is no secret that could be told from other words."""
_DEEPEST = 3
"""Codings within one another that are looked into."""
_SHORT = 200
_HOLDERS = ("data", "stringData", "binaryData")


class Redactor:
    """Takes secrets out; `known` are some that must not be seen, whatever stands around them."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        forms = {form for one in known if len(one) >= SHORTEST for form in _forms(one)}
        self._known = re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True)))) if forms else None
        self._short = lru_cache(maxsize=1 << 16)(self._text)

    def text(self, text: str) -> str:
        """Any text: a log, what a program printed, a value."""
        return self._short(text) if len(text) <= _SHORT else self._text(text)

    def content(self, text: str) -> str:
        """A file, or a document: as it is where it has no secret; what cannot be parsed counts as text."""
        found = _parsed(text)
        if found is not None:
            clean = self.document(found)
            return text if clean == found else json.dumps(clean, indent=2) + "\n"
        lines = [self._line(line) for line in text.split("\n")] if "{" in text else [text]
        return self.text("\n".join(lines))

    def document(self, value: object) -> object:
        """What was parsed of JSON or YAML."""
        if isinstance(value, dict):
            return self._mapping(value)
        if isinstance(value, list):
            return self._list(value)
        return self._string(value) if isinstance(value, str) else value

    def _mapping(self, value: dict[object, object]) -> dict[object, object]:
        named = value.get("name", value.get("key"))
        clean: dict[object, object] = {}
        for key, member in value.items():
            name = self.text(key) if isinstance(key, str) else key
            is_value = key == "value" and isinstance(named, str) and is_secret(named)
            is_held = value.get("kind") == "Secret" and key in _HOLDERS
            if is_held or is_value or (isinstance(key, str) and is_secret(key)):
                clean[name] = _emptied(member)
            elif key == "env":
                clean[name] = _without_values(member)
            else:
                clean[name] = self.document(member)
        return clean

    def _list(self, value: list[object]) -> list[object]:
        """A list; in a command line, what comes after an option with a telling name."""
        clean, before = [], ""
        for member in value:
            follows = before.startswith("-") and "=" not in before and is_secret(before)
            clean.append(_emptied(member) if follows else self.document(member))
            before = member if isinstance(member, str) else ""
        return clean

    def _string(self, value: str) -> str:
        found = _parsed(value)
        if found is None:
            return self.text(value)
        clean = self.document(found)
        return value if clean == found else json.dumps(clean)

    def _line(self, line: str) -> str:
        """A line of a log or of a record, which may end with a document."""
        at = line.find("{")
        found = _parsed(line[at:]) if at >= 0 else None
        if found is None:
            return line
        clean = self.document(found)
        return line if clean == found else line[:at] + json.dumps(clean)

    def _text(self, text: str, depth: int = 0) -> str:
        if self._known is not None:
            text = self._known.sub(GONE, text)
        if "-----" in text:
            text = PEM_END.sub(GONE, PEM.sub(GONE, text))
        text = SCHEME.sub(rf"\1\2{GONE}", text)
        text = FORMS.sub(GONE, text)
        if "@" in text:
            text = USERINFO.sub(rf"\1{GONE}@", text)
        text = OPTION.sub(lambda m: m[1] + m[2] + GONE if is_secret(m[1]) else m[0], text)
        if "env" in text:
            text = ENVIRONMENT.sub(rf"\1{GONE}", text)
        text = without_assigned(text)
        return CODED.sub(lambda match: self._coded(match[0], depth), text)

    def _coded(self, text: str, depth: int) -> str:
        """A text that may be base64; nothing of it is left where there is a secret in what it means."""
        if depth >= _DEEPEST or _is_number(text):
            return text
        plain = re.sub(r"\\+n|\s", "", text).rstrip("=")
        for at in range(4):
            meant = _decoded(plain[at:])
            if meant and self._text(meant, depth + 1) != meant:
                return GONE
        return text


def _parsed(text: str) -> object | None:
    """The JSON object or list that the text is; None where it is none."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None


def _is_number(text: str) -> bool:
    """Whether it is hexadecimal, as IDs are."""
    return all(c in "0123456789abcdef-" for c in text)


def _decoded(text: str) -> str:
    try:
        data = base64.b64decode(text[: len(text) // 4 * 4 or None] + _rest(text), altchars=_letters(text))
    except (binascii.Error, ValueError):
        return ""
    found = data.decode("utf-8", "replace")
    return found if sum(c.isprintable() or c.isspace() for c in found) * 4 >= len(found) * 3 else ""


def _rest(text: str) -> str:
    tail = text[len(text) // 4 * 4 :]
    return tail + "=" * (4 - len(tail)) if len(tail) > 1 else ""


def _letters(text: str) -> bytes | None:
    return b"-_" if "-" in text or "_" in text else None


def _emptied(value: object) -> object:
    """Nothing of what it was; numbers and flags are as secret as text."""
    if isinstance(value, dict):
        return {key: _emptied(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_emptied(member) for member in value]
    return value if value in (None, "", False, True) else GONE


def _without_values(value: object) -> object:
    """An environment: its names."""
    if isinstance(value, list):
        return [
            {key: member if key == "name" else GONE for key, member in each.items()}
            if isinstance(each, dict)
            else str(each).partition("=")[0] + "=" + GONE
            for each in value
        ]
    return dict.fromkeys(value, GONE) if isinstance(value, dict) else _emptied(value)


def _forms(secret: str) -> set[str]:
    """How it is written in JSON, in an address, in hexadecimal, and in base64 at any place of a longer text."""
    data = secret.encode("utf-8", "surrogateescape")
    coded = {base64.b64encode(b"x" * at + data)[-(-8 * at // 6) : -4].decode() for at in range(3)}
    coded |= {one.replace("+", "-").replace("/", "_") for one in coded}
    written = {secret, json.dumps(secret)[1:-1], quote(data, safe=""), data.hex(), data.hex().upper()}
    return {form for form in written | coded if len(form) >= SHORTEST}
