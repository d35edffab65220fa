"""Everything that this project ships, or is tested with, has no error; the schemas are schemas; the documents hold."""

from __future__ import annotations

import json
import re

import pytest
from jsonschema import Draft202012Validator

from cni_multus.cli.lint.api import lint
from cni_multus.cli.lint.rules import RULES
from cni_multus.cli.lint.schemas import validator
from cni_multus.cli.lint.sources import documents
from cni_multus.registry import MODULES
from tests.cli.terminal import ROOT

SCHEMAS = sorted((ROOT / "conf" / "schemas").glob("*.json"))
README = (ROOT / "README.md").read_text()
PAGE = ROOT / "docs" / "lint.md"


@pytest.mark.parametrize("folder", ["conf", "tests/cases"])
def test_what_is_shipped_has_no_error(folder: str) -> None:
    found = lint(documents([str(ROOT / folder)]))
    assert [each for each in found if each.level == "error"] == []
    assert {each.rule for each in found} <= {"name-twice", "shared-range", "template", "unknown-type", "default-route"}


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_a_schema_is_one_and_describes_its_keys(path: object) -> None:
    schema = json.loads(path.read_text())  # type: ignore[attr-defined]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    for key, member in schema.get("properties", {}).items():
        assert {"description", "$ref", "const", "type", "if"} & set(member), key


def test_every_built_in_type_has_a_schema() -> None:
    assert {path.stem for path in SCHEMAS} >= set(MODULES)


@pytest.mark.parametrize("path", sorted(ROOT.glob("conf/**/*.conf*")), ids=lambda path: path.name)
def test_an_editor_finds_nothing_in_the_examples(path: object) -> None:
    value = json.loads(path.read_text())  # type: ignore[attr-defined]
    name = "multus" if value.get("type") == "multus" else "network"
    assert [error.message for error in validator(name).iter_errors(value)] == []


def test_the_page_has_every_rule_with_its_level() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (error|warning|note) \|", PAGE.read_text(), re.MULTILINE))
    assert rows == {name: rule.level for name, rule in RULES.items()}


def test_the_transcript_is_what_is_printed(tmp_path: object) -> None:
    text = PAGE.read_text()
    (given,) = re.findall(r"```yaml\n(# networks\.yaml\n.*?)```", text, re.DOTALL)
    (said,) = re.findall(r"```console\n\$ multus lint -o wide networks\.yaml\n(.*?)```", text, re.DOTALL)
    file = tmp_path / "networks.yaml"  # type: ignore[operator]
    file.write_text(given)
    found = lint(documents([str(file)]))
    lines = [line.split(maxsplit=3)[:3] for line in said.splitlines()[1:]]
    assert lines == [[f"networks.yaml:{each.line}:{each.column}", each.level, each.rule] for each in found]
    for each in found:
        assert each.message in said
        assert each.mend in said
