"""ADD: which networks a pod gets, under which names, and what each of them is asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.node import Node, Pod

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pods import MakePod

RESULT: dict[str, Any] = {"cniVersion": "1.0.0", "ips": [{"address": "192.0.2.1/24"}]}


def printed(result: object) -> dict[str, object]:
    return {"stdout": json.dumps(result)}


def test_a_single_delegate_becomes_the_pods_own_interface(node: Node, pod: Pod) -> None:
    answer = node.call("ADD", node.config(node.bridge()), pod).succeeded()
    assert pod.links() == {"eth0": "veth"}
    assert [ip["address"] for ip in answer.document["ips"]] == pod.addresses("eth0") == ["10.1.0.2/24"]


def test_several_delegates_become_eth0_net1_and_net2(node: Node, pod: Pod) -> None:
    config = node.config(node.bridge(), node.macvlan("red", "10.2.0.0/24"), node.macvlan("blue", "10.3.0.0/24"))
    answer = node.call("ADD", config, pod).succeeded()
    assert pod.links() == {"eth0": "veth", "net1": "macvlan", "net2": "macvlan"}
    assert (pod.addresses("net1"), pod.addresses("net2")) == (["10.2.0.2/24"], ["10.3.0.2/24"])
    names = [interface["name"] for interface in answer.document["interfaces"] if "sandbox" in interface]
    assert names == ["eth0"], "the runtime is told of the primary network alone"


def test_the_primary_interface_has_the_runtimes_name(node: Node, pod: Pod) -> None:
    node.call("ADD", node.config(node.bridge(), node.macvlan("red")), pod, CNI_IFNAME="ens3").succeeded()
    assert pod.links() == {"ens3": "veth", "net1": "macvlan"}


@pytest.mark.parametrize("version", ["0.2.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_the_result_is_told_in_the_configurations_version(node: Node, pod: Pod, version: str) -> None:
    """The Go Multus prints the delegate's own version."""
    config = node.config(node.program("calico", ADD=printed(RESULT)), cniVersion=version)
    answer = node.call("ADD", config, pod).succeeded().document
    assert answer["cniVersion"] == version
    assert ("ip4" in answer) == (version == "0.2.0")
    assert answer.get("ips", [{}])[0].get("version") == ("4" if version in ("0.3.1", "0.4.0") else None)


@pytest.mark.parametrize(("version", "its"), [("0.4.0", "0.3.1"), ("1.0.0", "0.2.0"), ("0.3.1", "1.1.0")])
def test_a_delegates_older_result_is_told_in_the_configurations_version(
    node: Node, pod: Pod, version: str, its: str
) -> None:
    """Or a newer one: the runtime reads it by the version that it has configured."""
    address = {"ip4": {"ip": "192.0.2.1/24"}} if its == "0.2.0" else {"ips": [{"version": "4", **RESULT["ips"][0]}]}
    delegate = {**node.program("calico", ADD=printed({"cniVersion": its, **address})), "cniVersion": its}
    answer = node.call("ADD", node.config(delegate, cniVersion=version), pod).succeeded().document
    assert answer["cniVersion"] == version
    assert answer["ips"] == [{**({"version": "4"} if version < "1" else {}), "address": "192.0.2.1/24"}]
    assert node.calls()[0]["stdin"]["cniVersion"] == its


def test_a_chain_hands_each_result_to_the_next_plugin(node: Node, pod: Pod) -> None:
    first = {**RESULT, "routes": [{"dst": "198.51.100.0/24"}], "org.example.note": {"kept": True}}
    second = {"cniVersion": "1.0.0", "ips": [{"address": "192.0.2.77/24"}]}
    chain = {
        "cniVersion": "1.0.0",
        "name": "chain",
        "plugins": [node.program("one", ADD=printed(first)), node.program("two", ADD=printed(second))],
    }
    answer = node.call("ADD", node.config(chain), pod).succeeded()
    assert [ip["address"] for ip in answer.document["ips"]] == ["192.0.2.77/24"]
    one, two = node.calls("ADD")
    assert "prevResult" not in one["stdin"]
    assert two["stdin"]["prevResult"] == first
    assert {call["stdin"]["name"] for call in (one, two)} == {"chain"}


def test_the_last_result_of_a_chain_comes_back_for_check_and_del(node: Node, pod: Pod) -> None:
    chain = {"cniVersion": "1.0.0", "name": "chain", "plugins": [node.program("one"), node.program("two")]}
    config = node.config(chain)
    for command in ("ADD", "CHECK", "DEL"):
        node.call(command, config, pod).succeeded()
    assert [call["name"] for call in node.calls("CHECK")] == ["one", "two"]
    assert [call["name"] for call in node.calls("DEL")] == ["two", "one"]
    assert all(call["stdin"]["prevResult"] == RESULT for call in node.calls("CHECK", "DEL"))


def test_what_a_version_before_0_4_0_does_not_know_is_not_sent(node: Node, pod: Pod) -> None:
    old = {**node.program("old"), "cniVersion": "0.3.1"}
    config = node.config(old)
    node.call("ADD", config, pod).succeeded()
    node.call("DEL", config, pod).succeeded()
    assert "prevResult" not in node.calls("DEL")[0]["stdin"]


def test_a_delegate_without_version_speaks_the_configurations(node: Node, pod: Pod) -> None:
    delegate = node.program("calico")
    del delegate["cniVersion"]
    node.call("ADD", node.config(delegate, cniVersion="0.4.0"), pod).succeeded()
    assert node.calls()[0]["stdin"]["cniVersion"] == "0.4.0"


def test_any_capability_reaches_a_plugin_that_asks_for_it(node: Node, pod: Pod) -> None:
    """The Go Multus knows seven of them and drops the others."""
    runtime = {
        "portMappings": [{"hostPort": 80, "containerPort": 8080, "protocol": "tcp", "ours": 1}],
        "io.kubernetes.cri.pod-annotations": {"a": "b"},
        "dns": {"servers": ["192.0.2.53"]},
        "unasked": 1,
    }
    asked = {"portMappings": True, "io.kubernetes.cri.pod-annotations": True, "dns": True, "unasked": False}
    delegate = {**node.program("calico"), "capabilities": asked}
    node.call("ADD", node.config(delegate, runtimeConfig=runtime), pod).succeeded()
    assert node.calls()[0]["stdin"]["runtimeConfig"] == {key: runtime[key] for key in asked if asked[key]}


def test_what_the_runtime_means_for_the_pods_interface_stays_there(node: Node, pod: Pod) -> None:
    """The Go Multus offers the pod's host ports and addresses to every secondary network as well."""
    runtime: dict[str, Any] = {
        "portMappings": [{"hostPort": 80, "containerPort": 8080}],
        "bandwidth": {"ingressRate": 1000},
        "ips": ["10.1.0.9"],
        "mac": "02:00:00:00:00:09",
        "deviceID": "0000:00:01.0",
        "aliases": ["web"],
    }
    asked = dict.fromkeys(runtime, True)
    delegates = [{**node.program(name), "capabilities": asked} for name in ("first", "second")]
    node.call("ADD", node.config(*delegates, runtimeConfig=runtime), pod).succeeded()
    first, second = node.calls()
    assert first["stdin"]["runtimeConfig"] == runtime
    assert second["stdin"]["runtimeConfig"] == {"aliases": ["web"]}


def test_capabilities_come_back_on_del(node: Node, pod: Pod) -> None:
    """The Go Multus loses portMappings and bandwidth between ADD and DEL."""
    runtime = {"portMappings": [{"hostPort": 80, "containerPort": 8080}]}
    config = node.config({**node.program("calico"), "capabilities": {"portMappings": True}})
    node.call("ADD", {**config, "runtimeConfig": runtime}, pod).succeeded()
    node.call("DEL", config, pod).succeeded()
    assert node.calls("DEL")[0]["stdin"]["runtimeConfig"] == runtime


def test_cni_args_are_passed_on_whole(node: Node, pod: Pod) -> None:
    """Once each; a value may contain '='."""
    config = node.config(node.program("calico"))
    node.call("ADD", config, pod, CNI_ARGS="IgnoreUnknown=1;FOO=a=b;K8S_POD_NAME=web;EMPTY=").succeeded()
    assert node.calls()[0]["environment"]["CNI_ARGS"] == "IgnoreUnknown=1;FOO=a=b;K8S_POD_NAME=web;EMPTY="


def test_an_address_or_mac_of_cni_args_is_for_the_primary_alone(node: Node, pod: Pod) -> None:
    arguments = "IgnoreUnknown=1;IP=10.1.0.9;MAC=02:00:00:00:00:09;GATEWAY=10.1.0.1;FOO=bar"
    config = node.config(node.program("first"), node.program("second"))
    node.call("ADD", config, pod, CNI_ARGS=arguments).succeeded()
    node.call("DEL", config, pod, CNI_ARGS=arguments).succeeded()
    seen = {(call["name"], call["command"]): call["environment"]["CNI_ARGS"] for call in node.calls()}
    assert seen["first", "ADD"] == seen["first", "DEL"] == arguments
    assert seen["second", "ADD"] == seen["second", "DEL"] == "IgnoreUnknown=1;FOO=bar"


def test_programs_see_the_plugins_directory_before_the_runtimes(node: Node, pod: Pod, tmp_path: Path) -> None:
    only_there = node.program("sriov", directory=node.runtime_path)
    node.call("ADD", node.config(only_there), pod, CNI_PATH=f"{node.runtime_path}:{tmp_path}").succeeded()
    seen = node.calls()[0]["environment"]
    assert seen["CNI_PATH"] == f"{node.bin_dir}:{node.runtime_path}:{tmp_path}"
    assert (seen["CNI_IFNAME"], seen["CNI_NETNS"], seen["CNI_CONTAINERID"]) == ("eth0", pod.netns, "pod-1")


def test_five_programs_of_a_second_take_about_a_second(node: Node, make_pod: MakePod) -> None:
    """Results keep the configuration's order, whoever ends first."""
    pod = make_pod()
    delays = [1.0, 0.8, 1.0, 0.6, 0.9]
    slow = [
        node.program(f"p{at}", ADD={"sleep": delay, **printed({**RESULT, "ips": [{"address": f"192.0.2.{at}/24"}]})})
        for at, delay in enumerate(delays, start=1)
    ]
    node.call("ADD", node.config(node.program("first"), *slow), pod).succeeded()
    begun = [call["time"] for call in node.calls("ADD")[1:]]
    assert max(begun) - min(begun) < 0.6, "one after another they would begin seconds apart"
    attachments = node.record(pod).attachments
    assert [one.ifname for one in attachments] == ["eth0", "net1", "net2", "net3", "net4", "net5"]
    given = [str(ip.address) for one in attachments[1:] if one.result for ip in one.result.ips]
    assert given == [f"192.0.2.{at}/24" for at in range(1, 6)]


def test_keys_may_be_written_in_any_case(node: Node, pod: Pod) -> None:
    config = node.config(node.bridge())
    odd = {
        "CNIVersion": config["cniVersion"],
        "Name": "multus",
        "CniDir": config["cniDir"],
        "BINDIR": config["binDir"],
        "Delegates": [{**node.bridge(), "Bridge": "br7"}],
    }
    del odd["Delegates"][0]["bridge"]
    node.call("ADD", odd, pod).succeeded()
    assert node.links()["br7"] == "bridge"


def test_a_container_of_an_earlier_boot_is_attached_anew(node: Node, make_pod: MakePod) -> None:
    """Podman starts a container again, under its old ID and without a DEL, after the node has crashed."""
    config = node.config(node.bridge(), node.macvlan("red", "10.2.0.0/24"))
    node.call("ADD", config, make_pod()).succeeded()
    again = Pod(make_pod("again").netns, "pod-1")
    node.call("ADD", config, again).succeeded()
    assert again.links() == {"eth0": "veth", "net1": "macvlan"}
    node.call("DEL", config, again).succeeded()
    assert node.remains(again) == {}


def test_a_second_add_without_a_del_is_refused(node: Node, pod: Pod) -> None:
    config = node.config(node.bridge())
    node.call("ADD", config, pod).succeeded()
    before = node.record_file(pod).read_bytes()
    assert "attached already" in node.call("ADD", config, pod).failed(4)
    assert pod.links() == {"eth0": "veth"}
    assert node.record_file(pod).read_bytes() == before
