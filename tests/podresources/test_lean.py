"""A pod without devices pays for none of this, one with devices for a few milliseconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = str(Path(__file__).parents[2])
HEAVY = {"typing", "socket", "enum", "re", "json", "collections", "functools", "contextlib", "dataclasses", "hashlib"}


def imported(code: str) -> set[str]:
    """What a bare interpreter has imported after this code."""
    script = f"import sys; sys.path.insert(0, {ROOT!r}); {code}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-I", "-S", "-c", script], check=True, capture_output=True, text=True)
    return set(run.stdout.split())


def test_the_ledger_asks_and_imports_nothing_before_it_is_needed() -> None:
    found = imported("from cni_multus.podresources.devices import Devices; Devices('a', 'b', 'c').claim('x', 'y')")
    assert {name for name in found if "podresources" in name} == {
        "cni_multus.podresources",
        "cni_multus.podresources.devices",
    }
    assert "_socket" not in found


def test_asking_imports_nothing_heavy() -> None:
    found = imported(
        "from cni_multus import deviceinfo; from cni_multus.podresources import kubelet, checkpoint; "
        "kubelet.ask('/nowhere', 'a', 'b'); checkpoint.read('/nowhere', 'c')"
    )
    assert not found & HEAVY
