"""vrf: what it refuses, on any kernel; what it makes and takes back, on one that has VRFs."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.request import VALID_ATTACHMENTS
from tests.node import UPLINK
from tests.plugins.routed import Routed
from tests.plugins.runtime import VERSIONS
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.conftest import MakeNamespace
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown

GATEWAYS = "ip route add 10.9.0.0/16 via 10.2.0.9 mtu 1400; ip -6 route add 2001:db8:9::/64 via 2001:db8:2::9"
PEERS = {"net1": "peer1", "net2": "peernet2"}
MADE = [
    "10.2.0.0/24 dev net1 src 10.2.0.2",
    "10.9.0.0/16 via 10.2.0.9 dev net1 mtu 1400",
    "broadcast 10.2.0.255 dev net1 src 10.2.0.2",
    "local 10.2.0.2 dev net1 scope host src 10.2.0.2",
]


@pytest.fixture
def routed(node: Runtime, pod: Pod, inside: Shown) -> Routed:
    made = Routed(node, pod, inside, "vrf", vrfname="blue")
    made.address("10.2.0.2/24", "10.2.0.1")
    made.address("2001:db8:2::2/64", "2001:db8:2::1")
    inside.run(GATEWAYS)
    return made


def other(routed: Routed, ifname: str = "net2", address: str = "10.3.0.2/24") -> Routed:
    """Another interface of the same pod, and what is asked for it."""
    made = Routed.__new__(Routed)
    made.__dict__.update(vars(routed))
    made.ifname = ifname
    made.ips = [{"address": address, "interface": 1}]
    routed.inside.run(f"ip link add {ifname} up type veth peer name peer{ifname}; ip link set peer{ifname} up")
    routed.inside.run(f"ip addr add {address} dev {ifname} {'nodad' if ':' in address else ''}")
    return made


def beyond(routed: Routed, ifname: str, netns: str) -> Shown:
    """The other end of an interface in a namespace of its own, with an address of the same network."""
    there, name = Shown(netns), PEERS[ifname]
    with open(netns, "rb") as file:
        routed.inside.run(f"ip link set {name} netns /proc/{os.getpid()}/fd/{file.fileno()}")
    there.run(f"ip addr add 10.2.0.9/24 dev {name}; ip link set {name} up")
    return there


def master(routed: Routed, ifname: str = "net1") -> str | None:
    found: str | None = routed.inside.link(ifname).get("master")
    return found


def table_of(routed: Routed, vrf: str) -> int:
    table: int = routed.inside.link(vrf)["linkinfo"]["info_data"]["table"]
    return table


# On any kernel.


@pytest.mark.parametrize(
    ("keys", "code", "says"),
    [
        ({"vrfname": ""}, 7, "vrfname: "),
        ({"vrfname": "a" * 16}, 7, "vrfname: "),
        ({"vrfname": "a/b"}, 7, "vrfname: "),
        ({"vrfname": "net1"}, 7, "vrfname: net1 is the interface itself"),
        ({"vrfname": "eth0"}, 7, "vrfname: eth0 is a veth of the pod, not a VRF"),
        ({"table": 254}, 7, "table: 254 is one of the kernel's own"),
        ({"table": 1 << 32}, 7, "table: "),
        ({"table": "10"}, 6, "table "),
        ({"dataDir": "somewhere"}, 7, "dataDir: "),
    ],
)
def test_a_wrong_value_is_told_with_its_key(routed: Routed, keys: dict[str, object], code: int, says: str) -> None:
    assert routed.refused(code, **keys).startswith(says)


def test_an_interface_that_has_a_master_is_refused(routed: Routed) -> None:
    routed.inside.run("ip link add br0 type bridge; ip link set net1 master br0")
    assert "another master" in routed.refused(7)


def test_an_interface_that_is_not_there_is_refused(routed: Routed) -> None:
    routed.inside.run("ip link del net1")
    assert "has no net1" in routed.refused(4)


@pytest.mark.parametrize("version", VERSIONS)
def test_it_must_follow_another_plugin(node: Runtime, pod: Pod, version: str) -> None:
    config = {"cniVersion": version, "name": "blue", "type": "vrf", "vrfname": "blue"}
    assert "must follow another" in node.ask("ADD", config, pod).failed(7)


@pytest.mark.parametrize("path", [None, "", "/nowhere/at/all"])
def test_delete_of_what_was_never_added_succeeds(routed: Routed, path: str | None) -> None:
    """BUG of the reference: without the interface it fails, and nothing else of the list is detached."""
    netns = routed.pod.netns if path is None else path
    routed.delete(CNI_NETNS=netns)
    routed.inside.run("ip link del net1")
    routed.delete(previous=False, CNI_NETNS=netns)
    routed.config["vrfname"] = 7
    routed.delete(CNI_NETNS=netns)


def test_status_says_what_is_wrong(routed: Routed) -> None:
    routed.node.ask("STATUS", routed.config).succeeded()
    routed.node.ask("STATUS", {**routed.config, "vrfname": ""}).failed(7)
    routed.data.write_text("a file")
    assert "dataDir" in routed.node.ask("STATUS", routed.config).failed(50)


# Where the kernel has VRFs.


@pytest.mark.vm
def test_an_interface_moves_into_a_vrf_with_all_that_it_has(routed: Routed) -> None:
    before = routed.everything()
    assert {**routed.add(), "routes": []} == routed.previous
    assert (master(routed), table_of(routed, "blue"), routed.inside.is_up("blue")) == ("blue", 1, True)
    assert [line.replace("table 1 ", "") for line in routed.table(1)] == MADE
    v6 = routed.table(1, 6)
    assert "2001:db8:9::/64 via 2001:db8:2::9 dev net1 metric 1024" in v6
    assert "2001:db8:2::/64 dev net1 metric 256" in v6
    assert routed.inside.addresses("net1") == {"10.2.0.2/24", "2001:db8:2::2/64"}
    assert routed.table() == ["10.1.0.0/24 dev eth0 src 10.1.0.2", "default via 10.1.0.1 dev eth0"]
    routed.check()
    once = routed.everything()
    routed.add()
    assert routed.everything() == once
    routed.delete(previous=False)
    # The kernel adds its rule for VRFs with the first one, and never again.
    after = routed.everything()
    assert [rule for rule in after.pop("rules") if "l3mdev" not in rule] == before.pop("rules")
    assert after == before
    routed.delete()


@pytest.mark.vm
def test_several_interfaces_share_a_vrf_which_goes_with_the_last(routed: Routed) -> None:
    second = other(routed)
    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(routed.add), pool.submit(second.add)]:
            each.result()
    assert (master(routed), master(routed, "net2")) == ("blue", "blue")
    assert {"10.2.0.0/24 dev net1 src 10.2.0.2", "10.3.0.0/24 dev net2 src 10.3.0.2"} <= set(routed.table(1))
    routed.check()
    second.check()
    routed.delete()
    assert (master(routed), master(routed, "net2")) == (None, "blue")
    second.check()
    second.delete()
    assert "blue" not in routed.inside.links()


@pytest.mark.vm
def test_the_same_address_may_be_in_several_vrfs(routed: Routed, netns: MakeNamespace) -> None:
    """Packets decide: each is answered by the way that it came."""
    second = other(routed, address="10.2.0.2/24")
    second.config = {**second.config, "vrfname": "red", "name": "red"}
    fars = [beyond(routed, ifname, netns(f"far-{ifname}")) for ifname in ("net1", "net2")]
    routed.add()
    second.add()
    assert (table_of(routed, "blue"), table_of(routed, "red")) == (1, 2)
    routed.check()
    second.check()
    for far in fars:
        far.run("ping -c1 -W5 10.2.0.2")


@pytest.mark.vm
def test_tables_that_somebody_uses_are_passed_over(routed: Routed) -> None:
    """BUG of the reference: it asks other VRFs only, and joins tables of rules and routes."""
    routed.inside.run("ip rule add from 10.77.0.1 lookup 1; ip route add 10.78.0.0/16 dev eth0 table 2")
    routed.inside.run("ip link add red type vrf table 3; ip -6 route add 2001:db8:78::/64 dev eth0 table 4")
    routed.add()
    assert table_of(routed, "blue") == 5


@pytest.mark.vm
def test_a_vrf_has_one_table_and_a_table_may_have_several(routed: Routed) -> None:
    routed.inside.run("ip link add red up type vrf table 77")
    routed.inside.run("ip link add blue type vrf table 78")
    assert "table 78 already" in routed.refused(7, table=77)
    routed.add(table=78)
    assert routed.inside.is_up("blue")
    second = other(routed)
    second.config = {**second.config, "vrfname": "green", "table": 77}
    second.add()
    assert table_of(routed, "green") == 77
    second.check()


@pytest.mark.vm
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("ip link set net1 nomaster", "no member of vrf blue"),
        ("ip link set blue down", "vrf blue is down"),
        ("ip link del blue", "there is no vrf blue"),
        ("ip route del 10.9.0.0/16 table 1", "route 10.9.0.0/16 via 10.2.0.9 is missing in table 1"),
        ("ip addr del 2001:db8:2::2/64 dev net1", "address 2001:db8:2::2/64 is missing"),
        ("ip link del net1", "net1 is gone"),
    ],
)
def test_check_finds_what_is_missing(routed: Routed, change: str, says: str) -> None:
    routed.add()
    routed.check()
    routed.inside.run(change)
    assert says in routed.difference()


@pytest.mark.vm
def test_an_add_that_fails_at_the_end_leaves_what_was_there(routed: Routed) -> None:
    """The last of what it sends to the kernel is lost: the routes in the VRF."""
    routed.inside.run("ip link add red type vrf table 77; ip link del red")  # the kernel's rule for VRFs stays
    before = routed.everything()
    told = {**routed.config, "prevResult": routed.previous}
    strace = ["strace", "-f", "-qq", "-e", "trace=sendto"]
    log = routed.node.root / "log"
    routed.node.process("ADD", told, routed.pod, *strace, "-o", str(log), CNI_IFNAME="net1").succeeded()
    routed.delete()
    last = len(log.read_text().splitlines())
    inject = f"inject=sendto:error=EPERM:when={last}"
    ended = routed.node.process("ADD", told, routed.pod, *strace, "-o", os.devnull, "-e", inject, CNI_IFNAME="net1")
    assert "net1" in ended.failed(100)
    assert routed.everything() == before
    assert routed.inside.addresses("net1") == {"10.2.0.2/24", "2001:db8:2::2/64"}


@pytest.mark.vm
@pytest.mark.parametrize("gone", ["net1", "blue", "both"])
def test_delete_succeeds_whatever_is_gone(routed: Routed, gone: str) -> None:
    """BUG of the reference: without the interface it fails, and the VRF stays."""
    routed.add()
    routed.inside.run("; ".join(f"ip link del {name}" for name in ("net1", "blue") if gone in (name, "both")))
    routed.delete()
    assert "blue" not in routed.inside.links()
    assert routed.files() == {}
    routed.delete()


@pytest.mark.vm
def test_what_an_add_that_was_killed_left_is_completed_or_taken_back(routed: Routed) -> None:
    before = routed.everything()
    for then in ("add", "delete"):
        routed.add()
        routed.inside.run("ip route del 10.9.0.0/16 table 1; ip -6 route del 2001:db8:9::/64 table 1")
        routed.inside.run("ip addr del 2001:db8:2::2/64 dev net1")
        if then == "add":
            routed.add()
            routed.check()
        routed.delete()
        assert routed.everything()["routes"] == before["routes"]
        assert routed.inside.addresses("net1") == {"10.2.0.2/24", "2001:db8:2::2/64"}


@pytest.mark.vm
def test_gc_takes_out_what_is_not_valid(routed: Routed) -> None:
    routed.add()
    routed.node.ask("GC", {**routed.config, VALID_ATTACHMENTS: [{"containerID": "pod1", "ifname": "net1"}]}).succeeded()
    routed.check()
    routed.node.ask("GC", {**routed.config, VALID_ATTACHMENTS: []}).succeeded()
    assert (master(routed), "blue" in routed.inside.links(), routed.files()) == (None, False, {})


@pytest.mark.vm
def test_a_vrf_goes_with_the_links_of_its_pod(node: Runtime, pod: Pod, inside: Shown) -> None:
    """Every CHECK of the list succeeds; DEL removes the links at once, or one by one."""
    ipam: dict[str, Any] = {
        "type": "host-local",
        "ranges": [[{"subnet": "10.2.0.0/24"}], [{"subnet": "2001:db8:2::/64"}]],
    }
    ipam |= {"dataDir": str(node.addresses), "routes": [{"dst": "0.0.0.0/0"}, {"dst": "10.9.0.0/16", "gw": "10.2.0.9"}]}
    plugins = [
        {"type": "macvlan", "master": UPLINK, "ipam": ipam},
        {"type": "vrf", "vrfname": "blue", "dataDir": str(node.root / "vrf")},
    ]
    config = node.config(node.bridge(), {"name": "blue", "plugins": plugins}, {"name": "red", "plugins": plugins})
    node.call("ADD", config, pod).succeeded()
    assert {inside.link(name)["master"] for name in ("net1", "net2")} == {"blue"}
    assert inside.link("blue")["group"] == inside.link("net1")["group"]
    assert inside.routes()[0].startswith("default via 10.1.0.1 dev eth0")
    node.call("CHECK", config, pod).succeeded()
    node.call("DEL", config, pod).succeeded()
    assert node.remains(pod) == {}
    assert list((node.root / "vrf").iterdir()) == []


@pytest.mark.vm
def test_sbr_passes_over_the_table_of_a_vrf(routed: Routed) -> None:
    second = other(routed)
    routed.inside.run("ip link add red up type vrf table 100")
    second.config = {**second.config, "type": "sbr", "name": "red"}
    second.ips[0]["gateway"] = "10.3.0.1"
    second.add()
    assert "from 10.3.0.2 lookup 101" in routed.rules()


@pytest.mark.vm
def test_a_record_of_another_namespace_is_no_membership(routed: Routed) -> None:
    routed.add()
    [path] = routed.data.iterdir()
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "netns": "0:0", "routes": [{"dst": "10.66.0.0/16"}]}))
    routed.check()
    assert "another master" in routed.node.ask(
        "ADD", routed.config, routed.pod, routed.previous, CNI_IFNAME="net1"
    ).failed(7)
    routed.delete()
    assert not [route for route in routed.table() if route.startswith("10.66")]
    assert "blue" not in routed.inside.links()
