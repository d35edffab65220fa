"""What --help and the README say of the commands, against the commands."""

from __future__ import annotations

import argparse
import re
import shlex

import pytest

from cni_multus.cli.command import describe
from cni_multus.cli.ipam.group import COMMANDS, load
from cni_multus.cli.main import run
from tests.cli.terminal import ROOT

README = (ROOT / "README.md").read_text()
SECTION = README.partition("### multus ipam\n")[2].partition("\n## ")[0]
EXAMPLES = [line.partition("#")[0].strip() for line in SECTION.splitlines() if line.startswith("    multus ipam ")]
THERE = [
    name
    for name, (target, _) in COMMANDS.items()
    if (ROOT / f"cni_multus/cli/ipam/{target.partition(':')[0]}.py").exists()
]


def parser(name: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(exit_on_error=False)
    describe(made, load(COMMANDS[name][0]))
    return made


def test_help_of_the_group_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("multus", ["ipam", "--help"]) == 0
    told = capsys.readouterr().out
    assert all(name in told and summary in told for name, (_, summary) in COMMANDS.items())


@pytest.mark.parametrize("name", THERE)
def test_help_is_complete(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = load(COMMANDS[name][0])
    assert (command.name, command.summary) == (name, COMMANDS[name][1])
    assert run("multus", ["ipam", name, "--help"]) == 0
    told = capsys.readouterr().out
    for status, means in {**command.exits, 2: "the command line is wrong"}.items():
        assert f"  {status}  {means}\n" in told
    assert "examples:\n" in told
    for action in parser(name)._actions:
        assert action.help, action.option_strings
    assert max(map(len, told.splitlines())) <= 120


@pytest.mark.parametrize("name", THERE)
def test_examples_of_help_can_be_typed(name: str) -> None:
    for example in load(COMMANDS[name][0]).examples:
        assert shlex.split(example)[:3] == ["multus", "ipam", name]
        parser(name).parse_args(shlex.split(example)[3:])


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_of_the_readme_can_be_typed(example: str) -> None:
    _, _, name, *arguments = shlex.split(example)
    parser(name).parse_args(arguments)


@pytest.mark.parametrize("name", THERE)
def test_the_readme_has_every_command_with_its_exit_statuses(name: str) -> None:
    [row] = re.findall(rf"^\| `multus ipam {name}\b.*$", SECTION, re.MULTILINE)
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
    told = {status for status, cell in zip((0, 1, 3), cells[2:], strict=True) if cell}
    assert told == set(load(COMMANDS[name][0]).exits) & {0, 1, 3}


def test_the_readme_says_what_every_option_is_for() -> None:
    options = {
        option
        for name in THERE
        for action in parser(name)._actions
        for option in action.option_strings
        if option.startswith("--")
    }
    of_help_only = {"--help", "--output", "--conf-dir", "--cni-dir", "--results-dir", "--namespace", "--from", "--as"}
    missing = {option for option in options - of_help_only if option not in SECTION}
    assert missing <= {"--network-name", "--per-pool"}
