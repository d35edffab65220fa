"""A configuration by hand: what is shown of it, and that nothing is left of it, however it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cli.command import FAILED, FOUND, USAGE
from tests.node import with_run

if TYPE_CHECKING:
    from tests.cli.terminal import Ended, Terminal

PATIENCE = 20.0
LEFT = "is left of a call that was kept or killed"


def call(node: Terminal, *arguments: str, stdin: str = "") -> Ended:
    """Run `multus call` on the node, where /run is the node's own."""
    more = ["--bin-dir", str(node.bin_dir), "--conf-dir", str(node.networks)]
    return node.run_as("multus", "call", *arguments, *more, stdin=stdin)


def chain(node: Terminal) -> dict[str, Any]:
    tuning = {"type": "tuning", "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"}}
    return {"cniVersion": "1.1.0", "name": "primary", "plugins": [node.bridge(), tuning]}


def is_clean(node: Terminal, network: str = "primary") -> bool:
    """Nothing of a call: namespaces, links of pods, addresses, what is remembered."""
    namespaces = list((node.run_dir / "netns").glob("*"))
    cache = list((node.run_dir / "multus" / "call").glob("*"))
    ports = [name for name, kind in node.links().items() if kind != "bridge"]
    return not (namespaces or cache or ports or node.reserved(network) or node.records())


def test_a_chain_is_attached_shown_and_taken_apart(node: Terminal) -> None:
    node.write("10-primary.conflist", chain(node))
    ended = call(node, "add", "primary", "--check", "-o", "json").succeeded()
    told = ended.document
    assert told["result"]["ips"][0]["address"] == "10.1.0.2/24"
    assert told["kernel"][0]["addresses"][0] == "10.1.0.2/24"
    assert [(one["verb"], one["type"]) for one in told["timings"]] == [
        ("ADD", "bridge"),
        ("ADD", "tuning"),
        ("CHECK", "bridge"),
        ("CHECK", "tuning"),
        ("DEL", "tuning"),
        ("DEL", "bridge"),
    ]
    assert all(one["ms"] > 0 for one in told["timings"])
    assert is_clean(node)


def test_multus_itself_is_called(node: Terminal) -> None:
    node.write("00-multus.conf", node.config(node.bridge(), node.macvlan("red", "10.2.0.0/24")))
    ended = call(node, "add", str(node.networks / "00-multus.conf")).succeeded()
    assert "ADD of network multus-cni-network worked" in ended.stdout
    assert {"eth0", "net1"} <= set(ended.stdout.split())
    assert is_clean(node)
    assert not node.reserved("red")


def test_a_program_is_called_and_its_versions_are_asked(node: Terminal) -> None:
    speaks: dict[str, object] = {"stdout": json.dumps({"cniVersion": "1.0.0", "supportedVersions": ["0.4.0", "1.0.0"]})}
    config = node.program("foreign", VERSION=speaks)
    text = json.dumps(config)
    told = call(node, "add", "-", "-o", "json", stdin=text).succeeded().document
    assert [(one["verb"], one["program"]) for one in told["timings"]] == [
        ("ADD", str(node.bin_dir / "foreign")),
        ("DEL", str(node.bin_dir / "foreign")),
    ]
    assert told["timings"][0]["parts"]["programs"] > 0
    assert "0.4.0, 1.0.0" in call(node, "version", "-", stdin=text).succeeded().stdout


def in_one_run(node: Terminal, script: str) -> str:
    """What a shell prints in which `call` is typed several times, with one /run for all of them."""
    again = f'call() {{ "$@" call $how --bin-dir {node.bin_dir} --conf-dir {node.networks}; }}'
    command = ["nsenter", f"--net={node.host.path}", "sh", "-c", f"{again}\n{script}", "sh", *node.command("multus")]
    done = subprocess.run([*with_run(node.run_dir), *command], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_what_is_kept_is_found_and_taken_apart(node: Terminal) -> None:
    node.write("10-primary.conflist", chain(node))
    seen = in_one_run(
        node,
        """how="add primary --keep"; call "$@" >/dev/null || echo not kept
        left=/run/netns/$(ls /run/netns); echo "kept in $left"
        how="check primary --netns $left"; call "$@" >/dev/null || echo not as it was attached
        how="add primary"; call "$@" >/dev/null
        how="del primary --netns $left"; call "$@" >/dev/null || echo not taken apart
        """,
    )
    first, warning = seen.splitlines()
    assert "/run/netns/multus-call-" in first
    assert LEFT in warning
    assert is_clean(node)


def test_what_a_killed_call_left_is_found_and_taken_apart(node: Terminal) -> None:
    waiting = node.program("slow", ADD={"until": str(node.root / "over")})
    node.write("40-slow.conflist", {**chain(node), "name": "slow", "plugins": [node.bridge("slow"), waiting]})
    node.write("10-primary.conflist", chain(node))
    seen = in_one_run(
        node,
        f"""how="add slow"; call "$@" >/dev/null 2>&1 & pid=$!
        until [ -s {node.root}/calls ]; do sleep 0.02; done
        kill -9 $(ps -o pid= --ppid $pid) $pid; wait $pid; touch {node.root}/over
        left=/run/netns/$(ls /run/netns)
        how="add primary"; call "$@" >/dev/null
        how="del slow --netns $left"; call "$@" >/dev/null || echo not taken apart
        """,
    )
    assert seen.count(LEFT) == 1
    assert "not taken apart" not in seen
    assert is_clean(node, "slow")


def test_a_given_namespace_stays(node: Terminal, pod: str) -> None:
    node.write("10-primary.conflist", chain(node))
    call(node, "add", "primary", "--netns", pod, "--ifname", "lan0", "--keep").succeeded()
    call(node, "check", "primary", "--netns", pod, "--ifname", "lan0").succeeded()
    subprocess.run(["nsenter", f"--net={pod}", "ip", "link", "set", "lan0", "down"], check=True)
    assert call(node, "check", "primary", "--netns", pod, "--ifname", "lan0").status == FOUND
    call(node, "del", "primary", "--netns", pod, "--ifname", "lan0").succeeded()
    assert is_clean(node)
    call(node, "check", "primary").succeeded()
    call(node, "gc", "primary", "--none-valid").succeeded()
    assert is_clean(node)


def test_a_failure_is_told_and_nothing_is_left(node: Terminal) -> None:
    node.write("20-red.conf", {"cniVersion": "1.0.0", **node.macvlan("red", "10.2.0.0/24", master="eth9")})
    ended = call(node, "add", "red")
    assert ended.status == FOUND
    assert "ADD of network red failed: code 7: master: there is no link eth9" in ended.stdout.splitlines()[0]
    assert is_clean(node, "red")
    node.write("30-last.conflist", {**chain(node), "name": "last", "plugins": [node.bridge(), {"type": "nowhere"}]})
    ended = call(node, "add", "last")
    assert ended.status == FOUND
    assert "no program 'nowhere'" in ended.stdout.splitlines()[0]
    assert not node.reserved("last")


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        (["gc", "primary"], USAGE, "--valid"),
        (["del", "primary"], USAGE, "--netns"),
        (["status", "primary", "--keep"], USAGE, "belong to add"),
        (["add", "primary"], FAILED, "there is no network configuration"),
        (["add", "./nothing.conf"], FAILED, "there is no file"),
        (["add", "-"], FAILED, "standard input"),
    ],
)
def test_what_cannot_be_called(node: Terminal, arguments: list[str], status: int, why: str) -> None:
    ended = call(node, *arguments)
    assert ended.status == status
    assert why in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_call_leaves_nothing(node: Terminal, number: signal.Signals) -> None:
    waiting = node.program("slow", ADD={"until": str(node.root / "never")})
    node.write("40-slow.conflist", {**chain(node), "plugins": [node.bridge(), waiting]})
    command = [*with_run(node.run_dir), "nsenter", f"--net={node.host.path}", *node.command("multus"), "call", "add"]
    more = ["primary", "--bin-dir", str(node.bin_dir), "--conf-dir", str(node.networks)]
    process = subprocess.Popen([*command, *more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while not node.calls("ADD"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait() == 128 + number
    assert is_clean(node)


def test_who_may_not_make_a_namespace_is_told_what_it_takes(node: Terminal) -> None:
    plain = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    command = [*with_run(node.run_dir), *plain, *node.command("multus"), "call", "add", "-"]
    config = '{"cniVersion": "1.0.0", "name": "lo", "type": "loopback"}'
    done = subprocess.run(command, input=config, capture_output=True, text=True, check=False)
    assert done.returncode == FAILED
    assert "it takes CAP_SYS_ADMIN: run it as root on the node" in done.stderr
    assert is_clean(node)
