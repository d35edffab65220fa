"""The JSON schemas of `conf/schemas`: all that is wrong by them, and keys that they do not know."""

from __future__ import annotations

import json
import sys
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.lint.findings import Report
    from cni_multus.cli.lint.tree import Steps, Tree

_PASSED_OVER = ("additionalProperties", "unevaluatedProperties")
"""What the plugins pass over too, and `_unknown` tells with a suggestion."""
_COMMENTS = ("_", "#", "//", "x-", "comment")
MOST = 20


def directory() -> Path:
    """Where the schemas are: beside the sources, or in the bundle."""
    bundle = getattr(sys, "_MEIPASS", "")
    if bundle:
        return Path(bundle, "python3.11/operators/schemas")
    return Path(__file__).resolve().parents[3] / "conf" / "schemas"


@cache
def schema(name: str) -> dict[str, Any]:
    """The schema of that name; an empty one, which anything is valid by, where there is none."""
    try:
        found: dict[str, Any] = json.loads((directory() / f"{name}.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found


@cache
def validator(name: str) -> Any:
    """What validates by the schema `name`."""
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT202012

    def retrieve(uri: str) -> Any:
        return Resource.from_contents(schema(uri.removesuffix(".json")), default_specification=DRAFT202012)

    registry: Any = Registry(retrieve=retrieve)  # type: ignore[call-arg]
    return Draft202012Validator(schema(name), registry=registry)


def check_schema(report: Report, tree: Tree, name: str, skip: tuple[str, ...] = ()) -> None:
    """Tell what is wrong by the schema with the object at `tree`, and its unknown keys; members in `skip` wait."""
    own = schema(name)
    if not own or not isinstance(tree.value, dict):
        return
    value = {key: member for key, member in tree.value.items() if key.lower() not in skip}
    spelled: dict[Steps, Steps] = {}
    folded = _folded(value, own, (), (), spelled)
    for error in list(_deepest(validator(name).iter_errors(folded)))[:MOST]:
        steps = _written(tuple(error.absolute_path), spelled)
        if error.validator in _PASSED_OVER or report.is_wrong(tree, steps):
            continue
        if error.validator == "required":
            _missing(report, tree, steps, error, skip)
            continue
        rule = "bad-type" if error.validator == "type" else "bad-value"
        path = ".".join(map(str, steps)) or "it"
        report.add(rule, tree, steps, f"{path}: {error.message[:200]}", mend=_mend(error))
    _unknown(report, tree, value, own, ())


def check_keys(report: Report, tree: Tree, name: str) -> None:
    """Tell the keys of the value at `tree` that the schema does not know, and nothing else."""
    _unknown(report, tree, tree.value, schema(name), ())


def _missing(report: Report, tree: Tree, steps: Steps, error: Any, skip: tuple[str, ...]) -> None:
    key = error.message.split("'")[1]
    if not steps and key.lower() in skip:
        return
    told = ".".join(map(str, (*steps, key)))
    report.add("missing-key", tree, steps, f"{told}: it is missing", mend=f"add {key}")


def _deepest(errors: Any) -> Iterator[Any]:
    """Of alternatives that all fail, what is wrong with the one that comes closest."""
    from jsonschema.exceptions import best_match

    for error in errors:
        yield best_match([error]) if error.context else error


def _mend(error: Any) -> str:
    if error.validator == "enum":
        close = get_close_matches(str(error.instance), [str(each) for each in error.validator_value], 1)
        return f"did you mean {close[0]!r}?" if close else ""
    return str(error.schema.get("description", "")) if isinstance(error.schema, dict) else ""


def _folded(value: object, own: dict[str, Any], steps: Steps, true: Steps, spelled: dict[Steps, Steps]) -> object:
    """The value with keys as the schema spells them, and without nulls, which the plugins take for absent."""
    spelled[steps] = true
    if isinstance(value, list):
        inner = _items(own)
        return [_folded(each, inner, (*steps, at), (*true, at), spelled) for at, each in enumerate(value)]
    if not isinstance(value, dict):
        return value
    properties = _properties(own)
    names = {name.lower(): name for name in properties}
    found: dict[str, object] = {}
    for key, member in value.items():
        if member is None:
            continue
        name = str(key if key in properties else names.get(key.lower(), key))
        if name != key and name in value:
            continue
        found[name] = _folded(member, properties.get(name, {}), (*steps, name), (*true, key), spelled)
    return found


def _written(steps: Steps, spelled: dict[Steps, Steps]) -> Steps:
    for length in range(len(steps), -1, -1):
        if steps[:length] in spelled:
            return (*spelled[steps[:length]], *steps[length:])
    return steps


def _resolved(own: dict[str, Any]) -> dict[str, Any]:
    """The schema with its reference followed."""
    target = own.get("$ref")
    if not isinstance(target, str):
        return own
    file, _, pointer = target.partition("#")
    found: Any = schema(file.removesuffix(".json"))
    for part in filter(None, pointer.split("/")):
        found = found.get(part, {})
    return {**_resolved(found), **{key: value for key, value in own.items() if key != "$ref"}}


def _properties(own: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _resolved(own).get("properties", {})
    return found


def _items(own: dict[str, Any]) -> dict[str, Any]:
    found = _resolved(own).get("items", {})
    return found if isinstance(found, dict) else {}


def _unknown(report: Report, tree: Tree, value: object, own: dict[str, Any], steps: Steps) -> None:
    if isinstance(value, list):
        for at, each in enumerate(value):
            _unknown(report, tree, each, _items(own), (*steps, at))
    properties = _properties(own)
    if not isinstance(value, dict) or not properties:
        return
    names = {name.lower(): name for name in properties}
    is_open = _resolved(own).get("additionalProperties", True) is not False
    for key, member in value.items():
        name = key if key in properties else names.get(key.lower(), "")
        inner = (*steps, key)
        if not name:
            if not is_open and not key.lower().startswith(_COMMENTS):
                _report_unknown(report, tree, inner, key, list(properties))
            continue
        if name != key:
            report.add("key-case", tree, inner, f"{key}: it is documented as {name}", key=True, mend=f"write {name}")
        told = _resolved(properties[name])
        if told.get("deprecated"):
            report.add("ignored-key", tree, inner, f"{key}: {told.get('description', '')}", key=True)
        _unknown(report, tree, member, properties[name], inner)


def _report_unknown(report: Report, tree: Tree, steps: Steps, key: str, known: list[str]) -> None:
    by_case = {name.lower(): name for name in known}
    close = get_close_matches(key.lower(), by_case, 1, 0.7)
    mend = f"did you mean {by_case[close[0]]}?" if close else ""
    report.add("unknown-key", tree, steps, f"{'.'.join(map(str, steps))}: nobody reads this key", key=True, mend=mend)
