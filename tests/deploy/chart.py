"""The part of Helm's template language that conf/chart uses, for where there is no helm: an unknown word is an error.

Actions: if, else, with, range, define, end; pipes, brackets, the functions below. As text/template: `-` trims, `.` is
what `with` and `range` chose, `$` names are variables, empty values are false.
"""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TAG = re.compile(r"\{\{(- )?\s*(/\*.*?\*/|.*?)\s*( -)?\}\}", re.DOTALL)
WORD = re.compile(r'\(|\)|\||"(?:[^"\\]|\\.)*"|[^\s()|]+')

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "default": lambda other, value: value or other,
    "dir": posixpath.dirname,
    "ne": lambda one, other: one != other,
    "nindent": lambda width, text: "".join(f"\n{' ' * width}{line}" for line in text.splitlines()),
    "printf": lambda form, *values: form % values,
    "quote": json.dumps,
    "toJson": lambda value: json.dumps(value, sort_keys=True, separators=(",", ":")),
    "toYaml": lambda value: yaml.safe_dump(value, default_flow_style=False).rstrip("\n"),
}

Node = tuple[str, str, list[Any], list[Any]]
"""The action, its expression, what is inside, and what is inside its `else`."""


def rendered(directory: Path, values: dict[str, Any], namespace: str = "kube-system") -> str:
    """What `helm template` prints of a chart, with these values over its own."""
    chart = yaml.safe_load((directory / "Chart.yaml").read_text())
    known = yaml.safe_load((directory / "values.yaml").read_text())
    if unknown := values.keys() - known.keys():
        raise KeyError(f"no values of this chart: {unknown}")
    scope = {
        "Values": _merged(known, values),
        "Release": {"Namespace": namespace},
        "Chart": {"AppVersion": str(chart["appVersion"])},
    }
    template = Template()
    for path in sorted((directory / "templates").glob("*.tpl")):
        template.render(path.read_text(), scope)
    return "\n---\n".join(
        template.render(path.read_text(), scope) for path in sorted((directory / "templates").glob("*.yaml"))
    )


class Template:
    """Named templates, and what is made of text."""

    def __init__(self) -> None:
        self._defined: dict[str, list[Any]] = {}

    def render(self, text: str, scope: Any) -> str:
        nodes, ended = _parse(_tokens(text))
        if ended:
            raise SyntaxError(f"a {ended!r} too many")
        return self._made(nodes, scope, {"$": scope})

    def _made(self, nodes: list[Any], dot: Any, names: dict[str, Any]) -> str:
        return "".join(node if isinstance(node, str) else self._action(node, dot, names) for node in nodes)

    def _action(self, node: Node, dot: Any, names: dict[str, Any]) -> str:
        kind, expression, inside, other = node
        if kind == "define":
            self._defined[json.loads(expression)] = inside
            return ""
        if kind == "range":
            variables, _, source = expression.partition(":=")
            key, value = (name.strip() for name in variables.split(","))
            pairs = sorted(self._value(source, dot, names).items())
            return "".join(self._made(inside, one[1], {**names, key: one[0], value: one[1]}) for one in pairs)
        found = self._value(expression, dot, names)
        if kind == "with":
            return self._made(inside, found, names) if found else self._made(other, dot, names)
        if kind == "if":
            return self._made(inside if found else other, dot, names)
        return json.dumps(found) if isinstance(found, bool) else str(found)

    def _value(self, expression: str, dot: Any, names: dict[str, Any]) -> Any:
        words = WORD.findall(expression)
        found = self._pipe(words, dot, names)
        if words:
            raise SyntaxError(f"{expression!r}: not understood at {words[0]!r}")
        return found

    def _pipe(self, words: list[str], dot: Any, names: dict[str, Any]) -> Any:
        found = self._call(words, dot, names, [])
        while words and words[0] == "|":
            words.pop(0)
            found = self._call(words, dot, names, [found])
        return found

    def _call(self, words: list[str], dot: Any, names: dict[str, Any], last: list[Any]) -> Any:
        called = words[0] if words[0] in FUNCTIONS or words[0] in {"include", "not"} else ""
        if called:
            words.pop(0)
        arguments = []
        while words and words[0] not in {"|", ")"}:
            arguments.append(self._operand(words, dot, names))
        if called == "include":
            return self._made(self._defined[arguments[0]], arguments[1], {"$": arguments[1]})
        if called == "not":
            return not arguments[0]
        if called:
            return FUNCTIONS[called](*arguments, *last)
        [found] = arguments
        return found

    def _operand(self, words: list[str], dot: Any, names: dict[str, Any]) -> Any:
        word = words.pop(0)
        if word == "(":
            found = self._pipe(words, dot, names)
            words.pop(0)
            return found
        if word.startswith('"') or word.isdecimal():
            return json.loads(word)
        start, *path = word.split(".")
        found = names[start] if start else dot
        for name in path:
            found = found[name] if name else found
        return found


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at, trimmed = 0, False
    for tag in TAG.finditer(text):
        between = text[at : tag.start()]
        between = between.lstrip() if trimmed else between
        left, action, right = tag.groups()
        yield "text", between.rstrip() if left else between
        yield "action", action
        at, trimmed = tag.end(), bool(right)
    yield "text", text[at:].lstrip() if trimmed else text[at:]


def _parse(tokens: Iterator[tuple[str, str]]) -> tuple[list[Any], str]:
    """Nodes until an `end` or an `else`, and which of them it was."""
    nodes: list[Any] = []
    for kind, content in tokens:
        if kind == "text":
            nodes.append(content)
            continue
        word, _, rest = content.partition(" ")
        if word in {"end", "else"}:
            return nodes, word
        if word in {"if", "with", "range", "define"}:
            inside, ended = _parse(tokens)
            other, ended = _parse(tokens) if ended == "else" else ([], ended)
            if ended != "end":
                raise SyntaxError(f"no end of {content!r}")
            nodes.append((word, rest, inside, other))
        elif not content.startswith("/*"):
            nodes.append(("value", content, [], []))
    return nodes, ""


def _merged(known: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _merged(value, values[key])
        if isinstance(value, dict) and value and isinstance(values.get(key), dict)
        else values.get(key, value)
        for key, value in known.items()
    }
