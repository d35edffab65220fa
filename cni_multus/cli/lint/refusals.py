"""A plugin's refusal made a finding: its rule by what the message says, its place by the JSON path that leads it."""

from __future__ import annotations

import re
from copy import deepcopy
from difflib import get_close_matches
from typing import TYPE_CHECKING

from cni_multus.cli.lint.parsers import MOST

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cli.lint.findings import Report
    from cni_multus.cli.lint.tree import Steps, Tree
    from cni_multus.cni.errors import CniError

_RULES = (
    (r"no address \(nor in CNI_ARGS", "no-addresses"),  # a pod may ask for its own
    (r"is missing|needs it$|must also be set|must be given too|no addresses to give|nothing says which", "missing-key"),
    (r"overlaps", "range-overlap"),
    (r"nothing is left|no address but gateways", "range-empty"),
    (r"(?i)range_?(start|end|set)?\S*: \S+ is not in |range_?(start|end): .*(is after|comes before)", "range-outside"),
    (r"cannot name (a link|an interface|a VRF)|its gateway would be called", "interface-name"),
    (r"is not a network name|characters long", "bad-name"),
    (r"keys and values|plugins, more than", "too-much"),
    (r"is not for a definition of the API", "foreign-path"),
    (r"delegate of itself", "recursion"),
)
_BY_CODE = {1: "bad-version", 2: "unsupported", 6: "bad-type"}


def rule_of(error: CniError) -> str:
    """The rule that an error falls under."""
    if error.code in (1, 2):
        return _BY_CODE[error.code]
    if "cniVersion" in error.message and error.code == 6:
        return "bad-version"
    for pattern, rule in _RULES:
        if re.search(pattern, error.message) and (error.code != 6 or rule == "missing-key"):
            return rule
    return _BY_CODE.get(error.code, "bad-value")


def path_of(error: CniError, tree: Tree) -> Steps | None:
    """Where the value stands that an error's message begins with; None where it names nothing that is there."""
    found = re.match(r"^((?:[^:\s\[]|\[\d+\])+(?:\.[^:\s]+)?)", error.message)
    return tree.resolve(found[1].rstrip(":")) if found else None


def around(error: CniError, tree: Tree) -> Steps:
    """The same, else of what is around it."""
    found = re.match(r"^([^\s:]+)", error.message)
    path = found[1] if found else ""
    while path:
        steps = tree.resolve(path)
        if steps is not None:
            return steps
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return ()


def report_all(report: Report, tree: Tree, document: dict[str, object], refuse: Callable[..., CniError | None]) -> None:
    """Every refusal of `document`, which stands at `tree`: the first, and those that remain without its value."""
    left = deepcopy(document)
    for count in range(MOST):
        error = refuse(left)
        if error is None:
            return
        rule = rule_of(error)
        steps = path_of(error, tree)
        if count and (not steps or rule == "missing-key"):
            return  # it follows from what was taken out
        if not (count and report.is_wrong(tree, steps or ())):
            place = around(error, tree) if steps is None else steps
            report.add(rule, tree, place, error.message, mend=_closest(error.message))
        if not steps or not _remove(left, steps):
            return


def _closest(message: str) -> str:
    """What was meant, where a message names all that could be."""
    found = re.search(r"'([^']+)' is (?:not one of|none of|neither) (.+)$", message)
    known = re.split(r", | nor ", found[2].replace("'", "")) if found else []
    close = get_close_matches(found[1], known, 1) if found else []
    return f"did you mean {close[0]}?" if close else ""


def _remove(document: object, steps: Steps) -> bool:
    for step in steps[:-1]:
        try:
            document = document[step]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return False
    last = steps[-1]
    if isinstance(document, dict) and isinstance(last, str) and last in document:
        del document[last]
        return True
    return False
