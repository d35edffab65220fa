"""What annotations cost a request: modules, and time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
sys.path.append(sys.argv[1])
import cni_multus.cni.config, cni_multus.cni.names
before = set(sys.modules)
from cni_multus.selection.annotations import parse_networks
parse_networks(sys.argv[2], "shop")
print(*sorted(set(sys.modules) - before))
"""
ALWAYS = {"cni_multus.selection"} | {
    f"cni_multus.selection.{name}" for name in ("annotations", "names", "selected", "source")
}
USUAL = json.dumps(
    [
        {
            "name": "macvlan-1",
            "namespace": "shop",
            "interface": f"eth{number}",
            "ips": ["10.0.0.1/24", "fd00::1/64"],
            "mac": "02:00:00:00:00:01",
            "default-route": ["10.0.0.254"],
        }
        for number in range(3)
    ]
)


def imported(text: str) -> set[str]:
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, str(ROOT), text]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("text", ["", "n1,ns/n2@x"])
def test_shorthand_imports_nothing_of_json(text: str) -> None:
    assert imported(text) == ALWAYS


def test_json_that_is_right_imports_nothing_that_finds_places() -> None:
    assert imported(USUAL) == ALWAYS | {"cni_multus.selection.elements"}
