"""`multus history`: which requests it shows, and what it makes of their times."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cli.command import FAILED as FAILURE
from cni_multus.cli.command import FOUND
from cni_multus.cli.history.command import History
from cni_multus.cli.history.figures import percentile
from cni_multus.cli.main import run
from tests.cli.history.conftest import ADDED, CHATTER, COLLECTED, DELETED, DOCUMENT, FAILED
from tests.cli.terminal import LAUNCHER, ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.history.conftest import Past
    from tests.node import Node, Pod


def verbs(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [("/".join(one["pod"].split("/")[:2]), one["verb"]) for one in document["requests"]]


PAGE = ROOT / "docs" / "history.md"
ALL = [("shop/web-0", "ADD"), ("shop/web-1", "ADD"), ("shop/web-0", "DEL"), ("shop/db-0", "ADD"), ("", "GC")]


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("", ALL),
        ("-n 2", ALL[-2:]),
        ("-n 0", ALL),
        ("--pod web-0", [ALL[0], ALL[2]]),
        ("--pod shop/web-1", [ALL[1]]),
        ("--pod 91ff", [ALL[3]]),
        ("--pod 3fa9c1d2e4b5aaaaaa", [ALL[0], ALL[2]]),
        ("--pod 3fa9", [ALL[0], ALL[2]]),
        (f"--pod {DOCUMENT['container']}", [ALL[3]]),
        ("--failed", [ALL[1]]),
        ("--verb del", [ALL[2]]),
        ("--slow 200", [ALL[1], ALL[3]]),
        ("--since 2026-02-03T04:06:00Z", ALL[2:]),
        ("--since 2026-02-03T04:06:00Z --verb ADD", [ALL[3]]),
    ],
)
def test_those_are_shown_that_are_asked_for(past: Past, typed: str, shown: list[tuple[str, str]]) -> None:
    past.write(ADDED, CHATTER, FAILED, DELETED, DOCUMENT, COLLECTED)
    ended = past.history(*typed.split(), "-o", "json").succeeded()
    assert verbs(ended.document) == shown


def test_nothing_that_is_like_that_is_said_to_be_nothing(past: Past) -> None:
    past.write(ADDED)
    ended = past.history("--pod", "nobody")
    assert (ended.status, ended.stdout) == (FOUND, "no request is like that\n")


def test_text_and_json_say_the_same(past: Past) -> None:
    past.write(FAILED, DOCUMENT)
    text, document = past.document()["requests"]
    assert text["code"] == 11
    assert text["message"] == "no answer: code 7: from the API server"
    assert text["parts"] == {"api": 3000.1, "own": 8.1}
    assert text["slowest"] == "api"
    assert text["networks"] == [
        {"name": "primary", "interface": "eth0", "ips": [], "ms": 5.0},
        {"name": "shop/storage", "interface": "net1", "ips": []},
    ]
    assert document["parts"] == {"programs": 201.0, "waiting": 10.5, "own": 39.0}
    assert document["slowest"] == "programs"
    assert document["networks"] == DOCUMENT["networks"]


def test_figures_are_by_nearest_rank() -> None:
    numbers = [float(number) for number in range(1, 101)]
    assert [percentile(numbers, percent) for percent in (50, 95, 100)] == [50, 95, 100]
    assert percentile([7.0], 50) == 7.0


def test_figures_tell_what_was_slow(past: Past) -> None:
    past.write(ADDED, FAILED, DELETED, DOCUMENT)
    figures = past.document()["figures"]
    assert figures["verb"] == [
        {"verb": "ADD", "count": 3, "failed": 1, "p50": 250.5, "p95": 3008.2, "max": 3008.2, "share": 99},
        {"verb": "DEL", "count": 1, "failed": 0, "p50": 18.0, "p95": 18.0, "max": 18.0, "share": 1},
    ]
    assert [(row["part"], row["max"]) for row in figures["part"]] == [
        ("api", 3000.1),
        ("programs", 201.0),
        ("waiting", 10.5),
        ("ipam", 1.2),
        ("own", 39.0),
    ]
    assert past.document("--by", "network")["figures"]["network"][0]["network"] == "primary"
    assert past.document("--by", "pod")["figures"]["pod"][0]["pod"] == "shop/web-1"


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_the_meta_plugin_writes_is_read_back(node: Node, pod: Pod, tmp_path: Path, past: Past, form: str) -> None:
    config = node.config(node.bridge(), node.macvlan("red", "10.2.0.0/24"), logFile=str(past.log), logFormat=form)
    slow = node.program("slow", ADD={"sleep": 0.05, "status": 1, "stdout": '{"code": 7, "msg": "one"}'})
    node.call("ADD", {**config, "logLevel": "debug"}, pod).succeeded()
    node.call("DEL", config, pod).succeeded()
    message = node.call("ADD", node.config(slow, logFile=str(past.log), logFormat=form), pod).failed(7)
    ended = past.history("-o", "json").succeeded()
    added, deleted, failed = ended.document["requests"]
    assert [one["ips"] for one in added["networks"]] == [["10.1.0.2/24"], ["10.2.0.2/24"]]
    for one in (added, deleted):
        assert 0 < sum(network["ms"] for network in one["networks"]) <= one["ms"]
        assert 0 < one["parts"]["ipam"] < one["ms"]
    assert failed["parts"]["programs"] >= 50
    assert failed["slowest"] == "programs"
    assert (failed["code"], failed["message"]) == (7, message)
    assert added["pod"] == "blue/pod-1/u1"
    assert time.time() - time.mktime(time.strptime(added["time"], "%Y-%m-%dT%H:%M:%SZ")) < 1e6


def test_what_is_typed_wrongly_is_told(past: Past, capsys: pytest.CaptureFixture[str]) -> None:
    for typed in ("-n x", "--since yesterday", "--since 2026-99-03T04:06:00Z", "--verb GIVE", "--slow -1", "--by mood"):
        assert run("multus", ["history", *typed.split()]) == 2
        assert "multus history: argument " in capsys.readouterr().err
    assert past.history("--log", "/dev/null").status == FAILURE


def test_the_page_shows_what_is_printed(past: Past) -> None:
    past.write(ADDED, CHATTER, FAILED, DELETED, DOCUMENT, COLLECTED)
    blocks = re.findall(r"^```console\n# multus history(.*)\n([^`]*)^```$", PAGE.read_text(), re.MULTILINE)
    assert len(blocks) >= 3
    for typed, shown in blocks:
        assert past.history(*typed.split()).stdout == shown, typed


def test_the_page_has_every_exit_status() -> None:
    rows = dict(re.findall(r"^\| (\d) \| (.+) \|$", PAGE.read_text(), re.MULTILINE))
    assert {int(code): text for code, text in rows.items() if code != "2"} == dict(History.exits)


def on_a_terminal(past: Past, columns: int, **environment: str) -> str:
    """What a terminal of that width gets to see."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    code = LAUNCHER.format(root=str(ROOT))
    typed = ["history", "--conf-dir", str(past.conf_dir), "--results-dir", str(past.root)]
    with open(ours, "rb", buffering=0) as reader:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *typed], stdout=theirs, env={"TERM": "xterm", **environment}
        )
        os.close(theirs)
        seen = b""
        with suppress(OSError):  # the other end is closed: that is how a terminal tells
            while chunk := reader.read(65536):
                seen += chunk
        assert process.wait() == 0
    return seen.decode().replace("\r\n", "\n")


def test_a_terminal_gets_colours_and_its_width(past: Past) -> None:
    past.write(ADDED, FAILED)
    seen = on_a_terminal(past, 250)
    assert "\033[32mok" in seen
    assert "\033[31mcode 11" in seen
    narrow = on_a_terminal(past, 80, NO_COLOR="1")
    assert "\033" not in narrow
    assert max(map(len, narrow.splitlines())) <= 80


def test_help_imports_nothing_heavy() -> None:
    code = LAUNCHER.format(root=str(ROOT))
    for command in ("history",):
        told = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", code, command, "--help"],
            capture_output=True,
            text=True,
            check=True,
        )
        imported = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}
        assert not {"rich", "pyroute2", "jsonschema", "netaddr", "yaml", "ctypes", "gzip"} & imported
