"""Completion, asked as a shell asks for it; of the shells whose script is printed, this machine has bash alone."""

from __future__ import annotations

import subprocess

import pytest

from cni_multus.cli.completion import SHELLS
from tests.cli.terminal import Terminal

ASK = """
source /dev/stdin
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_shtab_multus
printf '%s\\n' "${COMPREPLY[@]}"
"""


def offered(script: str, *words: str) -> list[str]:
    """What bash offers for the last word."""
    asked = subprocess.run(
        ["bash", "-c", ASK, "bash", *words], input=script, capture_output=True, text=True, check=True
    )
    assert asked.stderr == ""
    return asked.stdout.split()


@pytest.mark.parametrize(
    ("words", "among"),
    [
        (["multus", "ins"], {"inspect", "install"}),
        (["multus", "ipam", "sh"], {"show"}),
        (["multus", "ipam", "show", "--eng"], {"--engine"}),
        (["multus", "ipam", "show", "--engine", "host"], {"host-local"}),
        (["multus", "node", ""], {"configure", "leave", "watch"}),
        (["multus", "completion", ""], set(SHELLS)),
    ],
)
def test_bash_offers_what_the_commands_take(node: Terminal, words: list[str], among: set[str]) -> None:
    script = node.run_as("multus", "completion", "bash").succeeded().stdout
    assert among <= set(offered(script, *words))


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_a_script_that_names_every_command(node: Terminal, shell: str) -> None:
    script = node.run_as("multus", "completion", shell).succeeded().stdout
    assert all(word in script for word in ("uninstall", "reconcile", "--take-over"))


def test_another_shell_is_refused_with_those_that_there_are(node: Terminal) -> None:
    ended = node.run_as("multus", "completion", "csh")
    assert (ended.status, ended.stdout) == (2, "")
    assert all(shell in ended.stderr for shell in SHELLS)
