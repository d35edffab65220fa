"""`multus lint` as a process: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from cni_multus.cli.lint.rules import RULES
from tests.cli.terminal import ROOT

if TYPE_CHECKING:
    from pathlib import Path

GOOD = '{"cniVersion": "1.0.0", "name": "n", "type": "loopback"}'
WARNED = '{"cniVersion": "1.0.0", "name": "n", "type": "macvlan", "mater": "eth0"}'
BAD = '{"cniVersion": "1.0.0", "name": "n", "type": "macvlan", "mtu": "x"}'
MULTUS = [sys.executable, "-m", "cni_multus", "lint"]


def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([*MULTUS, *arguments], cwd=ROOT, input=given, capture_output=True, text=True, check=False)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for name, text in (
        ("good.conf", GOOD),
        ("sub/bad.conf", BAD.replace('"n"', '"m"')),
        ("notes.txt", "{"),
        ("sub/x.yaml", "a: b\n"),
    ):
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "options", "status"),
    [(GOOD, [], 0), (WARNED, [], 0), (WARNED, ["--strict"], 1), (BAD, [], 1), ("{", [], 1), (GOOD, ["--strict"], 0)],
)
def test_the_exit_status_tells_what_was_found(text: str, options: list[str], status: int) -> None:
    done = run("-", *options, given=text)
    assert (done.returncode, done.stderr) == (status, "")
    assert done.stdout


def test_a_directory_is_searched_for_what_it_knows(directory: Path) -> None:
    done = run(str(directory), "-o", "json")
    findings = json.loads(done.stdout)["findings"]
    assert done.returncode == 1
    assert [(each["file"], each["line"], each["rule"]) for each in findings] == [
        (str(directory / "sub/bad.conf"), 1, "bad-type")
    ]


def test_what_is_not_there_is_a_finding(tmp_path: Path) -> None:
    done = run(str(tmp_path / "none.yaml"))
    assert (done.returncode, done.stderr) == (1, "")
    assert "unreadable" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["-o", "xml", "-"], ["--nonsense", "-"]])
def test_a_wrong_command_line_exits_with_2(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")


def test_json_and_yaml_say_the_same() -> None:
    said = [run("-", "-o", form, given=BAD).stdout for form in ("json", "yaml")]
    assert json.loads(said[0]) == yaml.safe_load(said[1])


def test_wide_says_how_it_is_mended() -> None:
    assert "did you mean master?" in run("-", "-o", "wide", given=WARNED).stdout
    assert "did you mean" not in run("-", given=WARNED).stdout


def test_sarif_has_every_rule_and_place(directory: Path) -> None:
    log = json.loads(run(str(directory), "-o", "sarif").stdout)
    assert (log["version"], list(log)) == ("2.1.0", ["$schema", "version", "runs"])
    (sole,) = log["runs"]
    rules = sole["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(RULES)
    assert {rule["defaultConfiguration"]["level"] for rule in rules} == {"error", "warning", "note"}
    (result,) = sole["results"]
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "bad-type"
    (place,) = result["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"].endswith("/sub/bad.conf")
    assert place["physicalLocation"]["region"] == {"startLine": 1, "startColumn": 64}


def on_a_terminal(**environment: str) -> str:
    """What a terminal of 80 columns shows."""
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w"):
        inherited = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        subprocess.run(
            [*MULTUS, "-"],
            cwd=ROOT,
            input=BAD.encode(),
            stdout=follower,
            check=False,
            env={**inherited, "TERM": "xterm", "COLUMNS": "80", **environment},
        )
    shown = b""
    try:
        while chunk := os.read(leader, 4096):
            shown += chunk
    except OSError:  # the terminal's other end is closed
        pass
    os.close(leader)
    return shown.decode()


def test_a_terminal_has_colours_and_columns() -> None:
    shown = on_a_terminal()
    assert "\033[31m" in shown
    assert "bad-type" in shown


def test_no_color_is_obeyed() -> None:
    assert "\033[3" not in on_a_terminal(NO_COLOR="1")


def test_help_needs_no_schema() -> None:
    code = (
        "import sys; from cni_multus.cli.main import run; status = run('multus', ['lint', '--help']);"
        "sys.exit(status or any(each in sys.modules for each in ('jsonschema', 'yaml', 'rich', 'referencing')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "sarif" in done.stdout
