"""portmap: what a configuration may say, and what ADD makes of it, as nft shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.portmapped import MINE, add, given, held, mapping, portmap, rules, ruleset, targets, told
from tests.plugins.runtime import VERSIONS, WITH_CHECK

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

WEB = mapping(8080)
DUAL = given("10.1.2.5/24", "2001:db8:1::5/64")

LAID_OUT = """\
chain hostports {
meta l4proto . th dport . ip daddr vmap @one4
meta nfproto ipv4 meta l4proto . th dport vmap @any4
meta l4proto . th dport . ip6 daddr vmap @one6
meta nfproto ipv6 meta l4proto . th dport vmap @any6
}
chain prerouting {
type nat hook prerouting priority dstnat; policy accept;
fib daddr type local jump hostports
}
chain output {
type nat hook output priority -100; policy accept;
fib daddr type local jump hostports
}
chain postrouting {
type nat hook postrouting priority srcnat; policy accept;
meta mark & 0x00002000 == 0x00002000 ct status & dnat == dnat masquerade comment "bit 13"
}
chain guard {
type filter hook prerouting priority raw; policy accept;
iif != "lo" ip daddr 127.0.0.0/8 drop
iif != "lo" ip saddr 127.0.0.0/8 drop
}
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_the_result_is_passed_on_in_every_version(version: str, node: Runtime, pod: Pod) -> None:
    previous: dict[str, Any] = {"cniVersion": version, "ips": [{"address": "10.1.2.5/24"}], "x-else": "kept"}
    if version in VERSIONS[:2]:
        previous = {"cniVersion": version, "ip4": {"ip": "10.1.2.5/24"}, "dns": {}}
    if "0.3" in version or version == "0.4.0":
        previous = {**previous, "ips": [{"address": "10.1.2.5/24", "version": "4"}], "dns": {}}
    config = portmap(WEB, version=version)
    assert node.ask("ADD", config, pod, previous).succeeded().document == previous
    assert held(node) == [f"tcp . 8080 of {MINE}"]
    if version in WITH_CHECK:
        node.check(config, pod, previous)
    node.delete(config, pod)
    assert held(node) == []


def test_the_table_reads_well(node: Runtime, pod: Pod) -> None:
    add(node, pod, WEB, mapping(53, "UDP", "127.0.0.1", to=5353), previous=DUAL)
    text = "".join(f"{line.strip()}\n" for line in ruleset(node).splitlines())
    assert LAID_OUT in text.replace("}\n\n", "}\n")
    assert held(node) == [f"tcp . 8080 of {MINE}", f"tcp . 8080 of {MINE}", f"udp . 53 . 127.0.0.1 of {MINE}"]
    assert 'comment "multus:blue:pod1:eth0"' in text
    assert told(node) == [
        "tcp 0.0.0.0:8080 -> 10.1.2.5:80",
        "tcp [::]:8080 -> [2001:db8:1::5]:80",
        "udp 127.0.0.1:53 -> 10.1.2.5:5353",
    ]
    assert targets(node.shown) == ["10.1.2.5 . 5353", "10.1.2.5 . 80", "2001:db8:1::5 . 80"]
    assert rules(node) == [
        'ip saddr 10.1.2.0/24 meta mark set meta mark | 0x00002000 comment "bit 13 from 10.1.2.0/24"',
        'ip saddr 127.0.0.0/8 meta mark set meta mark | 0x00002000 comment "bit 13 from 127.0.0.0/8"',
        'dnat ip to meta l4proto . th dport . ip daddr map @one4to comment "to one"',
        'meta nfproto ipv4 dnat ip to meta l4proto . th dport map @any4to comment "to any"',
        'ip6 saddr 2001:db8:1::/64 meta mark set meta mark | 0x00002000 comment "bit 13 from 2001:db8:1::/64"',
        'dnat ip6 to meta l4proto . th dport . ip6 daddr map @one6to comment "to one"',
        'meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @any6to comment "to any"',
    ]


def test_without_mappings_nothing_is_done(node: Runtime, pod: Pod) -> None:
    config = portmap()
    assert node.ask("ADD", config, pod, given()).succeeded().document["ips"] == given()["ips"]
    del config["runtimeConfig"]
    node.ask("ADD", config, pod, given()).succeeded()
    node.check(config, pod, given())
    node.delete(config, pod)
    assert ruleset(node) == ""


def test_it_must_follow_another_plugin(node: Runtime, pod: Pod) -> None:
    for config in (portmap(), portmap(WEB)):
        assert node.ask("ADD", config, pod).failed(7).startswith("prevResult: ")
    assert ruleset(node) == ""


@pytest.mark.parametrize(
    ("wrong", "code", "where"),
    [
        ({"backend": "ipchains"}, 7, "backend: "),
        ({"snat": "yes"}, 6, "snat "),
        ({"masqAll": 1}, 6, "masqAll "),
        ({"markMasqBit": 32}, 7, "markMasqBit: "),
        ({"markMasqBit": -1}, 7, "markMasqBit: "),
        ({"externalSetMarkChain": "KUBE-MARK-MASQ", "markMasqBit": 13}, 7, "externalSetMarkChain: "),
        ({"externalSetMarkChain": "KUBE-MARK-MASQ", "backend": "nftables"}, 7, "externalSetMarkChain: "),
        ({"conditionsV4": "ip saddr 10.0.0.1"}, 6, "conditionsV4 "),
        ({"conditionsV4": ["ip", "saddr", "ten"]}, 7, "conditionsV4: "),
        ({"backend": "iptables", "conditionsV4": ["a"], "conditionsV6": ["b"]}, 7, "conditionsV4 conditionsV6: "),
        ({"backend": "nftables", "conditionsV4": ["-s"], "conditionsV6": ["!"]}, 7, "conditionsV4 conditionsV6: "),
        ({"runtimeConfig": {"portMappings": {}}}, 6, "runtimeConfig.portMappings "),
        ({"runtimeConfig": {"portMappings": ["8080:80"]}}, 6, "runtimeConfig.portMappings[0] "),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_with_its_path_before_anything_happens(
    wrong: dict[str, Any], code: int, where: str, node: Runtime, pod: Pod
) -> None:
    """The reference's options for the other backend are refused as it refuses them, all of them named."""
    config = {**portmap(WEB), **wrong}
    for verb in ("ADD", "CHECK"):
        assert node.ask(verb, config, pod, given()).failed(code).startswith(where)
    assert node.ask("STATUS", config).failed(code).startswith(where)
    assert ruleset(node) == ""


@pytest.mark.parametrize(
    ("wrong", "code", "where"),
    [
        ({"hostPort": 0}, 7, "hostPort: "),
        ({"hostPort": 65536}, 7, "hostPort: "),
        ({"hostPort": None}, 7, "hostPort: it is missing"),
        ({"hostPort": "8080"}, 6, "hostPort "),
        ({"containerPort": 0}, 7, "containerPort: "),
        ({"containerPort": 70000}, 7, "containerPort: "),
        ({"containerPort": None}, 7, "containerPort: it is missing"),
        ({"protocol": "icmp"}, 7, "protocol: "),
        ({"protocol": 6}, 6, "protocol "),
        ({"hostIP": "ten"}, 7, "hostIP: "),
        ({"hostIP": "10.0.0.0/8"}, 7, "hostIP: "),
        ({"hostIP": "}; flush ruleset"}, 7, "hostIP: "),
    ],
    ids=str,
)
def test_a_mapping_that_cannot_be_is_told_before_anything_happens(
    wrong: dict[str, Any], code: int, where: str, node: Runtime, pod: Pod
) -> None:
    """BUG of the reference: ports beyond 65535, protocols and addresses meet the kernel, or nft's own syntax."""
    config = portmap(WEB, {**mapping(8081), **wrong})
    message = node.ask("ADD", config, pod, given()).failed(code)
    assert message.startswith(f"runtimeConfig.portMappings[1].{where}")
    assert ruleset(node) == ""


def test_what_nftables_cannot_do_names_what_can(node: Runtime, pod: Pod) -> None:
    message = node.ask("ADD", portmap(WEB, externalSetMarkChain="KUBE-MARK-MASQ"), pod, given()).failed(2)
    assert "markMasqBit" in message
    assert "14" in message
    add(node, pod, WEB, externalSetMarkChain="KUBE-MARK-MASQ", snat=False)


@pytest.mark.parametrize("backend", ["iptables", "nftables", ""])
def test_either_backend_is_ours(backend: str, node: Runtime, pod: Pod) -> None:
    add(node, pod, WEB, backend=backend)
    assert held(node) == [f"tcp . 8080 of {MINE}"]
    assert "CNI" not in node.shown.run("iptables-save -t nat")


@pytest.mark.parametrize("protocol", ["tcp", "TCP", "udp", "Udp", "sctp", "SCTP", ""])
def test_protocols_are_read_in_any_case(protocol: str, node: Runtime, pod: Pod) -> None:
    add(node, pod, mapping(8080, protocol))
    assert held(node) == [f"{protocol.lower() or 'tcp'} . 8080 of {MINE}"]


@pytest.mark.parametrize(
    ("addresses", "families"),
    [(("10.1.2.5/24",), "4"), (("2001:db8:1::5/64",), "6"), (("10.1.2.5/24", "2001:db8:1::5/64"), "46")],
    ids=["IPv4", "IPv6", "both"],
)
@pytest.mark.parametrize(
    ("address", "meant"),
    [("", "46"), ("0.0.0.0", "4"), ("::", "6"), ("192.0.2.7", "4"), ("2001:db8::7", "6"), ("::ffff:192.0.2.7", "4")],
)
def test_a_host_ip_speaks_for_its_family(
    address: str, meant: str, addresses: tuple[str, ...], families: str, node: Runtime, pod: Pod
) -> None:
    config = portmap(mapping(8080, "tcp", address))
    expected = set(meant) & set(families)
    if not expected:
        message = node.ask("ADD", config, pod, given(*addresses)).failed(7)
        assert message.startswith("runtimeConfig.portMappings[0].hostIP: ")
        assert ruleset(node) == ""
        return
    node.ask("ADD", config, pod, given(*addresses)).succeeded()
    assert {"6" if target.startswith("2001") else "4" for target in targets(node.shown)} == expected
    single = address in ("192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7")
    assert [len(key.split(" . ")) for key in held(node)] == [3 if single else 2] * len(expected)


def test_an_address_of_the_other_family_is_passed_over_where_the_port_is_served_anyway(node: Runtime, pod: Pod) -> None:
    """Runtimes publish at 0.0.0.0 and at ::, whatever the pod has."""
    add(node, pod, mapping(8080, address="0.0.0.0"), mapping(8080, address="::"))
    assert held(node) == [f"tcp . 8080 of {MINE}"]
    config = portmap(mapping(8080, address="0.0.0.0"), mapping(8081, address="::"))
    assert "[1].hostIP" in node.ask("ADD", config, pod, given()).failed(7)


def test_a_pod_without_addresses_cannot_be_led_to(node: Runtime, pod: Pod) -> None:
    bare = {"cniVersion": "1.1.0", "interfaces": [{"name": "eth0", "sandbox": "/x"}]}
    assert "no address" in node.ask("ADD", portmap(WEB), pod, bare).failed(7)
    assert ruleset(node) == ""


@pytest.mark.parametrize(
    "twice",
    [
        [mapping(8080), mapping(8080, to=81)],
        [mapping(8080, "tcp"), mapping(8080, "TCP")],
        [mapping(8080), mapping(8080, address="0.0.0.0")],
        [mapping(8080, address="192.0.2.1"), mapping(8080, address="::ffff:192.0.2.1")],
    ],
)
def test_the_same_port_twice_is_refused(twice: list[dict[str, Any]], node: Runtime, pod: Pod) -> None:
    message = node.ask("ADD", portmap(mapping(1), *twice), pod, given()).failed(7)
    assert message.startswith("runtimeConfig.portMappings[2]: ")
    assert "runtimeConfig.portMappings[1]" in message
    assert ruleset(node) == ""


def test_the_containers_own_addresses_are_taken(node: Runtime, pod: Pod) -> None:
    interfaces = [{"name": "eth0"}, {"name": "net1", "sandbox": "/x"}, {"name": "eth0", "sandbox": "/x"}]
    addresses = [("10.0.0.1/24", 0), ("10.0.0.2/24", 1), ("10.0.0.3/24", 2), ("10.0.0.4/24", 2), ("fd00::5/64", None)]
    ips = [{"address": ip, **({"interface": at} if at is not None else {})} for ip, at in addresses]
    previous = {"cniVersion": "1.1.0", "interfaces": interfaces, "ips": ips}
    add(node, pod, WEB, previous=previous)
    assert targets(node.shown) == ["10.0.0.3 . 80", "fd00::5 . 80"]


def test_without_snat_nothing_is_marked(node: Runtime, pod: Pod) -> None:
    add(node, pod, WEB, snat=False)
    assert len(rules(node)) == 2
    assert "masquerade" not in ruleset(node)


def test_with_masqall_everything_is_marked(node: Runtime, pod: Pod) -> None:
    add(node, pod, WEB, masqAll=True)
    assert rules(node)[0] == 'meta nfproto ipv4 meta mark set meta mark | 0x00002000 comment "bit 13"'


def test_a_bit_that_several_use_has_one_rule(node: Runtime, make_pod: MakePod) -> None:
    for number, bit in enumerate((13, 13, 0, 31, 31)):
        add(node, make_pod(f"pod{number}"), mapping(8000 + number), markMasqBit=bit)
    listed = node.shown.run("nft list chain inet multus_hostports postrouting")
    assert [line.rpartition("bit ")[2].strip('"') for line in listed.splitlines() if "masquerade" in line] == [
        "13",
        "0",
        "31",
    ]
