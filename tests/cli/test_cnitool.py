import base64
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Terminal, container_id
from tests.conftest import MakeNamespace
from tests.plugins.shown import Shown


@pytest.fixture
def net(node: Terminal) -> dict[str, Any]:
    """A bridge with addresses, as the network `net`."""
    config = {"cniVersion": "1.0.0", **node.bridge("net")}
    node.write("10-net.conf", config)
    return config


def attached(node: Terminal, pod: str, **environment: str) -> dict[str, Any]:
    return node.cnitool("add", "net", pod, **environment).succeeded().document


def nothing_is_left(node: Terminal, pod: str) -> bool:
    ports = {name for name, kind in node.links().items() if kind != "bridge"}
    return (ports, Shown(pod).links(), node.reserved("net"), node.remembered()) == (set(), set(), {}, [])


def test_the_container_is_called_what_the_go_cnitool_calls_it() -> None:
    assert container_id("/var/run/netns/testing") == "cnitool-77383ca0a0715733ca6f"


def test_add_prints_the_result_in_the_network_s_version(
    node: Terminal, net: dict[str, Any], pod: str, inside: Shown
) -> None:
    result = attached(node, pod)
    assert result["cniVersion"] == "1.0.0"
    assert result["interfaces"][2] == {"name": "eth0", "mac": inside.link("eth0")["address"], "sandbox": pod}
    assert {ip["address"] for ip in result["ips"]} == inside.addresses("eth0")


def test_add_check_del_leave_nothing(node: Terminal, net: dict[str, Any], pod: str) -> None:
    attached(node, pod)
    assert node.cnitool("check", "net", pod).succeeded().stdout == ""
    assert node.cnitool("del", "net", pod).succeeded().stdout == ""
    assert nothing_is_left(node, pod)


def test_what_is_remembered_is_libcni_s_cache(node: Terminal, net: dict[str, Any], pod: str) -> None:
    result = attached(node, pod, CNI_ARGS="FOO=bar=baz", CAP_ARGS='{"mac": "02:00:00:00:00:07"}')
    [entry] = node.remembered()
    config = json.loads(base64.b64decode(entry.pop("config")))
    assert config == {"cniVersion": "1.0.0", "name": "net", "plugins": [net]}
    assert entry == {
        "kind": "cniCacheV1",
        "containerId": container_id(pod),
        "ifName": "eth0",
        "networkName": "net",
        "netns": pod,
        "cniArgs": [["IgnoreUnknown", "1"], ["FOO", "bar=baz"]],
        "capabilityArgs": {"mac": "02:00:00:00:00:07"},
        "result": result,
    }


def test_a_relative_path_is_the_same_container(node: Terminal, net: dict[str, Any], pod: str) -> None:
    attached(node, f"{pod}/../pod")
    node.cnitool("del", "net", pod).succeeded()
    assert nothing_is_left(node, pod)


def test_the_interface_is_named_by_the_environment(
    node: Terminal, net: dict[str, Any], pod: str, inside: Shown
) -> None:
    attached(node, pod, CNI_IFNAME="net7")
    assert inside.links() == {"net7"}
    node.cnitool("del", "net", pod, CNI_IFNAME="net7").succeeded()
    assert nothing_is_left(node, pod)


def test_a_capability_reaches_the_plugin_that_has_it(
    node: Terminal, net: dict[str, Any], pod: str, inside: Shown
) -> None:
    node.write("10-net.conf", {**net, "capabilities": {"mac": True}})
    attached(node, pod, CAP_ARGS='{"mac": "02:00:00:00:00:07"}')
    assert inside.link("eth0")["address"] == "02:00:00:00:00:07"
    node.cnitool("check", "net", pod).succeeded()


@pytest.mark.parametrize(
    "arguments", ["MAC=02:00:00:00:00:07", "MAC=02:00:00:00:00:07;", "UNKNOWN=1;MAC=02:00:00:00:00:07"]
)
def test_arguments_reach_the_plugin(
    node: Terminal, net: dict[str, Any], pod: str, inside: Shown, arguments: str
) -> None:
    attached(node, pod, CNI_ARGS=arguments)
    assert inside.link("eth0")["address"] == "02:00:00:00:00:07"


def test_a_list_is_one_network(node: Terminal, net: dict[str, Any], pod: str, inside: Shown) -> None:
    chain = {"cniVersion": "1.0.0", "name": "chain", "plugins": [net, {"type": "loopback"}]}
    node.write("20-chain.conflist", chain)
    result = node.cnitool("add", "chain", pod).succeeded().document
    assert [interface["name"] for interface in result["interfaces"]][2] == "eth0"
    assert inside.is_up("lo")
    node.cnitool("check", "chain", pod).succeeded()
    node.cnitool("del", "chain", pod).succeeded()
    assert inside.links() == set()


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"CNI_IFNAME": ""}, "CNI_IFNAME ''"),
        ({"CNI_IFNAME": "a" * 16}, "longer than 15"),
        ({"CNI_ARGS": "nonsense"}, "CNI_ARGS"),
        ({"CAP_ARGS": "[]"}, "CAP_ARGS"),
        ({"CAP_ARGS": "{"}, "CAP_ARGS"),
        ({"NETCONFPATH": "/nonexistent"}, "/nonexistent"),
    ],
)
def test_a_wrong_variable_is_named_and_nothing_is_touched(
    node: Terminal, net: dict[str, Any], pod: str, environment: dict[str, str], told: str
) -> None:
    assert told in node.cnitool("add", "net", pod, **environment).failed()
    assert node.links() == {}
    assert nothing_is_left(node, pod)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["add"],
        ["add", "net"],
        ["frobnicate", "net", "POD"],
        ["ADD", "net", "POD"],
        ["gc", "net", "POD"],
        ["gc", "net", "--valid", "x", "--none-valid"],
        ["add", "net", "POD", "--none-valid"],
        ["add", "net", "POD", "more"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_usage_and_status_1(
    node: Terminal, net: dict[str, Any], pod: str, arguments: list[str]
) -> None:
    ended = node.cnitool(*(pod if argument == "POD" else argument for argument in arguments))
    assert (ended.status, ended.stdout) == (1, "")
    assert ended.stderr.startswith("usage: cnitool ")
    assert nothing_is_left(node, pod)


@pytest.mark.parametrize("verb", ["add", "check", "del"])
def test_the_node_s_own_namespace_is_refused(node: Terminal, net: dict[str, Any], verb: str) -> None:
    assert "is the network namespace that this program runs in" in node.cnitool(verb, "net", node.host.path).failed()


def test_an_unknown_network_is_told_with_those_that_are_there(node: Terminal, net: dict[str, Any], pod: str) -> None:
    assert f"there is no network other in {node.networks}; there are net" in node.cnitool("add", "other", pod).failed()


def test_a_broken_file_of_another_network_is_a_warning(node: Terminal, net: dict[str, Any], pod: str) -> None:
    broken = node.write("00-broken.conflist", "{")
    ended = node.cnitool("add", "net", pod)
    assert ended.status == 0
    assert ended.stderr.startswith(f"cnitool: warning: passed over: {broken} is not JSON: line 1, column 2")


def test_a_program_in_the_path_comes_before_a_built_in_type(node: Terminal, net: dict[str, Any], pod: str) -> None:
    node.program("bridge")
    assert attached(node, pod)["ips"] == [{"address": "192.0.2.1/24"}]
    [call] = node.calls("ADD")
    assert call["environment"]["CNI_CONTAINERID"] == container_id(pod)
    assert (call["environment"]["CNI_NETNS"], call["environment"]["CNI_IFNAME"]) == (pod, "eth0")
    assert (call["stdin"]["name"], call["stdin"]["cniVersion"]) == ("net", "1.0.0")
    node.cnitool("del", "net", pod).succeeded()
    [call] = node.calls("DEL")
    assert call["stdin"]["prevResult"]["ips"] == [{"address": "192.0.2.1/24"}]


def test_a_failing_chain_is_taken_back(node: Terminal, net: dict[str, Any], pod: str) -> None:
    told = {"cniVersion": "1.0.0", "code": 117, "msg": "not today", "details": "nor tomorrow"}
    last = node.program("last", ADD={"stdout": json.dumps(told), "status": 1})
    node.write("20-chain.conflist", {"cniVersion": "1.0.0", "name": "net2", "plugins": [net, last]})
    assert node.cnitool("add", "net2", pod).failed() == "cnitool: not today (nor tomorrow)\n"
    assert nothing_is_left(node, pod)
    assert [call["command"] for call in node.calls()] == ["ADD", "DEL"]


def test_an_interrupted_add_is_taken_back(node: Terminal, net: dict[str, Any], pod: str) -> None:
    slow = node.program("slow", ADD={"sleep": 60})
    node.write("20-chain.conflist", {"cniVersion": "1.0.0", "name": "net2", "plugins": [net, slow]})
    # A shell that starts the tests in the background lets them, and all they start, ignore SIGINT.
    nsenter = ["env", "--default-signal=INT", "nsenter", f"--net={node.host.path}"]
    command = [*nsenter, *node.command("cnitool"), "add", "net2", pod]
    variables = {"NETCONFPATH": str(node.networks), "CNI_CACHE_DIR": str(node.cache), "CNI_PATH": str(node.bin_dir)}
    with subprocess.Popen(command, env={**os.environ, **variables}, stderr=subprocess.PIPE, text=True) as process:
        while not node.calls("ADD"):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate()
    assert (process.returncode, stderr) == (130, "")
    assert [call["command"] for call in node.calls()] == ["ADD", "DEL"]
    assert nothing_is_left(node, pod)


def test_a_result_that_the_version_cannot_tell_is_taken_back(node: Terminal, pod: str) -> None:
    node.write("10-net.conf", {"cniVersion": "0.2.0", "name": "net", "type": "bridge"})
    assert "no valid IP addresses" in node.cnitool("add", "net", pod).failed()
    assert nothing_is_left(node, pod)


def test_an_attachment_that_cannot_be_remembered_is_taken_back(node: Terminal, net: dict[str, Any], pod: str) -> None:
    node.cache.write_text("in the way")
    assert str(node.cache) in node.cnitool("add", "net", pod).failed()
    node.cache.unlink()
    assert nothing_is_left(node, pod)


def test_a_second_add_is_refused_and_the_first_one_stays(
    node: Terminal, net: dict[str, Any], pod: str, inside: Shown
) -> None:
    attached(node, pod)
    assert "del must come first" in node.cnitool("add", "net", pod).failed()
    assert inside.links() == {"eth0"}
    node.cnitool("check", "net", pod).succeeded()
    node.cnitool("del", "net", pod).succeeded()
    attached(node, pod)


def test_del_uses_the_configuration_of_the_add(node: Terminal, net: dict[str, Any], pod: str) -> None:
    attached(node, pod)
    node.write("10-net.conf", {"cniVersion": "1.0.0", "name": "net", "type": "macvlan", "master": "nonexistent"})
    node.cnitool("del", "net", pod).succeeded()
    assert nothing_is_left(node, pod)


def test_del_works_when_the_network_s_file_is_gone(node: Terminal, net: dict[str, Any], pod: str) -> None:
    attached(node, pod)
    (node.networks / "10-net.conf").unlink()
    node.cnitool("del", "net", pod).succeeded()
    assert nothing_is_left(node, pod)


def test_del_gives_programs_the_arguments_of_the_add(node: Terminal, net: dict[str, Any], pod: str) -> None:
    node.program("bridge")
    node.write("10-net.conf", {**net, "capabilities": {"mac": True}})
    attached(node, pod, CNI_ARGS="FOO=bar", CAP_ARGS='{"mac": "02:00:00:00:00:07"}')
    node.cnitool("del", "net", pod).succeeded()
    [call] = node.calls("DEL")
    assert call["environment"]["CNI_ARGS"] == "IgnoreUnknown=1;FOO=bar"
    assert call["stdin"]["runtimeConfig"] == {"mac": "02:00:00:00:00:07"}


@pytest.mark.parametrize("content", [b"", b"{", b"\x00\x01"])
def test_del_works_with_a_damaged_cache(node: Terminal, net: dict[str, Any], pod: str, content: bytes) -> None:
    attached(node, pod)
    [path] = (node.cache / "results").iterdir()
    path.write_bytes(content)
    node.cnitool("del", "net", pod).succeeded()
    assert list((node.cache / "results").iterdir()) == []
    assert nothing_is_left(node, pod)


def test_del_works_with_a_damaged_configuration_in_the_cache(node: Terminal, net: dict[str, Any], pod: str) -> None:
    attached(node, pod)
    [path] = (node.cache / "results").iterdir()
    entry = json.loads(path.read_bytes())
    path.write_text(json.dumps({**entry, "config": base64.b64encode(b"{").decode()}))
    ended = node.cnitool("del", "net", pod)
    assert ended.status == 0
    assert "warning" in ended.stderr
    assert nothing_is_left(node, pod)


def test_del_of_nothing_succeeds_twice(node: Terminal, net: dict[str, Any], pod: str) -> None:
    node.cnitool("del", "net", pod).succeeded()
    node.cnitool("del", "net", pod).succeeded()


@pytest.mark.parametrize("gone", ["missing", "stale"])
def test_del_works_without_the_namespace(
    node: Terminal, net: dict[str, Any], netns: MakeNamespace, tmp_path: Path, gone: str
) -> None:
    node.program("bridge")
    where = tmp_path / "gone"
    attached(node, str(where))
    if gone == "stale":
        where.touch()
    (node.bin_dir / "bridge").unlink()
    node.cnitool("del", "net", str(where)).succeeded()
    assert node.remembered() == []


def test_del_keeps_what_it_could_not_detach(node: Terminal, net: dict[str, Any], pod: str) -> None:
    node.program("bridge", DEL={"status": 1})
    attached(node, pod)
    node.cnitool("del", "net", pod).failed()
    assert len(node.remembered()) == 1


def test_check_says_what_is_not_as_it_was(node: Terminal, net: dict[str, Any], pod: str, inside: Shown) -> None:
    attached(node, pod)
    inside.run("ip address flush dev eth0")
    assert "address 10.1.0.2/24 is not on eth0" in node.cnitool("check", "net", pod).failed()


def test_check_needs_a_version_that_knows_it(node: Terminal, net: dict[str, Any], pod: str) -> None:
    node.write("10-net.conf", {**net, "cniVersion": "0.3.1"})
    attached(node, pod)
    assert "CHECK needs cniVersion 0.4.0" in node.cnitool("check", "net", pod).failed()


def test_check_may_be_disabled(node: Terminal, net: dict[str, Any], pod: str) -> None:
    node.write("10-net.conf", {"cniVersion": "1.0.0", "name": "net", "disableCheck": "true", "plugins": [net]})
    node.cnitool("check", "net", pod).succeeded()


@pytest.mark.parametrize("arguments", [["net"], ["net", "anything"]])
def test_status_needs_no_namespace(node: Terminal, net: dict[str, Any], arguments: list[str]) -> None:
    node.cnitool("status", *arguments).succeeded()


def test_status_says_why_an_add_would_fail(node: Terminal) -> None:
    node.write("10-net.conf", {"cniVersion": "1.1.0", "name": "net", "type": "macvlan", "master": "nonexistent"})
    assert "there is no link nonexistent" in node.cnitool("status", "net").failed()


class Pods:
    """Two pods in one network, and a third in another one."""

    def __init__(self, node: Terminal, netns: MakeNamespace) -> None:
        node.write("20-other.conf", {"cniVersion": "1.0.0", **node.macvlan("other", "10.2.0.0/24")})
        self.kept, self.lost, self.other = netns("kept"), netns("lost"), netns("other")
        attached(node, self.kept)
        attached(node, self.lost)
        node.cnitool("add", "other", self.other).succeeded()


@pytest.fixture
def pods(node: Terminal, net: dict[str, Any], netns: MakeNamespace) -> Pods:
    return Pods(node, netns)


@pytest.fixture
def listed(pods: Pods) -> str:
    """The list of what is valid: one of the two."""
    return json.dumps([{"containerID": container_id(pods.kept), "ifname": "eth0"}])


@pytest.mark.parametrize("source", ["file", "stdin"])
def test_gc_detaches_what_is_not_listed(node: Terminal, pods: Pods, listed: str, tmp_path: Path, source: str) -> None:
    path = tmp_path / "valid.json"
    path.write_text(listed)
    given: dict[str, Callable[[], Any]] = {
        "file": lambda: node.cnitool("gc", "net", "--valid", str(path)),
        "stdin": lambda: node.cnitool("gc", "net", pods.kept, "--valid", "-", stdin=listed),
    }
    given[source]().succeeded()
    assert [entry["netns"] for entry in node.remembered()] == [pods.kept, pods.other]
    assert (Shown(pods.kept).links(), Shown(pods.lost).links()) == ({"eth0"}, set())
    assert list(node.reserved("net")) == ["10.1.0.2"]
    node.cnitool("check", "net", pods.kept).succeeded()
    node.cnitool("check", "other", pods.other).succeeded()


def test_gc_detaches_all_of_a_network_only_when_told(node: Terminal, pods: Pods) -> None:
    node.cnitool("gc", "net", "--none-valid").succeeded()
    assert [entry["netns"] for entry in node.remembered()] == [pods.other]
    assert node.reserved("net") == {}
    assert Shown(pods.other).links() == {"eth0"}


def test_gc_releases_addresses_that_nobody_remembers(node: Terminal, pods: Pods, listed: str) -> None:
    for path in (node.cache / "results").iterdir():
        if container_id(pods.lost) in path.name:
            path.unlink()
    node.cnitool("gc", "net", "--valid", "-", stdin=listed).succeeded()
    assert list(node.reserved("net")) == ["10.1.0.2"]


def test_gc_may_be_disabled(node: Terminal, net: dict[str, Any], pods: Pods) -> None:
    node.write("10-net.conf", {"cniVersion": "1.1.0", "name": "net", "disableGC": True, "plugins": [net]})
    ended = node.cnitool("gc", "net", "--none-valid")
    assert (ended.status, len(node.remembered())) == (0, 3)
    assert "disableGC" in ended.stderr


@pytest.mark.parametrize(
    "valid",
    [
        "",
        "{",
        "{}",
        "[7]",
        "[{}]",
        '[{"containerID": "x"}]',
        '[{"containerID": "", "ifname": "eth0"}]',
        '[["x", "eth0"]]',
    ],
)
def test_gc_with_a_wrong_list_touches_nothing(node: Terminal, pods: Pods, valid: str) -> None:
    node.cnitool("gc", "net", "--valid", "-", stdin=valid).failed()
    assert len(node.remembered()) == 3


def test_gc_with_a_missing_list_touches_nothing(node: Terminal, pods: Pods) -> None:
    assert "/nonexistent" in node.cnitool("gc", "net", "--valid", "/nonexistent").failed()
    assert len(node.remembered()) == 3


def test_gc_goes_on_when_one_cannot_be_detached(node: Terminal, pods: Pods) -> None:
    node.program("bridge", DEL={"status": 1})
    assert "bridge failed" in node.cnitool("gc", "net", "--none-valid").failed()
    assert [call["command"] for call in node.calls("DEL")] == ["DEL", "DEL"]
    assert len(node.remembered()) == 3
