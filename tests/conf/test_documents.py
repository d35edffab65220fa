"""The documents against the code: what they list is what there is."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import pytest

from cni_multus import VERSION
from cni_multus.cni import errors
from cni_multus.registry import MODULES
from tests.cli.terminal import ROOT

if TYPE_CHECKING:
    from pathlib import Path

README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("conf/**/*.md"))

# Where operators' keys are read, and how.
SOURCES = [
    *ROOT.glob("plugins/*.py"),
    *(path for path in ROOT.glob("ipam/**/*.py") if path.parent.name != "cluster"),  # that reads the API's objects
    *ROOT.glob("cni_multus/bridging/*.py"),
    ROOT / "cni_multus" / "multus" / "settings.py",
    ROOT / "cni_multus" / "multus" / "kubernetes.py",
    ROOT / "cni_multus" / "multus" / "named.py",
    ROOT / "cni_multus" / "multus" / "wanted.py",
    ROOT / "cni_multus" / "network.py",
    ROOT / "cni_multus" / "masters.py",
    ROOT / "cni_multus" / "devices" / "selection.py",
    ROOT / "cni_multus" / "masquerade" / "backends.py",
]
KEY = re.compile(r'(?:config|entry|ipam|section|options)\.\w+\(\s*"(\w+)"')

# Read from a result, or names of sections of other keys.
NOT_KEYS = {"type"}


def quoted(text: str) -> set[str]:
    """Every word that stands between backquotes."""
    return {word for quote in text.split("`")[1::2] for word in re.findall(r"\w+", quote)}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_readme_has_every_key(source: Path) -> None:
    assert set(KEY.findall(source.read_text())) - NOT_KEYS <= quoted(README)


def test_the_readme_has_every_type() -> None:
    table = README.partition("## Plugins")[2].partition("###")[0]
    assert {row.split("`")[1] for row in table.splitlines() if row.startswith("| `")} == set(MODULES)


def test_the_readme_has_every_code_that_is_raised() -> None:
    table = re.findall(r"^\| (\d+) \| (\w*) ?\|", README, re.MULTILINE)
    code = "".join(
        path.read_text() for package in ("cni_multus", "plugins", "ipam") for path in (ROOT / package).rglob("*.py")
    )
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.CniError)]
    raised = {kind.__name__: kind.code for kind in classes if re.search(rf"(?:raise|return|=) {kind.__name__}\(", code)}
    del raised["ForeignFailure"]
    assert {name: int(number) for number, name in table if name} | {"CniError": 999} == raised | {"CniError": 999}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", document.read_text())
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_that_are_named_exist(document: Path) -> None:
    named = re.findall(r"`((?:cni_multus|plugins|ipam|tests|tools|conf|bench)/[\w./-]*)`", document.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_changelog_has_this_version() -> None:
    assert f"\n## [{VERSION}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_layers_are_those_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["id"] == "layers"]
    names = {name.strip(" ()").removeprefix("cni_multus.") for layer in layers for name in re.split("[|:]", layer)}
    assert names <= set(re.findall(r"\w+", (ROOT / "ARCHITECTURE.md").read_text()))
