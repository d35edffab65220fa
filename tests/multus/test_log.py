"""The log: what level says what, where it goes, and that nothing about it costs a pod or a line."""

from __future__ import annotations

import json
import os
import re
import stat
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.state.journal import Journal
from cni_multus.state.lock import Lock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \[(error|info|verbose|debug)\] \[(\S+)\] (.*)$")
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
        ("", {"error"}),
        ("panic", set()),
        ("error", {"error"}),
        ("ERROR", {"error"}),
        ("info", {"error", "info"}),
        ("verbose", {"error", "info", "verbose"}),
        ("debug", {"error", "info", "verbose", "debug"}),
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
    assert "logLevel 'chatty' is not one of panic, error, info, verbose, debug" in capfd.readouterr().err


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
    assert levels(path.read_text()) == {"info", "verbose"}
    [backup] = [each for each in node.root.iterdir() if each.name.startswith("multus.log-")]
    assert backup.stat().st_size == 3 << 20
    before = len(os.listdir("/proc/self/fd"))
    node.call("DEL", config, pod).succeeded()
    assert len(os.listdir("/proc/self/fd")) == before


# The line that sums a request up.

SUMMARY = re.compile(r"^(ADD|DEL|CHECK|STATUS|GC) (ok|failed) in [\d.]+ ms( \([^)]*\))?(.*)$")


def summaries(path: Path, level: str = "") -> list[tuple[str, str, str]]:
    """The verb, the outcome and the rest of every summary, of one level where that is given."""
    lines = [LINE.match(line) for line in path.read_text().splitlines()] if path.exists() else []
    found = [(line[1], SUMMARY.match(line[3])) for line in lines if line]
    return [(match[1], match[2], match[4]) for of, match in found if match and level in ("", of)]


def documents(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def with_file(node: Node, *delegates: object, **more: object) -> tuple[Path, dict[str, Any]]:
    path = node.root / "multus.log"
    return path, node.config(*delegates, logFile=str(path), **more)


def test_a_file_has_one_line_for_every_request_though_no_level_is_given(
    node: Node, pod: Pod, capfd: pytest.CaptureFixture[str]
) -> None:
    path, config = with_file(node, node.bridge(), node.macvlan("red", "10.2.0.0/24"))
    for verb in ("ADD", "CHECK", "DEL", "DEL"):
        node.call(verb, config, pod).succeeded()
    node.call("GC", {**config, "cni.dev/valid-attachments": []}).succeeded()
    addresses = ", container pod-1, eth0 primary 10.1.0.2/24, net1 red 10.2.0.2/24"
    assert summaries(path, "info") == [
        ("ADD", "ok", addresses),
        ("CHECK", "ok", addresses),
        ("DEL", "ok", addresses),
        ("DEL", "ok", ", container pod-1"),
        ("GC", "ok", ""),
    ]
    assert len(path.read_text().splitlines()) == 5
    assert capfd.readouterr().err == "", "the runtime's journal is for what failed"


def test_a_failure_is_told_once_with_its_code_and_the_networks_that_were_planned(
    node: Node, pod: Pod, capfd: pytest.CaptureFixture[str]
) -> None:
    path = node.root / "multus.log"
    message = node.call("ADD", failing(node, logFile=str(path)), pod).failed(101)
    assert summaries(path) == [
        ("ADD", "failed", f", container pod-1, eth0 net-one, net1 net-fabric: code 101: {message}")
    ]
    assert len(path.read_text().splitlines()) == 1
    assert capfd.readouterr().err == path.read_text()


def test_every_interface_has_its_milliseconds(node: Node, pod: Pod) -> None:
    path, config = with_file(node, node.bridge(), node.macvlan("red"))
    for verb in ("ADD", "DEL"):
        node.call(verb, config, pod).succeeded()
    for line in path.read_text().splitlines():
        assert re.search(r" \((waiting \S+, )?ipam [\d.]+, eth0=[\d.]+, net1=[\d.]+\), ", line)


def test_programs_are_accounted_for(node: Node, pod: Pod) -> None:
    path, config = with_file(node, node.program("slow", ADD={"sleep": 0.2, "stdout": "{}"}), logFormat="json")
    node.call("ADD", config, pod).succeeded()
    [line] = documents(path)
    assert 200 <= line["programsMs"] <= line["ms"]


def test_programs_that_run_side_by_side_are_added_up(node: Node, pod: Pod) -> None:
    slow = [node.program(f"slow{number}", ADD={"sleep": 0.2, "stdout": "{}"}) for number in range(3)]
    log = node.root / "multus.log"
    config = node.config(*slow, logFile=str(log), logFormat="json")
    node.call("ADD", config, pod).succeeded()
    [line] = [json.loads(text) for text in log.read_text().splitlines()]
    assert line["programsMs"] >= 600


def test_waiting_for_another_request_is_accounted_for(node: Node, pod: Pod) -> None:
    path, config = with_file(node, node.program("one"), logFormat="json")
    journal = Journal(str(node.cni_dir))
    journal.make()
    lock = Lock(journal.path(pod.container_id, "eth0"), "test").__enter__()
    timer = threading.Timer(0.3, lock.__exit__, (None, None, None))
    timer.start()
    node.call("ADD", config, pod).succeeded()
    timer.join()
    [line] = documents(path)
    assert 100 <= line["waitingMs"] <= line["ms"]


def test_lines_of_json_have_everything_under_its_name(node: Node, pod: Pod) -> None:
    path, config = with_file(node, node.bridge(), node.macvlan("red"), logFormat="json", logLevel="verbose")
    node.call("ADD", config, pod).succeeded()
    *chatter, line = documents(path)
    assert all(set(one) == {"time", "level", "pod", "message"} for one in chatter)
    assert {"verbose"} == {one["level"] for one in chatter}
    took = [network.pop("ms") for network in line["networks"]]
    assert 0 < sum(took) <= line["ms"]
    assert 0 < line.pop("ipamMs") < line.pop("ms")
    assert time.strptime(line.pop("time"), "%Y-%m-%dT%H:%M:%SZ")
    assert line == {
        "level": "info",
        "pod": POD,
        "verb": "ADD",
        "container": "pod-1",
        "networks": [
            {"name": "primary", "interface": "eth0", "ips": ["10.1.0.2/24"]},
            {"name": "red", "interface": "net1", "ips": []},
        ],
        "outcome": "ok",
    }


def test_a_failure_in_json_has_code_and_message(node: Node, pod: Pod) -> None:
    path = node.root / "multus.log"
    message = node.call("ADD", failing(node, logFile=str(path), logFormat="JSON"), pod).failed(101)
    [line] = documents(path)
    assert (line["level"], line["outcome"], line["code"], line["message"]) == ("error", "failed", 101, message)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        pytest.param({"cniDir": "relative"}, 7, id="before-the-plan"),
        pytest.param({"logLevel": 5}, 6, id="about-the-log"),
        pytest.param({"logOptions": {"maxSize": "big"}}, 6, id="about-its-file"),
        pytest.param({"cniVersion": "9.9.9"}, 1, id="before-the-verb"),
        pytest.param({"prevResult": 5}, 6, id="of-the-runtime"),
        pytest.param({"delegates": []}, 7, id="in-the-plan"),
    ],
)
def test_what_fails_before_there_is_a_plan_has_its_line_too(
    node: Node, pod: Pod, wrong: dict[str, object], code: int
) -> None:
    path, config = with_file(node, node.program("one"))
    message = node.call("ADD", {**config, **wrong}, pod).failed(code)
    assert summaries(path) == [("ADD", "failed", f", container pod-1: code {code}: {message}")]


def test_a_record_that_cannot_be_read_has_its_line_too(node: Node, pod: Pod) -> None:
    path, config = with_file(node, node.program("one"))
    node.record_file(pod).mkdir(parents=True)
    answer = node.call("ADD", config, pod)
    assert answer.status == 1
    [(verb, outcome, rest)] = summaries(path)
    assert (verb, outcome) == ("ADD", "failed")
    assert rest.endswith(f": code {answer.document['code']}: {answer.document['msg']}")


def test_a_status_that_is_well_is_for_debug_only(node: Node, capfd: pytest.CaptureFixture[str]) -> None:
    """A runtime asks every few seconds."""
    path, config = with_file(node, node.bridge(), logLevel="verbose")
    node.call("STATUS", config).succeeded()
    assert not path.exists()
    node.call("STATUS", {**config, "logLevel": "debug"}).succeeded()
    assert summaries(path) == [("STATUS", "ok", "")]
    node.call("STATUS", {**config, "readinessindicatorfile": "/nowhere/at-all"}).failed(50)
    assert summaries(path)[1][:2] == ("STATUS", "failed")


def test_panic_is_silence_as_it_always_was(node: Node, pod: Pod, capfd: pytest.CaptureFixture[str]) -> None:
    path = node.root / "multus.log"
    node.call("ADD", failing(node, logFile=str(path), logLevel="panic"), pod).failed(101)
    assert not path.exists()
    assert capfd.readouterr().err == ""


def test_nothing_of_the_configuration_gets_into_the_log(node: Node, pod: Pod) -> None:
    delegate = {**node.program("one"), "token": "precious", "args": {"cni": {"password": "precious"}}}
    path, config = with_file(node, delegate, logLevel="debug")
    for verb in ("ADD", "CHECK", "DEL"):
        node.call(verb, config, pod).succeeded()
    assert "precious" not in path.read_text()
    assert len(summaries(path)) == 3


def test_what_a_terminal_would_act_on_is_not_written(node: Node, pod: Pod) -> None:
    path, config = with_file(
        node, node.program("evil", ADD={"status": 1, "stdout": '{"code": 7, "msg": "\\u001b[2Jgone"}'})
    )
    node.call("ADD", config, pod).failed(7)
    assert "?[2Jgone" in path.read_text()
    assert path.read_text().rstrip("\n").isprintable()


def test_an_unknown_format_is_told_and_is_text(node: Node, pod: Pod) -> None:
    path, config = with_file(node, node.program("one"), logFormat="xml")
    node.call("ADD", config, pod).succeeded()
    told, _ = path.read_text().splitlines()
    assert told.endswith("logFormat 'xml' is not one of text, json")
    assert len(summaries(path)) == 1
