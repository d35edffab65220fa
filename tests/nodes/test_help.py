"""What --help and the README say of `multus node`, against the commands."""

from __future__ import annotations

import argparse
import re
import shlex

import pytest

from cni_multus.cli.command import describe
from cni_multus.cli.main import run
from cni_multus.cli.node.group import COMMANDS, Node
from tests.nodes.kit import ROOT

README = (ROOT / "README.md").read_text()
SECTION = re.split(r"\n##+ ", README.partition("### multus node\n")[2])[0]
EXAMPLES = [line.partition("#")[0].strip() for line in SECTION.splitlines() if line.startswith("    multus node ")]


def parser(name: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(exit_on_error=False)
    describe(made, Node().load(COMMANDS[name][0]))
    return made


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_complete(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = Node().load(COMMANDS[name][0])
    assert (command.name, command.summary) == (name, COMMANDS[name][1])
    assert run("multus", ["node", name, "--help"]) == 0
    told = capsys.readouterr().out
    for status, means in {**command.exits, 2: "the command line is wrong"}.items():
        assert f"  {status}  {means}\n" in told
    for action in parser(name)._actions:
        assert action.help, action.option_strings
    assert max(map(len, told.splitlines())) <= 120


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_of_help_can_be_typed(name: str) -> None:
    for example in Node().load(COMMANDS[name][0]).examples:
        assert shlex.split(example)[:3] == ["multus", "node", name]
        parser(name).parse_args(shlex.split(example)[3:])


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_of_the_readme_can_be_typed(example: str) -> None:
    _, _, name, *arguments = shlex.split(example)
    parser(name).parse_args(arguments)


def test_the_readme_says_what_every_option_is_for() -> None:
    options = {
        option
        for name in COMMANDS
        for action in parser(name)._actions
        for option in action.option_strings
        if option.startswith("--") and option != "--help"
    }
    assert EXAMPLES
    assert [option for option in sorted(options) if option not in SECTION] == []
