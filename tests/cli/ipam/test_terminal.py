"""The commands as processes: on a terminal, into a pipe that nobody reads, without the right to read."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cni_multus.state.owners import Owner
from tests.cli.ipam.operator import Operator
from tests.cli.terminal import LAUNCHER, ROOT, seen_on_a_terminal

WITHOUT = "-dac_override,-dac_read_search"
"""What root has to do without, so that permissions count."""
COMMANDS = ["show", "leaks", "fsck", "export"]


def command(operator: Operator, *arguments: str) -> list[str]:
    code = LAUNCHER.format(root=str(ROOT))
    return [sys.executable, "-IE", "-c", code, "ipam", *arguments, *operator.places]


def on_a_terminal(operator: Operator, *arguments: str, **environment: str) -> str:
    """What a terminal gets to see."""
    return seen_on_a_terminal(command(operator, *arguments), columns=200, **environment)


def test_there_are_colours_on_a_terminal_only(operator: Operator) -> None:
    operator.lease("10.0.0.1/24", boot="0123456789abcdef")
    assert "\033[31m" in on_a_terminal(operator, "owner", "10.0.0.1")
    assert "\033[" not in on_a_terminal(operator, "owner", "10.0.0.1", NO_COLOR="1")
    assert "\033[" not in on_a_terminal(operator, "owner", "10.0.0.1", TERM="dumb")
    assert "\033[" not in on_a_terminal(operator, "owner", "10.0.0.1", "-o", "json")
    done = subprocess.run(command(operator, "owner", "10.0.0.1"), capture_output=True, text=True, check=True)
    assert "\033[" not in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_a_reader_who_leaves_early_is_no_traceback(operator: Operator, name: str) -> None:
    for number in range(20):
        operator.lease(f"10.0.0.{number + 1}/24", number=number, boot="0123456789abcdef")
    reader = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    reader.wait()
    assert reader.stdin is not None
    done = subprocess.run(command(operator, name), stdout=reader.stdin, stderr=subprocess.PIPE, text=True, check=False)
    reader.stdin.close()
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("name", [*COMMANDS, "import"])
def test_without_the_right_to_read_it_says_what_it_could_not(operator: Operator, name: str) -> None:
    operator.lease("10.0.0.1/24")
    directory = operator.reserve("10.0.0.1", Owner("abc", "eth0")).parent
    for path in (operator.data_dir / "address", operator.data_dir / "lease", directory):
        path.chmod(0)
    arguments = [name, *(["--from", "file", "--to", "host-local"] if name == "import" else [])]
    mere_mortal = ["setpriv", f"--bounding-set={WITHOUT}", f"--inh-caps={WITHOUT}"]
    line = [*mere_mortal, *command(operator, *arguments)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode in (3, 4), (done.stdout, done.stderr)
    assert "permission denied" in done.stderr
    assert all(said.startswith(f"multus ipam {name}: ") for said in done.stderr.splitlines())
