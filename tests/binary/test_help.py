"""What the built program imports to explain a command: nothing heavy, whatever the command needs for its work."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.binary.test_startup import MODULE
from tools.build import PROGRAM
from tools.man import pages

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {"jsonschema", "netaddr", "pygments", "pyroute2", "referencing", "rich", "shtab", "yaml"}


@pytest.mark.parametrize("words", [page.words[1:] for page in pages()], ids=" ".join)
def test_help_imports_nothing_heavy(words: tuple[str, ...], tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    done = subprocess.run(
        ["strace", "-f", "-e", "trace=openat", "-o", str(trace), str(PROGRAM), *words, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"usage: {' '.join(('multus', *words))} ")
    opened = {part for name in MODULE.findall(trace.read_text(errors="replace")) for part in name.split("/")}
    assert "argparse" in opened, "it was not seen what is imported"
    assert opened & HEAVY == set()


def test_what_is_heavy_is_seen_where_it_is_imported(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-e", "trace=openat", "-o", str(trace), str(PROGRAM), "completion", "bash"]
    subprocess.run(command, capture_output=True, check=True)
    assert "shtab" in {part for name in MODULE.findall(trace.read_text(errors="replace")) for part in name.split("/")}
