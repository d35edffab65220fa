"""Values that stand behind a telling name in text that is no document: logs, broken files, what programs print."""

from __future__ import annotations

import re

from cni_multus.cli.bundle.words import GONE, WORDS, is_secret

_KEY = re.compile(rf"(?:{'|'.join(WORDS[:-1])}|api[-_.]?key|\bpass|\bauth|key)[\w.-]{{0,40}}", re.IGNORECASE)
_BETWEEN = re.compile(r"\\*[\"']?[ \t]*(?:[:=]+>?|\bis\b)\s*|[ \t]+(?=\\*[\"'])")
_QUOTED = re.compile(r"(\\*[\"'])(.*?)(?:(?<!\\)\1|\Z)", re.DOTALL)
_GROUPED = re.compile(r"\[[^\]]*\]?|\{[^}]*\}?")
_BARE = re.compile(r"[^\s,;&)\]}\"']+")
_PREFIX = re.compile(r"[\w./-]*\Z")
_INDENTED = re.compile(r"([ \t]*(?:- +)?)[\"']?[\w./-]*\Z")
_REACH = 80
"""Characters before a word that may belong to its key."""


def without_assigned(text: str) -> str:
    """The text; of `password: x`, `"token":"x"`, `psk = x` and the like the values are gone."""
    low = text.lower()
    if not any(word in low for word in (*WORDS, "pass", "auth")):
        return text
    parts, done, at = [], 0, 0
    while (key := _KEY.search(text, at)) is not None:
        between = _BETWEEN.match(text, key.end())
        if between is None or not is_secret(_whole(text, key)):
            at = key.end()
            continue
        begin = between.end()
        end = _value_end(text, key.start(), begin, between[0])
        at = max(end, key.end())
        if end > begin:
            parts += [text[done:begin], _left(text[begin:end])]
            done = end
    return "".join(parts) + text[done:]


def _whole(text: str, key: re.Match[str]) -> str:
    """The key with what stands before the word."""
    before = _PREFIX.search(text, max(0, key.start() - _REACH), key.start())
    return (before[0] if before else "") + key[0]


def _value_end(text: str, key: int, begin: int, between: str) -> int:
    """Where the value ends that begins there."""
    if text.startswith(GONE, begin):
        return begin
    line = text.rfind("\n", 0, key) + 1
    indent = _INDENTED.match(text, line, key)
    if indent and indent.end() == key and ":" in between and not between.endswith(":"):
        return _yaml_end(text, begin, len(indent[1]), crossed="\n" in between)
    for form in (_QUOTED, _GROUPED, _BARE):
        if found := form.match(text, begin):
            return found.end()
    return begin


def _yaml_end(text: str, begin: int, indent: int, *, crossed: bool) -> int:
    """Of YAML: to the end of the line, and the lines below that are further in."""
    quoted = _QUOTED.match(text, begin)
    if quoted:
        return quoted.end()
    if crossed and begin - (text.rfind("\n", 0, begin) + 1) <= indent:
        return begin  # nothing was assigned: what follows is another key
    end = _line_end(text, begin)
    while end < len(text):
        after = _line_end(text, end + 1)
        line = text[end + 1 : after]
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        end = after
    return end


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _left(value: str) -> str:
    """What stands there instead, quoted as the value was."""
    quoted = _QUOTED.match(value)
    return f"{quoted[1]}{GONE}{quoted[1]}" if quoted else GONE
