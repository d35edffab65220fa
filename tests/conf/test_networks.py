"""Every network of conf/, attached, checked and detached with cnitool; the README beside it explains it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.terminal import ROOT, Terminal
from tests.plugins.limited import qdiscs
from tests.plugins.portmapped import targets
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONF = ROOT / "conf"
LIMITS = {"ingressRate": 100_000_000, "ingressBurst": 8_000_000, "egressRate": 50_000_000, "egressBurst": 4_000_000}

CAPABILITIES = {
    "bridge/fixed-mac": {"mac": "02:00:00:00:00:07"},
    "macvlan/no-addresses": {"mac": "02:00:00:00:00:08"},
    "host-local/requested": {"ips": ["192.168.13.77"], "ipRanges": [[{"subnet": "fd00:13::/64"}]]},
    "static/requested": {"ips": ["192.168.21.9/24"]},
    "whereabouts/requested": {"ips": ["192.168.42.77", "192.168.42.200/24"]},
    "tap/machine": {"mac": "02:00:00:00:00:09"},
    "bandwidth/requested": {"bandwidth": {**LIMITS, "ingressRate": 20_000_000}},
    "tuning/mac": {"mac": "02:00:00:00:00:0a"},
    "portmap/published": {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]},
    "portmap/conditions": {"portMappings": [{"hostPort": 8081, "containerPort": 80, "protocol": "tcp"}]},
}


def name_of(path: Path) -> str:
    return str(path.relative_to(CONF).with_suffix(""))


ELSEWHERE = {"host-device/allocated", "whereabouts/cluster"}
"""They want a virtual function of a card, and an API server: tests/vm/test_host_device.py runs the one,
tests/ipam/whereabouts/cluster/test_plugin_slices.py the other."""

EXAMPLES = {name_of(path): path for path in sorted(CONF.glob("*/*.conflist")) if name_of(path) not in ELSEWHERE}

OF_ANOTHER_KERNEL = {"dummy", "ipvlan", "vlan", "vrf", "bridge/vlan", "bridge/trunk"}
"""What the machine's own may lack, as folders or examples: they run in the virtual machine."""

TUNED = {
    "core/somaxconn": "1024",
    "ipv4/ip_local_port_range": "20000\t60999",
    "ipv4/conf/eth0/arp_filter": "1",
    "ipv6/conf/eth0/accept_ra": "0",
}

Expected = dict[str, "Callable[[Shown, Shown, dict[str, Any]], bool]"]

SHOWN: Expected = {
    "bridge/l2": lambda pod, node, result: (
        pod.link("eth0")["mtu"] == 1450 and pod.addresses("eth0") == set() and "br-l2" in node.links()
    ),
    "bridge/gateway": lambda pod, node, result: (
        pod.addresses("eth0") == {"10.244.1.2/24"}
        and node.addresses("cni0") == {"10.244.1.1/24"}
        and any(route.startswith("default via 10.244.1.1") for route in pod.routes())
    ),
    "bridge/dual-stack": lambda pod, node, result: (
        pod.addresses("eth0") == {"10.244.2.2/24", "fd00:10:244:2::2/64"}
        and node.addresses("cni1") == {"10.244.2.1/24", "fd00:10:244:2::1/64"}
        and any(route.startswith("default via fd00:10:244:2::1") for route in pod.routes(6))
    ),
    "bridge/fixed-mac": lambda pod, node, result: (
        pod.link("eth0")["address"] == "02:00:00:00:00:07" and node.link("br-mac")["promiscuity"] > 0
    ),
    "bridge/vlan": lambda pod, node, result: (
        pod.addresses("eth0") == {"10.244.100.2/24"}
        and node.addresses("br-vlans.100") == {"10.244.100.1/24"}
        and result["interfaces"][3]["name"] == "br-vlans.100"
        and pod.reaches("10.244.100.1")
    ),
    "bridge/trunk": lambda pod, node, result: (
        node.link("br-vlans")["linkinfo"]["info_data"]["vlan_filtering"] == 1
        and "200-299" in node.run(f"bridge -compressvlans vlan show dev {result['interfaces'][1]['name']}")
    ),
    "bridge/untrusted": lambda pod, node, result: (
        result["interfaces"][2]["mac"] in node.run("nft list table bridge multus_macspoof")
        and "10.244.5.2" in node.run("nft list table inet multus_masquerade")
        and pod.reaches("10.244.5.1")
    ),
    "bridge/interface-down": lambda pod, node, result: not pod.is_up("eth0"),
    "ptp/routed": lambda pod, node, result: (
        pod.addresses("eth0") == {"10.244.20.2/24", "fd00:10:244:20::2/64"}
        and node.addresses(result["interfaces"][0]["name"]) == {"10.244.20.1/32", "fd00:10:244:20::1/128"}
        and pod.link("eth0")["mtu"] == 1400
        and all(any(route.startswith("default via") for route in pod.routes(family)) for family in (4, 6))
    ),
    "ptp/masquerade": lambda pod, node, result: (
        pod.addresses("eth0") == {"10.244.21.2/24"}
        and "10.244.21.2" in node.run("nft list map inet multus_masquerade sources4")
        and result["dns"] == {"nameservers": ["10.244.21.1"]}
    ),
    "ptp/single-address": lambda pod, node, result: (
        pod.addresses("eth0") == {"192.0.2.5/32"}
        and any(route.startswith("default via 169.254.1.1") for route in pod.routes())
        and any(route.startswith("192.0.2.5 dev veth") for route in node.routes())
    ),
    "macvlan/bridge": lambda pod, node, result: macvlan(pod, "bridge"),
    "macvlan/private": lambda pod, node, result: macvlan(pod, "private"),
    "macvlan/vepa": lambda pod, node, result: macvlan(pod, "vepa"),
    "macvlan/passthru": lambda pod, node, result: macvlan(pod, "passthru"),
    "macvlan/no-addresses": lambda pod, node, result: (
        pod.addresses("eth0") == set()
        and (pod.link("eth0")["mtu"], pod.link("eth0")["address"]) == (1400, "02:00:00:00:00:08")
    ),
    "macvlan/in-container": lambda pod, node, result: pod.addresses("net1") == {"192.168.9.2/24"},
    "ipvlan/l2": lambda pod, node, result: (
        ipvlan(pod) == ["l2", "private"]
        and pod.addresses("eth0") == {"192.168.1.200/24"}
        and any(route.startswith("default via 192.168.1.1") for route in pod.routes())
    ),
    "ipvlan/l3": lambda pod, node, result: (
        ipvlan(pod) == ["l3", "bridge"] and any(route.startswith("default dev eth0") for route in pod.routes())
    ),
    "vlan/vlan": lambda pod, node, result: (
        pod.link("eth0")["linkinfo"]["info_data"]["id"] == 100
        and pod.addresses("eth0") == {"192.168.100.5/24"}
        and any(route.startswith("default via 192.168.100.1") for route in pod.routes())
    ),
    "dummy/dummy": lambda pod, node, result: (
        pod.link("eth0")["linkinfo"]["info_kind"] == "dummy" and pod.addresses("eth0") == {"203.0.113.10/32"}
    ),
    "tap/machine": lambda pod, node, result: (
        {**tap(pod), "user": 107, "group": 107, "multi_queue": True} == tap(pod)
        and (pod.link("eth0")["mtu"], pod.link("eth0")["address"]) == (1400, "02:00:00:00:00:09")
        and pod.addresses("eth0") == {"192.168.30.1/24"}
    ),
    "tap/bridged": lambda pod, node, result: tap(pod)["type"] == "tap" and pod.link("eth0")["master"] == "br0",
    "host-device/device": lambda pod, node, result: (
        pod.addresses("eth0") == {"192.168.50.10/24"} and "ens5" not in node.links()
    ),
    "host-device/address": lambda pod, node, result: (
        pod.link("eth0")["address"] == "02:00:00:00:00:05" and pod.is_up("eth0") and "ens5" not in node.links()
    ),
    "host-local/range": lambda pod, node, result: (
        pod.addresses("eth0") == {"192.168.10.100/24"}
        and {route["dst"]: route.get("mtu") for route in result["routes"]}
        == {"0.0.0.0/0": None, "10.20.0.0/16": 1400, "10.30.0.0/16": None}
        and len(pod.routes()) == 4
    ),
    "host-local/sets": lambda pod, node, result: pod.addresses("eth0") == {"192.168.11.10/24", "fd00:192:168:11::2/64"},
    "host-local/requested": lambda pod, node, result: pod.addresses("eth0") == {"192.168.13.77/24", "fd00:13::2/64"},
    "static/addresses": lambda pod, node, result: (
        pod.addresses("eth0") == {"192.168.20.5/24", "fd00:192:168:20::5/64"}
        and result["dns"]["options"] == ["ndots:2"]
        and any(route.startswith("10.20.0.0/16 via 192.168.20.1") for route in pod.routes())
    ),
    "static/requested": lambda pod, node, result: (
        pod.addresses("eth0") == {"192.168.21.9/24"} and result["ips"][0]["gateway"] == "192.168.21.1"
    ),
    "whereabouts/range": lambda pod, node, result: (
        pod.addresses("eth0") == {"192.168.40.4/24"}
        and any(route.startswith("10.20.0.0/16 via 192.168.40.1") for route in pod.routes())
        and any(route.startswith("10.30.0.0/16 via 192.168.40.3") for route in pod.routes())
    ),
    "whereabouts/dual-stack": lambda pod, node, result: (
        pod.addresses("eth0") == {"192.168.41.10/24", "fd00:192:168:41::100/64"}
        and [ip["gateway"] for ip in result["ips"]] == ["192.168.41.1", "fd00:192:168:41::1"]
        and result["dns"] == {"nameservers": ["192.168.41.53"]}
    ),
    "whereabouts/requested": lambda pod, node, result: (
        pod.addresses("eth0") == {"192.168.42.77/25", "192.168.42.200/24"}
    ),
    "chain/loopback": lambda pod, node, result: pod.is_up("lo") and pod.addresses("eth0") == {"10.244.3.2/24"},
    "chain/program": lambda pod, node, result: (
        pod.link("eth0")["mtu"] == 1400 and pod.setting("ipv4/conf/eth0/arp_filter") == "1"
    ),
    "firewall/open": lambda pod, node, result: "10.71.0.2" in node.run("nft list set inet multus_firewall pods4"),
    "firewall/same-bridge": lambda pod, node, result: (
        '"br-tenant"' in node.run("nft list set inet multus_firewall guarded")
    ),
    "sbr/own-way": lambda pod, node, result: (
        "from 192.168.30.1 lookup 100" in pod.run("ip rule")
        and any(route.startswith("default via 192.168.30.254 dev eth0") for route in pod.routes(4, "100"))
        and any(route.startswith("default via fd00:192:168:30::1 dev eth0") for route in pod.routes(6, "101"))
        and pod.routes() == pod.routes(6) == []
    ),
    "sbr/requested": lambda pod, node, result: (
        pod.routes() == []
        and any(route.startswith("default via 192.168.31.254 dev eth0") for route in pod.routes(4, "100"))
        and any(route.startswith("10.20.0.0/16 via 192.168.31.1 dev eth0") for route in pod.routes(4, "100"))
    ),
    "sbr/table": lambda pod, node, result: (
        "from 192.168.32.2 lookup 5000" in pod.run("ip rule")
        and len(pod.routes(4, "5000")) == 2
        and len(pod.routes()) == 1
    ),
    "vrf/tenant": lambda pod, node, result: (
        pod.link("eth0")["master"] == "tenant"
        and any(route.startswith("default via 192.168.33.1 dev eth0") for route in pod.routes(4, "1"))
        and any(route.startswith("default via fd00:192:168:33::1 dev eth0") for route in pod.routes(6, "1"))
    ),
    "vrf/table": lambda pod, node, result: pod.link("storage")["linkinfo"]["info_data"]["table"] == 2000,
    "bandwidth/bridge": lambda pod, node, result: (
        {rate for _, rate in buckets(node)} == {12_500_000, 6_250_000}
        and result["interfaces"][3]["name"] in dict(buckets(node))
    ),
    "bandwidth/macvlan": lambda pod, node, result: (
        buckets(node) == [] and {rate for _, rate in buckets(pod)} == {12_500_000, 6_250_000}
    ),
    "bandwidth/requested": lambda pod, node, result: {rate for _, rate in buckets(node)} == {2_500_000, 6_250_000},
    "tuning/settings": lambda pod, node, result: (
        {name: pod.setting(name) for name in TUNED} == TUNED and pod.addresses("eth0") == {"10.244.5.2/24"}
    ),
    "tuning/link": lambda pod, node, result: (
        {"PROMISC", "ALLMULTI"} <= set(pod.link("eth0")["flags"])
        and (pod.link("eth0")["mtu"], pod.link("eth0")["txqlen"], result["interfaces"][0]["mtu"]) == (1400, 500, 1400)
    ),
    "tuning/mac": lambda pod, node, result: (
        result["interfaces"][0]["mac"] == pod.link("eth0")["address"] == "02:00:00:00:00:0a"
        and pod.setting("ipv4/conf/eth0/log_martians") == "1"
    ),
    "portmap/published": lambda pod, node, result: (
        targets(node) == ["10.244.80.2 . 80", "fd00:10:244:80::2 . 80"]
        and node.setting("ipv4/conf/cni-ports/route_localnet") == "1"
    ),
    "portmap/conditions": lambda pod, node, result: (
        targets(node) == ["10.244.81.2 . 80"]
        and "meta mark & 0x00100000 == 0x00100000" in node.run("nft list table inet multus_hostports")
        and 'iifname "wlan*" return' in node.run("nft list table inet multus_hostports")
    ),
    "portmap/seen": lambda pod, node, result: (
        targets(node) == ["10.244.82.2 . 443", "10.244.82.2 . 53"]
        and "masquerade" not in node.run("nft list table inet multus_hostports")
        and "ip saddr 192.0.2.0/24 return" in node.run("nft list table inet multus_hostports")
    ),
    "chain/folder": lambda pod, node, result: "ALLMULTI" in pod.link("eth0")["flags"],
}


def buckets(shown: Shown) -> list[tuple[str, int]]:
    """The links that have a token bucket, with its rate in bytes per second."""
    return [(one["dev"], one["options"]["rate"]) for one in qdiscs(shown) if one["kind"] == "tbf"]


def macvlan(pod: Shown, mode: str) -> bool:
    return pod.link("eth0")["linkinfo"]["info_data"]["mode"] == mode and pod.addresses("eth0") == {"192.168.1.200/24"}


def ipvlan(pod: Shown) -> list[str]:
    data = pod.link("eth0")["linkinfo"]["info_data"]
    return [data["mode"], *(flag for flag in ("bridge", "private", "vepa") if data.get(flag))]


def tap(pod: Shown) -> dict[str, Any]:
    data: dict[str, Any] = pod.link("eth0")["linkinfo"]["info_data"]
    return data


def installed(node: Terminal, name: str) -> str:
    """Copy an example to the node, its files of reservations below the test's directory; the network's name."""
    config = json.loads(EXAMPLES[name].read_text())
    for plugin in config["plugins"]:
        if "ipam" in plugin:
            of_whereabouts = plugin["ipam"]["type"] == "whereabouts"
            plugin["ipam"]["dataDir"] = str(node.leases if of_whereabouts else node.addresses)
    node.write(EXAMPLES[name].name, config)
    folder = EXAMPLES[name].parent / config["name"]
    if folder.is_dir():
        shutil.copytree(folder, node.networks / folder.name)
    return str(config["name"])


def variables(name: str) -> dict[str, str]:
    given = {"CNI_IFNAME": "net1"} if name == "macvlan/in-container" else {}
    return {**given, **({"CAP_ARGS": json.dumps(CAPABILITIES[name])} if name in CAPABILITIES else {})}


def test_every_example_has_its_expectation() -> None:
    assert set(SHOWN) == set(EXAMPLES)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.vm if OF_ANOTHER_KERNEL & {name, name.split("/")[0]} else ())
        for name in EXAMPLES
    ],
)
def test_an_example_does_what_its_readme_says(node: Terminal, pod: str, inside: Shown, name: str) -> None:
    network, environment = installed(node, name), variables(name)
    if name == "macvlan/in-container":
        node.cnitool("add", installed(node, "bridge/l2"), pod).succeeded()
    if name == "tap/bridged":
        inside.run("ip link add br0 type bridge")
    before = inside.links()
    node.cnitool("status", network, **environment).succeeded()
    result = node.cnitool("add", network, pod, **environment).succeeded().document
    assert node.attached() or not name.startswith("whereabouts/")
    assert SHOWN[name](inside, Shown(node.host.path), result)
    node.cnitool("check", network, pod, **environment).succeeded()
    node.cnitool("del", network, pod, **environment).succeeded()
    assert inside.links() == before
    assert node.reserved(network) == {}
    assert node.attached() == []


@pytest.mark.parametrize("path", sorted(CONF.glob("**/*.conf*")), ids=lambda path: str(path.relative_to(CONF)))
def test_every_example_is_explained(path: Path) -> None:
    text = (CONF / path.relative_to(CONF).parts[0] / "README.md").read_text()
    assert f"`{path.relative_to(CONF / path.relative_to(CONF).parts[0])}`" in text
    assert keys_of(json.loads(path.read_text())) <= {word.strip('"') for word in text.split("`")[1::2]}


def keys_of(value: object) -> set[str]:
    """Every key of a configuration, but those of `sysctl`, which are the kernel's names."""
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    if not isinstance(value, dict):
        return set()
    return set(value).union(
        *(keys_of(member) for key, member in value.items() if key not in ("sysctl", "capabilities"))
    )
