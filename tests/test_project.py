"""The project itself: what the tools say, what is packaged, and that the folders list the features."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cni_multus.registry import IPAM, MODULES, PLUGINS
from tools.build import CODE, ROOT
from tools.modules import NAME, read_index

TOOLS = Path(sys.executable).parent
CHECKED = [*CODE, "tests", "bench", "tools", "build.spec"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = {contract["id"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}

# What may import anything: it is off the request path, or (the entry) imports those that are, on demand.
NOT_LEAN = {"cni_multus.__main__", "cni_multus.cli", "cni_multus.node"}


def modules_of(package: str) -> set[str]:
    """The modules and packages directly inside a package, by their full names."""
    inside = {path for path in (ROOT / package).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    return {f"{package}.{path.stem}" for path in inside} - {f"{package}.__init__"}


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["ruff", "format", "--check", *CHECKED], id="format"),
        pytest.param(["ruff", "check", *CHECKED], id="lint"),
        pytest.param(["mypy"], id="types"),
        pytest.param(["lint-imports"], id="imports"),
    ],
)
def test_the_tools_are_content(command: list[str]) -> None:
    result = subprocess.run([TOOLS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_module_has_its_place_in_the_layers() -> None:
    placed = {name.strip(" ()") for layer in CONTRACTS["layers"]["layers"] for name in re.split("[|:]", layer)}
    assert modules_of("cni_multus") <= placed


def test_every_module_of_a_request_is_held_lean() -> None:
    assert modules_of("cni_multus") - NOT_LEAN <= set(CONTRACTS["lean"]["source_modules"])


@pytest.mark.parametrize(("kind", "target"), MODULES.items())
def test_the_registry_names_what_exists(kind: str, target: str) -> None:
    module, _, name = target.partition(":")
    found = getattr(__import__(module, fromlist=[name]), name)
    assert found.__name__ == kind.title().replace("-", "")


def test_the_folders_are_the_list_of_features() -> None:
    def registered(table: dict[str, str], package: str) -> set[str]:
        modules = (target.partition(":")[0].split(".") for target in table.values())
        return {f"{parts[0]}.{parts[1]}" for parts in modules if parts[0] == package}

    assert modules_of("plugins") == registered(PLUGINS, "plugins")
    assert modules_of("ipam") == registered(IPAM, "ipam")


def test_every_module_is_in_the_built_program() -> None:
    """What the registry names in strings, and what is imported on demand, PyInstaller cannot see by itself."""
    packed = read_index(ROOT / "dist" / "multus" / "_internal" / NAME)
    sources = (path.relative_to(ROOT) for package in CODE for path in (ROOT / package).rglob("*.py"))
    assert set(packed) == {".".join(source.with_suffix("").parts).removesuffix(".__init__") for source in sources}


def test_every_dependency_is_pinned_with_hashes() -> None:
    text = (ROOT / "requirements.txt").read_text()
    pinned = re.findall(r"^([\w.-]+)==\S+ \\\n    --hash=sha256:", text, re.MULTILINE)
    wanted = [line for line in (ROOT / "requirements.in").read_text().splitlines() if not line.startswith("#")]
    assert set(wanted) <= set(pinned)
