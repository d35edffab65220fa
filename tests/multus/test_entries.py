"""What network-status says of every shape of result: an entry for every attachment, always."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.config import Section
from cni_multus.cni.result import Result
from cni_multus.multus.status import entries

if TYPE_CHECKING:
    from tests.node import Node, Pod

POD = "/run/netns/pod"


def shown(result: dict[str, Any], *, primary: bool = False) -> list[dict[str, Any]]:
    version = result.get("cniVersion", "1.1.0")
    return entries("blue", Result.parse(Section(result), version), "net1", primary=primary)


def interface(name: str, sandbox: str = POD, **more: object) -> dict[str, Any]:
    return {"name": name, **({"sandbox": sandbox} if sandbox else {}), **more}


def test_one_interface_has_all_addresses_without_their_length() -> None:
    result = {
        "interfaces": [interface("net1", mac="02:00:00:00:00:01", mtu=9000)],
        "ips": [{"address": "10.2.0.5/24", "interface": 0}, {"address": "fd00::5/64"}],
    }
    assert shown(result) == [
        {
            "name": "blue",
            "interface": "net1",
            "ips": ["10.2.0.5", "fd00::5"],
            "mac": "02:00:00:00:00:01",
            "mtu": 9000,
            "dns": {},
        }
    ]


def test_a_result_without_interfaces_still_has_its_entry() -> None:
    """Results of 0.2.0, and Calico's: the Go Multus says nothing of them."""
    assert shown({"cniVersion": "0.2.0", "ip4": {"ip": "10.2.0.5/24"}}, primary=True) == [
        {"name": "blue", "interface": "net1", "ips": ["10.2.0.5"], "default": True, "dns": {}}
    ]


def test_an_empty_result_still_has_its_entry() -> None:
    assert shown({"cniVersion": "1.0.0"}) == [{"name": "blue", "interface": "net1", "dns": {}}]


def test_an_interface_without_sandbox_counts_if_it_is_the_only_one() -> None:
    result = {"interfaces": [interface("vf0", "")], "ips": [{"address": "10.2.0.5/24", "interface": 0}]}
    assert shown(result) == [{"name": "blue", "interface": "vf0", "ips": ["10.2.0.5"], "dns": {}}]


def test_links_of_the_node_are_not_the_pods() -> None:
    result = {
        "interfaces": [interface("cni0", ""), interface("veth1", ""), interface("eth0")],
        "ips": [{"address": "10.1.0.5/24", "interface": 2}],
    }
    assert [entry["interface"] for entry in shown(result)] == ["eth0"]


def test_links_of_the_node_alone_still_make_an_entry() -> None:
    result = {"interfaces": [interface("cni0", ""), interface("veth1", "")], "ips": [{"address": "10.1.0.5/24"}]}
    assert shown(result) == [{"name": "blue", "interface": "net1", "ips": ["10.1.0.5"], "dns": {}}]


def test_several_interfaces_have_an_entry_each() -> None:
    """An address that says where it is stands there, one that does not with the last."""
    result = {
        "interfaces": [interface("veth1", ""), interface("net1"), interface("net1.1")],
        "ips": [
            {"address": "10.2.0.5/24", "interface": 1},
            {"address": "10.2.1.5/24", "interface": 2},
            {"address": "10.2.2.5/24"},
        ],
    }
    assert [(entry["interface"], entry["ips"]) for entry in shown(result)] == [
        ("net1", ["10.2.0.5"]),
        ("net1.1", ["10.2.1.5", "10.2.2.5"]),
    ]


@pytest.mark.parametrize(
    ("ips", "default"),
    [
        ([{"address": "10.2.1.5/24", "interface": 2, "gateway": "10.2.1.1"}], "net1.1"),
        ([{"address": "10.2.0.5/24", "interface": 1}, {"address": "10.2.1.5/24", "interface": 2}], "net1"),
        ([{"address": "10.2.1.5/24", "gateway": "10.2.1.1"}], "net1"),
        ([{"address": "10.2.1.5/24", "interface": 0, "gateway": "10.2.1.1"}], "net1"),
    ],
    ids=["the gateway's", "the first without gateways", "no interface", "an interface of the node"],
)
def test_one_interface_of_the_primary_is_the_default(ips: list[dict[str, object]], default: str) -> None:
    result = {"interfaces": [interface("veth1", ""), interface("net1"), interface("net1.1")], "ips": ips}
    assert [entry["interface"] for entry in shown(result, primary=True) if entry.get("default")] == [default]
    assert not any("default" in entry for entry in shown(result))


def test_gateways_are_those_of_default_routes() -> None:
    """One without a gateway says nothing; the Go Multus says `<nil>`."""
    result = {
        "interfaces": [interface("net1")],
        "routes": [
            {"dst": "0.0.0.0/0", "gw": "10.2.0.1"},
            {"dst": "::/0", "gw": "fd00::1"},
            {"dst": "0.0.0.0/0"},
            {"dst": "0.0.0.0/8", "gw": "10.2.0.9"},
        ],
    }
    assert shown(result)[0]["gateway"] == ["10.2.0.1", "fd00::1"]


def test_dns_is_always_there() -> None:
    dns = {"nameservers": ["10.0.0.53"], "domain": "example.org", "search": ["a"], "options": ["ndots:5"]}
    assert shown({"interfaces": [interface("net1")], "dns": dns})[0]["dns"] == dns


def test_the_journal_and_the_log_say_what_the_annotation_would(
    node: Node, pod: Pod, capfd: pytest.CaptureFixture[str]
) -> None:
    config = node.config(node.bridge(), node.macvlan("red", "10.2.0.0/24"), node.program("calico"), logLevel="verbose")
    node.call("ADD", config, pod).succeeded()
    kept = [entry for attachment in node.record(pod).attachments for entry in attachment.status]
    assert [(entry["name"], entry["interface"], entry["ips"]) for entry in kept] == [
        ("primary", "eth0", ["10.1.0.2"]),
        ("red", "net1", ["10.2.0.2"]),
        ("net-calico", "net2", ["192.0.2.1"]),
    ]
    assert [entry.get("default") for entry in kept] == [True, None, None]
    assert kept[0]["gateway"] == ["10.1.0.1"]
    told = re.search(r"\[verbose\] \[blue/pod-1/u1\] network-status: (.*)$", capfd.readouterr().err, re.MULTILINE)
    assert told is not None
    assert json.loads(told[1]) == kept
