"""What the built program consists of, said by the build itself, and the licences that come with it."""

from __future__ import annotations

import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from cni_multus import VERSION
from tools import licences, modules, sbom
from tools.build import PROGRAM, ROOT

BUNDLE = PROGRAM.parent
INTERNAL = BUNDLE / "_internal"
SCHEMAS = tuple(f"{name}.SNAPSHOT.schema.json" for name in ("bom-1.6", "spdx", "jsf-0.82"))


# What operators' packages find by name, or read, at run time: nothing but this would tell that it is missing.
FOUND_BY_NAME = {
    "jsonschema": "jsonschema_specifications/schemas/**/*",
    "netaddr": "netaddr/*/*.[ixt][dmx][xlt]",
    "pyroute2": "pyroute2/netlink/**/*.py",
    "rich": "rich/_unicode_data/*.py",
}


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    document = json.loads((BUNDLE / sbom.NAME).read_text())
    assert isinstance(document, dict)
    return document


def test_the_bill_of_materials_is_cyclonedx(bill: dict[str, Any]) -> None:
    place = files("cyclonedx.schema") / "_res"
    read = {name: json.loads((place / name).read_text()) for name in SCHEMAS}
    base = "http://cyclonedx.org/schema/"
    known: Registry[Any] = Registry().with_resources(
        (f"{base}{name}", Resource.from_contents(schema)) for name, schema in read.items()
    )
    Draft7Validator({"$ref": f"{base}{SCHEMAS[0]}"}, registry=known).validate(bill)
    assert bill["metadata"]["component"]["version"] == VERSION
    assert bill["metadata"]["component"]["hashes"][0]["content"] == hashlib.sha256(PROGRAM.read_bytes()).hexdigest()


def test_every_library_is_in_it(bill: dict[str, Any]) -> None:
    listed = {
        file["name"]: file["hashes"][0]["content"] for part in bill["components"] for file in part.get("components", ())
    }
    found = {f"_internal/{path.relative_to(INTERNAL)}" for path in INTERNAL.rglob("*.so*") if not path.is_symlink()}
    packages = {name for name in found if "/yaml/" in name or modules.OPERATORS in name}  # their package's
    assert set(listed) == found - packages
    for name, digest in listed.items():
        assert hashlib.sha256((BUNDLE / name).read_bytes()).hexdigest() == digest


def test_every_package_is_in_it_as_it_is_pinned(bill: dict[str, Any]) -> None:
    pinned = set(re.findall(r"^([a-z0-9.-]+==\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    parts = {part["name"]: part for part in bill["components"] if part["purl"].startswith("pkg:pypi/")}
    assert {"jeepney", "pyinstaller", "pyyaml"} <= set(parts)
    for name, part in parts.items():
        assert f"{name}=={part['version']}" in pinned
        assert part["externalReferences"][0]["hashes"]
    debian = {part["name"] for part in bill["components"] if part["purl"].startswith("pkg:deb/debian/")}
    assert {"libc6", "libpython3.11-stdlib", "libssl3", "zlib1g"} <= debian


def test_the_licence_of_every_part_is_there(bill: dict[str, Any]) -> None:
    place = BUNDLE / licences.DIRECTORY
    said = (place / "README").read_text()
    for part in bill["components"]:
        assert any(path.stat().st_size for path in (place / part["name"]).iterdir()), part["name"]
        assert re.search(
            rf"^{re.escape(part['name'])} .*{re.escape(part['licenses'][0]['expression'])}$", said, re.MULTILINE
        )
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in (place / "common" / "LGPL-2.1").read_text()
    assert (place / "multus" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_nothing_names_the_machine_that_built_it() -> None:
    for path in BUNDLE.rglob("*"):
        assert not path.is_file() or str(ROOT).encode() not in path.read_bytes(), path


@pytest.mark.parametrize("package", FOUND_BY_NAME)
def test_what_commands_import_is_whole(package: str) -> None:
    site = Path(jsonschema.__file__).parents[1]
    sources = "".join(path.read_text() for path in (ROOT / "cni_multus" / "cli").rglob("*.py"))
    wanted = {path.relative_to(site) for path in site.glob(FOUND_BY_NAME[package]) if path.is_file()}
    there = {path.with_suffix(".pyc") if path.suffix == ".py" else path for path in wanted if "tests" not in path.parts}
    missing = {path for path in there if not (INTERNAL / modules.OPERATORS / path).exists()}
    assert len(there) > 5
    if re.search(rf"^\s*(import|from) {package}\b", sources, re.MULTILINE):
        assert missing == set()
    else:  # it costs nothing before a command wants it
        assert missing == there
