"""`multus trace`: what is seen of requests, and that nothing which happens to the files ends it."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from cni_multus.cli.trace.command import Trace
from tests.cli.terminal import LAUNCHER, ROOT

if TYPE_CHECKING:
    from tests.cli.trace.conftest import Watched

PAGE = ROOT / "docs" / "trace.md"


def test_an_attachment_is_seen_in_the_journal_the_log_and_the_kernel(node: Watched) -> None:
    watching = node.trace()
    pod = node.pod()
    node.call("ADD", node.configuration, pod).succeeded()
    request = watching.says("ADD ok in ")
    assert request["pod"] == "blue/web-0"
    assert request["request"]["networks"][1]["ips"] == ["10.2.0.2/24"]
    told = [(event["source"], event.get("pod"), event.get("interface"), event["what"]) for event in watching.told]
    assert ("journal", "blue/web-0", "net1", "attached to red with 10.2.0.2/24") in told
    assert any(source == "kernel" and what.startswith("cni0: new bridge") for source, _, _, what in told)
    node.call("DEL", node.configuration, pod).succeeded()
    watching.says("DEL ok in ")
    assert watching.end()[0] == 0
    gone = [event for event in watching.told if event["what"].endswith("veth is gone")]
    assert [(event.get("pod"), event.get("interface")) for event in gone] == [("blue/web-0", "eth0")]
    assert {event["what"] for event in watching.told if event["source"] == "journal"} & {
        "detached: its record is empty",
        "detached: its record is gone",
    }
    seconds = [event["seconds"] for event in watching.told]
    assert seconds == sorted(seconds)


def test_one_pod_is_told_from_others(node: Watched) -> None:
    watching = node.trace("--pod", "web-1")
    for name in ("web-0", "web-1"):
        node.call("ADD", node.configuration, node.pod(name)).succeeded()
    watching.says("ADD ok in ")
    assert {event["container"] for event in watching.told if event["source"] != "log"} == {"web-1"}
    assert watching.end()[0] == 0


def test_what_fails_is_told_with_its_reason(node: Watched) -> None:
    watching = node.trace()
    config = {**node.configuration, "delegates": [node.macvlan("red", "10.2.0.0/24") | {"master": "nowhere"}]}
    message = node.call("ADD", config, node.pod()).document["msg"]
    assert watching.says("ADD failed in ")["what"].endswith(message)
    watching.end()


def test_journal_and_log_may_go_and_come_again(node: Watched) -> None:
    """Neither is there at first; then both are removed, cut, moved aside and made again."""
    pod = node.pod()
    watching = node.trace()
    node.call("ADD", node.configuration, pod).succeeded()
    watching.says("ADD ok in ")
    os.rename(node.log, f"{node.log}-20260101T000000.000001-1")
    node.call("CHECK", node.configuration, pod).succeeded()
    watching.says("CHECK ok in ")
    with open(node.log, "r+b") as file:
        file.truncate(0)
    node.call("STATUS", {**node.configuration, "logLevel": "debug"}).succeeded()
    watching.says("STATUS ok in ")
    shutil.copytree(node.cni_dir, node.root / "kept")
    shutil.rmtree(node.cni_dir)
    watching.says("detached: its record is gone")
    os.rename(node.root / "kept", node.cni_dir)
    watching.says("attached to red with 10.2.0.2/24")
    node.record_file(pod).write_bytes(b"torn")
    assert "holds no record that is whole" in watching.says("cannot be read")["what"]
    node.call("DEL", node.configuration, pod).succeeded()
    watching.says("DEL ok in ")
    assert watching.end()[0] == 0


def test_it_ends_when_it_was_to_and_says_what_it_does_not_see(node: Watched) -> None:
    node.write("00-multus.conf", node.config(node.bridge()))
    watching = node.trace("--for", "1")
    status, errors = watching.end(0)
    assert status == 0
    assert "no log is followed: " in errors
    os.mkfifo(node.log)
    status, errors = node.trace("--for", "1", "--log", str(node.log)).end(0)
    assert status == 3
    assert "is not a regular file" in errors


def test_a_terminal_gets_colours_and_a_page_of_it(node: Watched) -> None:
    """What the page shows is what is seen, numbers and names aside."""
    ours, theirs = pty.openpty()
    command = ["nsenter", f"--net={node.host.path}", *node.command("multus"), "trace", *node.places]
    with open(ours, "rb", buffering=0) as reader:
        process = subprocess.Popen(
            command, stdout=theirs, stderr=subprocess.PIPE, env={"TERM": "xterm", "PATH": os.environ["PATH"]}
        )
        os.close(theirs)
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"following ")
        pod = node.pod()
        arguments = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0"
        seen = b""
        for verb in ("ADD", "DEL"):
            node.call(verb, node.configuration, pod, CNI_ARGS=arguments).succeeded()
            while f"{verb} ok in".encode() not in seen:
                seen += reader.read(65536)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
        process.stderr.close()
    text = seen.decode().replace("\r\n", "\n")
    assert "\033[32mattached to red with 10.2.0.2/24\033[0m" in text
    told = set(plain(re.sub(r"\033\[\d+m", "", text)))
    [block] = re.findall(r"^```console\n# multus trace\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    missing = set(plain(block)) - told
    assert {line for line in missing if "to be attached" not in line} == set(), text  # it may be over before it is seen


def plain(text: str) -> list[str]:
    """Lines without what differs each time; of the log only the first words."""
    text = re.sub(r"\bveth[0-9a-f]{8}\b", "veth", text)
    text = re.sub(r"fe80::\S+", "fe80::1", text)
    text = re.sub(r"^ +[\d.]+ |\b\d+ ms\b|\bin [\d.]+ ms.*$", "", text, flags=re.MULTILINE)
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_page_has_every_exit_status() -> None:
    rows = dict(re.findall(r"^\| (\d) \| (.+) \|$", PAGE.read_text(), re.MULTILINE))
    assert {int(code): text for code, text in rows.items() if code != "2"} == dict(Trace.exits)


def test_help_imports_nothing_heavy() -> None:
    code = LAUNCHER.format(root=str(ROOT))
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code, "trace", "--help"], capture_output=True, text=True, check=True
    )
    imported = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}
    assert not {"rich", "pyroute2", "jsonschema", "netaddr", "yaml", "ctypes"} & imported
