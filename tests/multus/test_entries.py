"""What network-status says of every shape of result: an entry for every attachment, always."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis.strategies import (
    booleans,
    builds,
    dictionaries,
    integers,
    just,
    lists,
    none,
    recursive,
    sampled_from,
    text,
)

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.config import Section
from cni_multus.cni.result import Interface, IpConfig, Result
from cni_multus.linux.codec import u32
from cni_multus.linux.linkinfo import IFLA_MTU
from cni_multus.linux.links import Link, add_veth
from cni_multus.multus.seen import Seen, SeenInterface
from cni_multus.multus.status import entries, render
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace
    from tests.conftest import MakeNamespace
    from tests.node import Node, Pod

POD = "/run/netns/pod"


def shown(
    result: dict[str, Any],
    *,
    primary: bool = False,
    seen: Seen | None = None,
    device_info: dict[str, object] | None = None,
) -> list[dict[str, Any]]:
    parsed = Result.parse(Section(result), result.get("cniVersion", "1.1.0"))
    return entries("blue", parsed, "net1", primary=primary, seen=seen, device_info=device_info)


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


NET1 = {"name": "blue", "interface": "net1"}
AS_SEEN = {"mac": "02:00:00:00:00:01", "mtu": 1400, "dns": {}, "gateway": ["10.2.0.1", "fd02::1"]}
ADDRESSES = ["10.2.0.5", "10.2.0.6", "fd02::5"]


@pytest.fixture
def seen(host: Namespace, container: Namespace) -> Seen:
    """A pod with `net1`, which has three addresses and the default routes, and `net1.1`, which has an address."""
    inside = Shown(container.path)
    for name in ("net1", "net1.1"):
        port = f"of-{name}"
        add_veth(host, port, peer=name, peer_namespace=container)
        Shown(host.path).run(f"ip link set {port} up")
        inside.run(f"ip link set {name} mtu 1400 up")
    inside.run("ip link set net1 address 02:00:00:00:00:01; ip link set net1.1 address 02:00:00:00:00:02")
    inside.run("ip addr add 10.2.0.5/24 dev net1; ip addr add 10.2.0.6/24 dev net1; ip addr add 10.3.0.5/24 dev net1.1")
    inside.run("ip addr add fd02::5/64 dev net1 nodad; ip -6 route add default via fd02::1 dev net1")
    inside.run("ip route add default via 10.2.0.1 dev net1")
    return Seen.look(container)


def test_what_is_seen_of_an_interface_goes_before_what_is_told(seen: Seen) -> None:
    """The result's addresses come first, in its order; those of the link alone are nobody else's business."""
    result = {
        "interfaces": [interface("net1", mac="02:00:00:00:00:99", mtu=9000)],
        "ips": [{"address": "fd02::5/64", "interface": 0}, {"address": "10.2.0.99/24", "interface": 0}],
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.2.0.99"}],
    }
    assert shown(result, seen=seen) == [{**NET1, "ips": ["fd02::5", "10.2.0.5", "10.2.0.6"], **AS_SEEN}]


@pytest.mark.parametrize(
    "result",
    [
        {"cniVersion": "0.2.0", "ip4": {"ip": "10.2.0.5/24"}},
        {"cniVersion": "1.0.0"},
        {"interfaces": [interface("cni0", ""), interface("veth1", "")], "ips": [{"address": "10.2.0.5/24"}]},
        {"interfaces": [interface("veth1", "")], "ips": [{"address": "10.2.0.5/24", "interface": 0}]},
        {"interfaces": [interface("net1")], "ips": [{"address": "10.2.0.5/24"}]},
        {"interfaces": [interface("net1"), interface("net1")], "ips": [{"address": "10.2.0.5/24", "interface": 1}]},
        {"interfaces": [interface("net1")], "ips": [{"address": "10.2.0.5/24"}] * 2},
    ],
    ids=["0.2.0", "empty", "of the node", "one of the node", "without an index", "twice", "an address twice"],
)
def test_whatever_the_result_is_like_the_interface_is_as_seen(seen: Seen, result: dict[str, Any]) -> None:
    assert shown(result, seen=seen) == [{**NET1, "ips": ADDRESSES, **AS_SEEN}]
    [entry] = shown(result, seen=seen, primary=True)
    assert entry["default"] is True


def test_addresses_are_shown_where_they_are(seen: Seen) -> None:
    result = {
        "interfaces": [interface("veth1", ""), interface("net1"), interface("net1.1")],
        "ips": [{"address": "10.3.0.5/24", "interface": 1}, {"address": "10.2.0.6/24", "interface": 0}],
    }
    assert [(entry["interface"], entry["ips"]) for entry in shown(result, seen=seen)] == [
        ("net1", ["10.2.0.6", "10.2.0.5", "fd02::5"]),
        ("net1.1", ["10.3.0.5"]),
    ]
    assert ["gateway" in entry for entry in shown(result, seen=seen)] == [True, False]


def test_what_is_not_in_the_namespace_is_as_told(seen: Seen, netns: MakeNamespace) -> None:
    """A device that a program drives by itself, or an interface of another namespace."""
    for result in (
        {"interfaces": [interface("dpdk0", mac="02:00:00:00:00:99")], "ips": [{"address": "10.9.0.5/24"}]},
        {
            "interfaces": [interface("net1", netns("other"), mac="02:00:00:00:00:99")],
            "ips": [{"address": "10.9.0.5/24"}],
        },
    ):
        [entry] = shown(result, seen=seen)
        assert (entry["mac"], entry["ips"]) == ("02:00:00:00:00:99", ["10.9.0.5"])
        assert not {"mtu", "gateway"} & set(entry)


def test_the_same_namespace_by_another_path_is_seen(seen: Seen, container: Namespace) -> None:
    [entry] = shown({"interfaces": [interface("net1", f"/proc/self/fd/{container.fd}")]}, seen=seen)
    assert entry["mac"] == "02:00:00:00:00:01"


def test_an_index_of_no_interface_stands_for_none() -> None:
    result = Result([Interface("net1", sandbox=POD)], [IpConfig(Cidr.parse("10.2.0.5/24"), interface=7)])
    assert entries("", result, "net1", primary=True) == [
        {"name": "", "interface": "net1", "ips": ["10.2.0.5"], "default": True, "dns": {}}
    ]


def test_the_device_stands_in_the_entries_of_its_attachment() -> None:
    info: dict[str, object] = {"type": "pci", "version": "1.1.0", "pci": {"pci-address": "0000:03:02.1"}}
    result = {"interfaces": [interface("net1")], "routes": [{"dst": "0.0.0.0/0", "gw": "10.2.0.1"}]}
    [entry] = shown(result, device_info=info)
    assert entry["device-info"] == info
    assert list(entry) == ["name", "interface", "dns", "device-info", "gateway"]


def test_the_text_is_laid_out_as_the_go_multus_does_it(seen: Seen) -> None:
    first = entries("primary", Result(), "eth0", primary=True)
    result = Result([Interface("net1", sandbox=POD)], [IpConfig(Cidr.parse("10.2.0.6/24"), interface=0)])
    second = entries("blue/<a&b>", result, "net1", primary=False, seen=seen, device_info={"type": "pci", "pci": {}})
    assert render([]) == "[]"
    assert (
        render([*first, *second])
        == """[{
    "name": "primary",
    "interface": "eth0",
    "default": true,
    "dns": {}
},{
    "name": "blue/\\u003ca\\u0026b\\u003e",
    "interface": "net1",
    "ips": [
        "10.2.0.6",
        "10.2.0.5",
        "fd02::5"
    ],
    "mac": "02:00:00:00:00:01",
    "mtu": 1400,
    "dns": {},
    "device-info": {
        "type": "pci",
        "pci": {}
    },
    "gateway": [
        "10.2.0.1",
        "fd02::1"
    ]
}]"""
    )


# What encoding/json of Go 1.22 prints.
GO = {
    'a"b\\c/d': r'"a\"b\\c/d"',
    "\b\f\n\r\t": r'"\b\f\n\r\t"',
    "\0\x1b\x1f\x7f": '"\\u0000\\u001b\\u001f\x7f"',
    "<&>'": r'"\u003c\u0026\u003e' + "'\"",
    "\u2028\u2029\u202a": '"\\u2028\\u2029\u202a"',
    "æ¼¢😀\ufffd": '"æ¼¢😀\ufffd"',
    "\udc80a": '"\\ufffda"',
}


@pytest.mark.parametrize("text", GO)
def test_strings_are_escaped_as_go_does_it(text: str) -> None:
    assert render([{"x": text}]) == '[{\n    "x": ' + GO[text] + "\n}]"


VALUES = recursive(
    none() | booleans() | integers() | text(),
    lambda inner: lists(inner) | dictionaries(text(), inner),
    max_leaves=12,
)


@given(lists(dictionaries(text(), VALUES), max_size=4))
def test_any_text_says_what_it_was_made_of(values: list[dict[str, object]]) -> None:
    rendered = render(values)
    assert json.loads(rendered) == values
    assert not set(rendered) & set("<>&\u2028\u2029")
    told = ",".join(json.dumps(value, indent=4, ensure_ascii=False) for value in values)
    for letter in "<>&\u2028\u2029":
        told = told.replace(letter, f"\\u{ord(letter):04x}")
    assert rendered == f"[{told}]"


SANDBOXES = sampled_from(["", POD, "/run/netns/other"])
INTERFACES = lists(builds(Interface, sampled_from(["", "net1", "net2", "veth1"]), just(""), SANDBOXES), max_size=5)
IPS = lists(
    builds(
        IpConfig,
        builds(Cidr, builds(Ip, just(4), integers(0, 3)), just(24)),
        none() | builds(Ip, just(4), just(9)),
        none() | integers(0, 6),
    ),
    max_size=6,
)
ORDER = ["name", "interface", "ips", "mac", "mtu", "default", "dns", "device-info", "gateway"]


@given(INTERFACES, IPS, booleans(), lists(sampled_from(["net1", "net2", "eth7"])))
def test_every_result_has_entries_and_a_primary_one_default(
    interfaces: list[Interface], ips: list[IpConfig], primary: bool, names: list[str]
) -> None:
    seen = Seen(POD, (0, 0), {name: SeenInterface(Link(7, 0, {IFLA_MTU: u32(1400)})) for name in names})
    for looked in (None, seen):
        found = entries("", Result(interfaces, ips), "net1", primary=primary, seen=looked, device_info={"type": "pci"})
        assert found
        assert [entry["default"] for entry in found if "default" in entry] == [True] * primary
        assert len({entry["interface"] for entry in found}) == len(found)
        for entry in found:
            assert list(entry) == [key for key in ORDER if key in entry]
            assert {"name", "interface", "dns", "device-info"} <= set(entry)
        assert json.loads(render(found)) == found
