"""The log: what level says what, where it goes, and that nothing about it costs a pod or a line."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \[(error|verbose|debug)\] \[(\S+)\] (.*)$")
POD = "blue/pod-1/u1"


def failing(node: Node, **more: object) -> dict[str, Any]:
    return node.config(node.program("one"), node.program("fabric", ADD={"status": 1}), **more)


def levels(text: str) -> set[str]:
    found = [LINE.match(line) for line in text.splitlines()]
    assert all(found), text
    assert {match[2] for match in found if match} <= {POD}
    return {match[1] for match in found if match}


@pytest.mark.parametrize(
    ("level", "told"),
    [
        ("", set()),
        ("panic", set()),
        ("error", {"error"}),
        ("ERROR", {"error"}),
        ("verbose", {"error", "verbose"}),
        ("debug", {"error", "verbose", "debug"}),
    ],
)
def test_a_level_says_what_is_at_or_above_it(
    node: Node, pod: Pod, level: str, told: set[str], capfd: pytest.CaptureFixture[str]
) -> None:
    more = {"logLevel": level} if level else {}
    node.call("ADD", failing(node, **more), pod).failed(101)
    node.program("fabric")
    node.call("ADD", failing(node, **more), pod)
    node.call("ADD", node.config(node.program("one"), **more), pod)
    node.call("DEL", node.config(**more), pod)
    assert levels(capfd.readouterr().err) == told


def test_an_unknown_level_is_told_and_changes_nothing(node: Node, pod: Pod, capfd: pytest.CaptureFixture[str]) -> None:
    node.call("ADD", node.config(node.program("one"), logLevel="chatty"), pod).succeeded()
    assert "logLevel 'chatty' is not one of panic, error, verbose, debug" in capfd.readouterr().err


def test_a_file_gets_what_standard_error_gets(
    node: Node, pod: Pod, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "logs" / "deep" / "multus.log"
    node.call("ADD", failing(node, logLevel="error", logFile=str(file)), pod).failed(101)
    assert file.read_text() == capfd.readouterr().err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_standard_error_can_be_silenced(
    node: Node, pod: Pod, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "multus.log"
    node.call("ADD", failing(node, logLevel="error", logFile=str(file), logToStderr=False), pod).failed(101)
    assert capfd.readouterr().err == ""
    assert levels(file.read_text()) == {"error"}


def test_a_message_of_many_lines_is_one_line(node: Node, pod: Pod, tmp_path: Path) -> None:
    file = tmp_path / "multus.log"
    config = node.config(
        node.program("fabric", ADD={"status": 1, "stdout": '{"code": 7, "msg": "one\\ntwo\\r\\u2028three"}'}),
        logLevel="error",
        logFile=str(file),
    )
    node.call("ADD", config, pod).failed(7)
    assert len(file.read_bytes().splitlines()) == 1
    assert "one two" in file.read_text()


@pytest.mark.parametrize("obstacle", ["directory", "symlink", "fifo", "under a file", "no space"])
def test_a_file_that_cannot_be_written_does_not_stop_a_pod(
    node: Node, pod: Pod, tmp_path: Path, obstacle: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "multus.log"
    precious = tmp_path / "precious"
    precious.write_text("precious")
    if obstacle == "directory":
        file.mkdir()
    elif obstacle == "symlink":
        file.symlink_to(precious)
    elif obstacle == "fifo":
        os.mkfifo(file)
    elif obstacle == "under a file":
        file = precious / "multus.log"
    else:
        file = tmp_path / "full"
        os.mknod(file, stat.S_IFCHR | 0o600, os.makedev(1, 7))
    config = node.config(node.bridge(), node.macvlan("red"), logLevel="verbose", logFile=str(file), logToStderr=False)
    node.call("ADD", config, pod).succeeded()
    node.call("DEL", config, pod).succeeded()
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 2, "once a request, not once a line"
    assert all(line.startswith(f"cannot write logFile {file}: ") for line in told)
    assert precious.read_text() == "precious"


def test_three_megabytes_are_rotated_where_one_is_allowed(node: Node, pod: Pod) -> None:
    """The Go Multus reads logOptions and uses none of them."""
    path = node.root / "multus.log"
    path.write_bytes(b"x" * (3 << 20))
    options = {"maxSize": 1, "maxBackups": 1, "compress": False}
    config = node.config(node.program("one"), logFile=str(path), logLevel="verbose", logOptions=options)
    node.call("ADD", config, pod).succeeded()
    assert levels(path.read_text()) == {"verbose"}
    [backup] = [each for each in node.root.iterdir() if each.name.startswith("multus.log-")]
    assert backup.stat().st_size == 3 << 20
    before = len(os.listdir("/proc/self/fd"))
    node.call("DEL", config, pod).succeeded()
    assert len(os.listdir("/proc/self/fd")) == before
