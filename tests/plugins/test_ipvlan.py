"""ipvlan: over a link of the node or of the pod, by itself and after another plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.node import UPLINK
from tests.plugins.configs import NO_ADDRESSES, REFUSED_ROUTES, fixed, pools
from tests.plugins.runtime import VERSIONS, WITH_CHECK
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

vm = pytest.mark.vm  # the machine's own kernel may have no ipvlan

SOME = ("0.2.0", "0.4.0", "1.0.0", "1.1.0")
SUBNET = "10.1.2.0/24"
MODES = [("l2", "bridge"), ("l3", "private"), ("l3s", "vepa"), ("", "")]
BEFORE = {"cniVersion": "1.1.0", "interfaces": [{"name": "other"}], "ips": [{"address": "10.1.2.7/24"}]}


def ipvlan(version: str = "1.1.0", /, **more: object) -> dict[str, Any]:
    return {"cniVersion": version, "name": "blue", "type": "ipvlan", "master": UPLINK, **more}


def chained(**more: object) -> dict[str, Any]:
    """One that takes master and addresses from the plugin before it."""
    return {"cniVersion": "1.1.0", "name": "blue", "type": "ipvlan", **more}


def add_other(shown: Shown) -> None:
    shown.run("ip link add other up type veth peer name rehto && ip link set rehto up")


def data(inside: Shown) -> dict[str, Any]:
    """What the kernel tells of the pod's ipvlan."""
    info: dict[str, Any] = inside.link("eth0")["linkinfo"]
    assert info["info_kind"] == "ipvlan"
    found: dict[str, Any] = info["info_data"]
    return found


@vm
@pytest.mark.parametrize("version", SOME)
def test_it_has_the_address_that_the_result_tells_and_its_masters_mac(
    version: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    config = ipvlan(version, mtu=1400, ipam=pools(node, SUBNET))
    result = node.add(config, pod)
    mac = node.shown.link(UPLINK)["address"]
    shown = inside.link("eth0")
    assert (shown["mtu"], shown["address"], inside.addresses("eth0")) == (1400, mac, {"10.1.2.2/24"})
    assert inside.is_up("eth0")
    if version in VERSIONS[2:]:
        mtu = {"mtu": 1400} if version == "1.1.0" else {}
        assert result["interfaces"] == [{"name": "eth0", "mac": mac, "sandbox": pod.netns, **mtu}]
        assert [(ip["interface"], ip["address"]) for ip in result["ips"]] == [(0, "10.1.2.2/24")]
    if version in WITH_CHECK:
        node.check(config, pod, result)
    node.delete(config, pod, result)
    assert (inside.links(), node.reserved("blue")) == (set(), {})


@vm
@pytest.mark.parametrize(("mode", "flag"), MODES)
def test_every_mode_and_flag_is_made(mode: str, flag: str, node: Runtime, pod: Pod, inside: Shown) -> None:
    config = ipvlan(mode=mode, flag=flag, ipam=fixed(node, "10.1.2.3/24"))
    result = node.add(config, pod)
    told = data(inside)
    assert (told["mode"], told.get(flag or "bridge")) == (mode or "l2", True)
    node.check(config, pod, result)


@vm
def test_its_master_may_be_in_the_pod(node: Runtime, pod: Pod, inside: Shown) -> None:
    add_other(inside)
    config = ipvlan(master="other", linkInContainer=True, ipam=fixed(node, "10.1.2.3/24"))
    result = node.add(config, pod)
    assert inside.link("eth0")["link"] == "other"
    node.check(config, pod, result)
    node.delete(config, pod, result)
    assert inside.links() == {"other", "rehto"}


@vm
def test_without_master_it_stands_on_the_link_of_the_default_route(node: Runtime, pod: Pod, inside: Shown) -> None:
    node.shown.run(f"ip route add default dev {UPLINK}")
    config = chained(ipam=fixed(node, "10.1.2.3/24"))
    result = node.add(config, pod)
    assert inside.link("eth0")["link_index"] == node.shown.link(UPLINK)["ifindex"]
    node.check(config, pod, result)


@vm
def test_after_another_plugin_it_takes_its_link_and_addresses(node: Runtime, pod: Pod, inside: Shown) -> None:
    add_other(node.shown)
    dns = {"nameservers": ["10.1.2.53"]}
    routes = [{"dst": "0.0.0.0/0", "gw": "10.1.2.1"}]
    before = {**BEFORE, "routes": routes, "dns": dns, "example.org/kept": [1]}
    result = node.ask("ADD", chained(), pod, before).succeeded().document
    assert [interface["name"] for interface in result["interfaces"]] == ["eth0"]
    assert result["ips"] == [{"interface": 0, "address": "10.1.2.7/24"}]
    assert (result["routes"], result["dns"], result["example.org/kept"]) == (routes, dns, [1])
    assert inside.link("eth0")["link_index"] == node.shown.link("other")["ifindex"]
    assert inside.addresses("eth0") == {"10.1.2.7/24"}
    node.check(chained(), pod, result)
    node.delete(chained(), pod, result)
    assert inside.links() == set()


@vm
def test_its_own_ipam_comes_before_another_plugins_addresses(node: Runtime, pod: Pod, inside: Shown) -> None:
    config = ipvlan(ipam=fixed(node, "10.1.2.3/24"))
    result = node.ask("ADD", config, pod, BEFORE).succeeded().document
    assert [ip["address"] for ip in result["ips"]] == ["10.1.2.3/24"]
    assert inside.link("eth0")["link_index"] == node.shown.link(UPLINK)["ifindex"]


@vm
@pytest.mark.parametrize("mode", ["l2", "l3", "l3s"])
def test_pods_of_one_master_reach_each_other(mode: str, node: Runtime, make_pod: MakePod) -> None:
    config = ipvlan(mode=mode, ipam=pools(node, SUBNET, "2001:db8::/64"))
    first, second = make_pod("first"), make_pod("second")
    addresses = [ip["address"].split("/")[0] for ip in node.add(config, first)["ips"]]
    node.add(config, second)
    for address in addresses:
        assert Shown(second.netns).reaches(address)


@vm
def test_neighbours_learn_of_a_new_mac_behind_an_old_address(node: Runtime, pod: Pod) -> None:
    """The kernel refuses to set the MAC of an ipvlan, by which the other plugins make it tell."""
    stale = "lladdr 02:00:00:00:00:99"
    node.shown.run("ip addr add 10.1.2.99/24 dev up1 && ip addr add 2001:db8::99/64 nodad dev up1")
    for address in ("10.1.2.2", "2001:db8::2"):
        node.shown.run(f"ip neigh replace {address} {stale} dev up1 nud stale")
    node.add(ipvlan(ipam=pools(node, SUBNET, "2001:db8::/64")), pod)
    known = f"lladdr {node.shown.link(UPLINK)['address']}"
    node.shown.run(f'until [ "$(ip neigh show dev up1 | grep -c "{known}")" = 2 ]; do sleep 0.1; done')


@vm
def test_private_pods_reach_the_segment_but_not_each_other(node: Runtime, make_pod: MakePod) -> None:
    config = ipvlan(flag="private", ipam=pools(node, SUBNET))
    first, second = make_pod("first"), make_pod("second")
    [address] = [ip["address"].split("/")[0] for ip in node.add(config, first)["ips"]]
    node.add(config, second)
    node.shown.run("ip addr add 10.1.2.99/24 dev up1")
    inside = Shown(second.netns)
    assert inside.reaches("10.1.2.99")
    inside.run(f"! ping -c 1 -W 1 {address}")


@vm
def test_a_later_network_without_flag_leaves_private_pods_private(
    node: Runtime, make_pod: MakePod, inside: Shown, pod: Pod
) -> None:
    """The kernel has one flag for all ipvlans of a master."""
    config = ipvlan(flag="private", ipam=fixed(node, "10.1.2.3/24"))
    result = node.add(config, pod)
    node.add(ipvlan(name="red", ipam=fixed(node, "10.1.2.4/24")), make_pod("other"))
    node.check(config, pod, result)
    node.add(ipvlan(name="red", flag="bridge", mode="l3", ipam=fixed(node, "10.1.2.5/24")), make_pod("third"))
    message = node.difference(config, pod, result)
    assert "its flag is bridge, not private" in message
    assert "its mode is l3, not l2" in message


@vm
@pytest.mark.parametrize(("first", "second"), [("macvlan", "ipvlan"), ("ipvlan", "macvlan")])
def test_macvlan_and_ipvlan_on_one_master_are_refused_in_words(
    first: str, second: str, node: Runtime, make_pod: MakePod
) -> None:
    pods = [make_pod("first"), make_pod("second")]
    node.add(ipvlan(type=first, ipam=fixed(node, "10.1.2.3/24")), pods[0])
    message = node.ask("ADD", ipvlan(type=second, ipam=fixed(node, "10.1.2.4/24")), pods[1]).failed(100)
    assert f"cannot add {second} eth0 on {UPLINK}: Device or resource busy" in message
    assert f"a link cannot carry a {second} while it carries a {first}" in message
    assert pods[1].links() == {}


@vm
@pytest.mark.parametrize("ipam", [NO_ADDRESSES, {"routes": REFUSED_ROUTES}], ids=["ipam", "route"])
def test_a_failure_leaves_no_link_and_no_address(ipam: dict[str, Any], node: Runtime, pod: Pod, inside: Shown) -> None:
    """BUG of the reference: the link stays."""
    wanted = {**fixed(node, "10.1.2.3/24"), **ipam} if "routes" in ipam else ipam
    assert node.ask("ADD", ipvlan(ipam=wanted), pod).status == 1
    assert (inside.links(), node.reserved("blue")) == (set(), {})
    node.add(ipvlan(ipam=fixed(node, "10.1.2.3/24")), pod)


@vm
def test_check_names_every_difference(node: Runtime, pod: Pod, inside: Shown) -> None:
    """The reference compares the mode, no more."""
    add_other(node.shown)
    config = ipvlan("1.0.0", mtu=1400, flag="private", ipam=fixed(node, "10.1.2.3/24"))
    result = node.add(config, pod)
    inside.run("ip link set eth0 down mtu 1300 && ip link set eth0 type ipvlan mode l3s vepa")
    message = node.difference({**config, "master": "other"}, pod, result)
    for said in (
        "its MTU is 1300, not 1400",
        "it is down",
        "its mode is l3s, not l2",
        "its flag is vepa, not private",
        f"its master is link {node.shown.link(UPLINK)['ifindex']}, not other",
    ):
        assert said in message


@vm
def test_an_ipvlan_on_an_ipvlan_passes_its_check(node: Runtime, pod: Pod) -> None:
    """The kernel puts it beside its master, on what that stands on."""
    node.shown.run(f"ip link add iv0 link {UPLINK} up type ipvlan mode l2")
    config = ipvlan(master="iv0", ipam=fixed(node, "10.1.2.3/24"))
    node.check(config, pod, node.add(config, pod))


@vm
def test_delete_needs_no_master_and_succeeds_twice(node: Runtime, pod: Pod, inside: Shown) -> None:
    """BUG of the reference: without master and default route DEL fails."""
    config = ipvlan(ipam=pools(node, SUBNET))
    result = node.add(config, pod)
    node.shown.run(f"ip link del {UPLINK}")
    assert inside.links() == set()  # it goes with its master
    del config["master"]
    for _ in range(2):
        node.delete(config, pod, result)
        assert node.reserved("blue") == {}


# What follows is told, or done, before the kernel is asked for an ipvlan.


@pytest.mark.parametrize(
    "config", [chained(), ipvlan(mode="l9", mtu=10**6, master="nowhere"), ipvlan(mac="02:00:00:00:00:01")], ids=str
)
@pytest.mark.parametrize("path", [None, "", "/nonexistent"])
def test_delete_of_what_was_never_added_succeeds(
    config: dict[str, Any], path: str | None, node: Runtime, pod: Pod, inside: Shown
) -> None:
    inside.run("ip link add eth0 type veth peer name other")
    node.delete({**config, "ipam": pools(node, SUBNET)}, pod, **({} if path is None else {"CNI_NETNS": path}))
    assert inside.links() == {"eth0", "other"}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"mode": "l1"}, 7),
        ({"mode": 2}, 6),
        ({"flag": "public"}, 7),
        ({"mtu": 1501}, 7),
        ({"mtu": -1}, 7),
        ({"master": "nowhere"}, 7),
        ({"linkInContainer": True}, 7),
        ({"ipam": None}, 7),
        ({"ipam": {}}, 7),
        ({"mac": "02:00:00:00:00:01"}, 2),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_with_its_path_before_anything_happens(
    wrong: dict[str, Any], code: int, node: Runtime, pod: Pod, inside: Shown
) -> None:
    """BUG of the reference: some of it is told after the link is there, which stays."""
    message = node.ask("ADD", {**ipvlan(ipam=pools(node, SUBNET)), **wrong}, pod).failed(code)
    assert message.startswith("master" if "linkInContainer" in wrong else next(iter(wrong)))
    assert (inside.links(), node.reserved("blue")) == (set(), {})


def test_a_mac_that_a_capability_asks_for_is_refused(node: Runtime, pod: Pod) -> None:
    config = ipvlan(ipam=pools(node, SUBNET), runtimeConfig={"mac": "02:00:00:00:00:01"})
    assert node.ask("ADD", config, pod).failed(2).startswith("runtimeConfig.mac: an ipvlan has its master's MAC")


def test_a_master_that_is_down_is_refused(node: Runtime, pod: Pod) -> None:
    node.shown.run(f"ip link set {UPLINK} down")
    config = ipvlan(ipam=pools(node, SUBNET))
    assert node.ask("ADD", config, pod).failed(7).startswith(f"master: {UPLINK} is down")
    assert node.ask("STATUS", config).failed(50).startswith(f"master: {UPLINK} is down")


def test_without_master_and_default_route_it_is_refused(node: Runtime, pod: Pod) -> None:
    assert node.ask("ADD", chained(ipam=pools(node, SUBNET)), pod).failed(7).startswith("master: none is given")
    assert node.reserved("blue") == {}


@pytest.mark.parametrize(
    "interfaces", [[], [{"name": "a"}, {"name": "b"}], [{"name": "a", "sandbox": "x"}, {"name": "b", "sandbox": "x"}]]
)
def test_several_interfaces_of_the_plugin_before_it_are_no_master(
    interfaces: list[dict[str, str]], node: Runtime, pod: Pod
) -> None:
    message = node.ask("ADD", chained(), pod, {**BEFORE, "interfaces": interfaces}).failed(7)
    assert message.startswith("master: none is given, and prevResult has no single interface")


@pytest.mark.parametrize(("in_container", "chosen"), [(False, "onnode"), (True, "inpod")])
def test_of_the_plugin_before_its_the_interface_where_the_master_must_be(
    in_container: bool, chosen: str, node: Runtime, pod: Pod
) -> None:
    interfaces = [{"name": "onnode"}, {"name": "inpod", "sandbox": pod.netns}]
    config = chained(linkInContainer=in_container)
    message = node.ask("ADD", config, pod, {**BEFORE, "interfaces": interfaces}).failed(7)
    assert message.startswith(f"master: there is no link {chosen}")


def test_after_a_plugin_without_addresses_it_needs_ipam(node: Runtime, pod: Pod) -> None:
    before = {**BEFORE, "ips": []}
    assert node.ask("ADD", chained(), pod, before).failed(7).startswith("ipam.type: it is missing")


def test_status_looks_for_the_master(node: Runtime) -> None:
    node.ask("STATUS", ipvlan(ipam=pools(node, SUBNET))).succeeded()
    assert "there is no link nowhere" in node.ask("STATUS", ipvlan(master="nowhere")).failed(50)
    assert "no default route" in node.ask("STATUS", chained(ipam=pools(node, SUBNET))).failed(50)
