"""The command as a process: on a terminal, and how little it imports to be asked for help."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.cli.doctor.illnesses.illness import on_the_node
from tests.cli.terminal import LAUNCHER, ROOT, seen_on_a_terminal

if TYPE_CHECKING:
    from tests.cli.doctor.conftest import Ward


def on_a_terminal(node: Ward, *arguments: str, columns: int = 200, **environment: str) -> str:
    """What a terminal of that width gets to see."""
    command = ["nsenter", f"--net={node.host.path}", *node.command("multus"), "doctor", *arguments, *node.places]
    return seen_on_a_terminal(command, columns=columns, **environment)


def test_what_is_severe_is_red_and_fits(ill: Ward) -> None:
    on_the_node(ill, "ip link set up0 down")
    only = ("--only", "master-down")
    assert on_a_terminal(ill, *only).startswith("\033[31merror\033[0m \033[1mmaster-down\033[0m: link up0 is down")
    plain = on_a_terminal(ill, *only, NO_COLOR="1")
    assert plain.startswith("error master-down: link up0 is down")
    narrow = on_a_terminal(ill, *only, columns=50, NO_COLOR="1")
    assert "\033" not in narrow
    assert max(map(len, narrow.splitlines())) <= 50
    assert narrow.split() == plain.split()


def test_help_imports_nothing_heavy() -> None:
    code = LAUNCHER.format(root=str(ROOT))
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code, "doctor", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "mend what can be mended safely" in told.stdout
    imported = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}
    assert not {"rich", "pyroute2", "jsonschema", "netaddr", "yaml", "cni_multus.cli.doctor.registry"} & imported
