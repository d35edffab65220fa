"""The command as a process: on a terminal, and how much it costs to ask it for help."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.cli.inspect.conftest import shell
from tests.cli.inspect.networks import primary, red
from tests.cli.terminal import LAUNCHER, ROOT, seen_on_a_terminal

if TYPE_CHECKING:
    from tests.cli.inspect.conftest import Inspected


def on_a_terminal(node: Inspected, *arguments: str, columns: int = 200, **environment: str) -> str:
    """What a terminal of that width gets to see."""
    command = ["nsenter", f"--net={node.host.path}", *node.command("multus"), "inspect", *arguments, *node.places]
    return seen_on_a_terminal(command, columns=columns, **environment)


def test_differences_are_red_and_what_is_right_is_green(node: Inspected) -> None:
    pod = node.attach("web-0", primary(node), red(node))
    shell(pod.netns, "ip link set net1 down")
    seen = on_a_terminal(node, "web-0")
    assert "\033[32mas recorded" in seen
    assert re.search(r"\033\[31mdiffers \(\d\)", seen)
    plain = on_a_terminal(node, "web-0", NO_COLOR="1")
    assert "\033" not in plain
    narrow = on_a_terminal(node, "web-0", columns=60, NO_COLOR="1")
    assert max(map(len, narrow.splitlines())) <= 60
    assert "".join(narrow.split()) != "".join(plain.split())


def test_help_imports_nothing_heavy() -> None:
    code = LAUNCHER.format(root=str(ROOT))
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code, "inspect", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "NAMESPACE/NAME or UID of a pod" in told.stdout
    imported = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}
    assert not {"rich", "pyroute2", "jsonschema", "netaddr", "yaml", "cni_multus.cli.inspect.gather"} & imported
