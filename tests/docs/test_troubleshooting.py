"""docs/troubleshooting.md and docs/README.md: their commands and checks are there, and all forty are told of."""

from __future__ import annotations

import ast
import re
import shlex
from typing import TYPE_CHECKING

import pytest

from cni_multus.cli.doctor.registry import CHECKS
from cni_multus.cli.main import COMMANDS, parser_of_all
from tests.cli.terminal import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DOCS = ROOT / "docs"
PAGE = (DOCS / "troubleshooting.md").read_text()
SOURCES = sorted((ROOT / "cni_multus" / "cli" / "doctor").glob("*.py"))
TYPED = sorted(
    {found for found in re.findall(r"`(multus [^`]+)`", PAGE) if found.split()[1] in COMMANDS}
    | set(re.findall(r"^    (multus .+)$", PAGE, re.MULTILINE))
)
NAMES = {f"multus {name}" for name in COMMANDS}
COMPLAINTS = set(range(1, 41))
"""Those of users of the Go Multus that the page is about."""


def rows(title: str) -> dict[int, list[str]]:
    """The rows of the table below a title, by their number."""
    [part] = [part for part in PAGE.split("\n## ") if part.startswith(title)]
    found = re.findall(r"^\| (\d+) \|(.*)\|$", part, re.MULTILINE)
    return {int(number): [cell.strip() for cell in cells.split(" | ")] for number, cells in found}


@pytest.mark.parametrize("line", [line for line in TYPED if line not in NAMES])
def test_what_it_has_people_type_is_understood(line: str) -> None:
    arguments = parser_of_all().parse_args(shlex.split(line)[1:])
    assert arguments.command in COMMANDS


@pytest.mark.parametrize("line", re.findall(r"^    (multus .+)$", (DOCS / "bundle.md").read_text(), re.MULTILINE))
def test_what_the_bundle_s_page_has_people_type_is_understood(line: str) -> None:
    arguments = parser_of_all().parse_args(shlex.split(line.partition(" >")[0])[1:])
    assert arguments.command == "support-bundle"


def test_every_command_that_is_named_is_one() -> None:
    assert {line.split()[1] for line in re.findall(r"`(multus [a-z][^`]*)`", PAGE)} <= set(COMMANDS)


def test_every_check_that_is_named_is_one() -> None:
    known = {check.id for check in CHECKS}
    assert set(re.findall(r"--only ([\w-]+)", PAGE)) <= known
    assert {word for row in rows("Known").values() for word in re.findall(r"`([\w-]+)`:", row[2])} <= known


def test_what_doctor_is_said_to_say_it_says() -> None:
    """Each example has the words of a finding of that check's, as they stand in the sources."""
    said = re.findall(r"^\| `(critical|error|warning) ([\w-]+): (.+?)` \| ([\d, ]+) \|$", PAGE, re.MULTILINE)
    assert len(said) > 10
    assert {check for _, check, _, _ in said} <= {check.id for check in CHECKS}
    told = [part for path in SOURCES for part in constants(path) if len(part.strip()) >= 6]
    assert [text for _, _, text, _ in said if not any(part in text for part in told)] == []
    assert {int(number) for *_, numbers in said for number in numbers.split(",")} <= COMPLAINTS


def constants(path: Path) -> list[str]:
    """The texts in a module, those between the braces of an f-string each by itself."""
    found = ast.walk(ast.parse(path.read_text()))
    return [node.value for node in found if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_all_complaints_are_told_of() -> None:
    told = rows("Known")
    [unseen] = [part for part in PAGE.split("\n## ") if part.startswith("What a node cannot see")]
    beyond = {int(number) for number in re.findall(r"^- (\d+):", unseen, re.MULTILINE)}
    assert set(told) | beyond == COMPLAINTS
    assert set(told) & beyond == set()
    assert set(rows("What cannot occur")) <= COMPLAINTS


def test_each_has_a_symptom_a_command_a_meaning_and_a_cure() -> None:
    for number, cells in rows("Known").items():
        assert (number, len(cells), all(cells)) == (number, 4, True)
        assert cells[1].startswith("`multus "), number


def test_the_index_names_every_page() -> None:
    linked = set(re.findall(r"\]\((\w+\.md)\)", (DOCS / "README.md").read_text()))
    assert {path.name for path in DOCS.glob("*.md")} - {"README.md"} <= linked
    told = re.findall(r"\| `multus ([\w-]+)` \|", (DOCS / "README.md").read_text())
    assert set(told) <= set(COMMANDS)
