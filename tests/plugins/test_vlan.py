"""vlan: one VLAN of a link of the node or of the pod."""

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

vm = pytest.mark.vm  # the machine's own kernel may have no VLANs

SOME = ("0.2.0", "0.4.0", "1.0.0", "1.1.0")
SUBNET = "10.1.2.0/24"


def vlan(version: str = "1.1.0", /, **more: object) -> dict[str, Any]:
    return {"cniVersion": version, "name": "blue", "type": "vlan", "master": UPLINK, "vlanId": 100, **more}


@vm
@pytest.mark.parametrize("version", SOME)
def test_it_has_the_number_and_address_that_were_asked_for(
    version: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    config = vlan(version, ipam=pools(node, SUBNET))
    result = node.add(config, pod)
    shown = inside.link("eth0")
    assert (shown["linkinfo"]["info_kind"], shown["linkinfo"]["info_data"]["id"]) == ("vlan", 100)
    assert shown["linkinfo"]["info_data"]["protocol"] == "802.1Q"
    assert (shown["link_index"], shown["mtu"]) == (node.shown.link(UPLINK)["ifindex"], 1500)
    assert (inside.is_up("eth0"), inside.addresses("eth0")) == (True, {"10.1.2.2/24"})
    if version in VERSIONS[2:]:
        mtu = {"mtu": 1500} if version == "1.1.0" else {}
        mac = shown["address"]
        assert result["interfaces"] == [{"name": "eth0", "mac": mac, "sandbox": pod.netns, **mtu}]
        assert [(ip["interface"], ip["address"]) for ip in result["ips"]] == [(0, "10.1.2.2/24")]
    if version in WITH_CHECK:
        node.check(config, pod, result)
    node.delete(config, pod, result)
    assert (inside.links(), node.reserved("blue")) == (set(), {})


@vm
def test_its_mtu_is_what_is_asked_for_or_its_masters(node: Runtime, make_pod: MakePod) -> None:
    node.shown.run(f"ip link set {UPLINK} mtu 1450")
    for number, (asked, got) in enumerate(((0, 1450), (1400, 1400), (1450, 1450))):
        pod = make_pod(f"pod{number}")
        ipam = fixed(node, f"10.1.2.{number + 3}/24")
        result = node.add(vlan(vlanId=number, mtu=asked, ipam=ipam), pod)
        assert result["interfaces"][0]["mtu"] == got == Shown(pod.netns).link("eth0")["mtu"]


@vm
def test_its_master_may_be_in_the_pod(node: Runtime, pod: Pod, inside: Shown) -> None:
    inside.run("ip link add other up type veth peer name rehto && ip link set rehto up")
    config = vlan(master="other", vlanId=4094, linkInContainer=True, ipam=fixed(node, "10.1.2.3/24"))
    result = node.add(config, pod)
    assert inside.link("eth0")["link"] == "other"
    node.check(config, pod, result)
    node.delete(config, pod, result)
    assert inside.links() == {"other", "rehto"}


@vm
def test_pods_reach_each_other_over_a_trunk_by_the_same_vlan_alone(node: Runtime, make_pod: MakePod) -> None:
    """The ends of a veth pair are the uplinks of two nodes."""
    node.add(vlan(master="up0", ipam=fixed(node, "10.1.2.3/24")), make_pod("here"))
    same, other = make_pod("same"), make_pod("other")
    node.add(vlan(master="up1", ipam=fixed(node, "10.1.2.4/24")), same)
    node.add(vlan(master="up1", vlanId=200, ipam=fixed(node, "10.1.2.5/24")), other)
    Shown(same.netns).run("ping -c 1 -W 5 10.1.2.3")
    Shown(other.netns).run("! ping -c 1 -W 1 10.1.2.3")


@vm
def test_a_vlan_that_another_pod_has_is_refused_in_words(node: Runtime, make_pod: MakePod) -> None:
    node.add(vlan(ipam=fixed(node, "10.1.2.3/24")), make_pod("first"))
    second = make_pod("second")
    message = node.ask("ADD", vlan(ipam=fixed(node, "10.1.2.4/24")), second).failed(100)
    assert f"a link has each VLAN once, so this one of {UPLINK} may be that of another pod" in message
    assert second.links() == {}


@vm
@pytest.mark.parametrize("ipam", [NO_ADDRESSES, {"routes": REFUSED_ROUTES}], ids=["ipam", "route"])
def test_a_failure_leaves_no_link_and_no_address(ipam: dict[str, Any], node: Runtime, pod: Pod, inside: Shown) -> None:
    """BUG of the reference: the link stays."""
    wanted = {**fixed(node, "10.1.2.3/24"), **ipam} if "routes" in ipam else ipam
    assert node.ask("ADD", vlan(ipam=wanted), pod).status == 1
    assert inside.links() == set()
    node.add(vlan(ipam=fixed(node, "10.1.2.3/24")), pod)


@vm
def test_check_names_every_difference(node: Runtime, pod: Pod, inside: Shown) -> None:
    """The reference does not look at what it stands on."""
    config = vlan("1.0.0", mtu=1400, ipam=fixed(node, "10.1.2.3/24"))
    result = node.add(config, pod)
    inside.run("ip link set eth0 down mtu 1300")
    message = node.difference({**config, "master": "up1", "vlanId": 101}, pod, result)
    for said in (
        "its MTU is 1300, not 1400",
        "it is down",
        "its vlanId is 100, not 101",
        f"its master is link {node.shown.link(UPLINK)['ifindex']}, not up1",
    ):
        assert said in message


@vm
def test_delete_needs_no_master_and_succeeds_twice(node: Runtime, pod: Pod, inside: Shown) -> None:
    """BUG of the reference: without the master DEL fails."""
    config = vlan(ipam=pools(node, SUBNET))
    result = node.add(config, pod)
    node.shown.run(f"ip link del {UPLINK}")
    assert inside.links() == set()  # it goes with its master
    for _ in range(2):
        node.delete(config, pod, result)
        assert node.reserved("blue") == {}


# What follows is told, or done, before the kernel is asked for a VLAN.


@pytest.mark.parametrize(
    "config",
    [
        vlan(master="nowhere"),
        vlan(master="nowhere", linkInContainer=True),
        vlan(vlanId=9999, mtu=-1),
        vlan(master=None),
    ],
    ids=str,
)
@pytest.mark.parametrize("path", [None, "", "/nonexistent"])
def test_delete_of_what_was_never_added_succeeds(
    config: dict[str, Any], path: str | None, node: Runtime, pod: Pod, inside: Shown
) -> None:
    """BUG of the reference: without master, or without the namespace that it should be in, DEL fails."""
    inside.run("ip link add eth0 type veth peer name other")
    node.delete({**config, "ipam": pools(node, SUBNET)}, pod, **({} if path is None else {"CNI_NETNS": path}))
    assert inside.links() == {"eth0", "other"}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"master": ""}, 7),
        ({"master": "nowhere"}, 7),
        ({"linkInContainer": True}, 7),
        ({"vlanId": 4095}, 7),
        ({"vlanId": -1}, 7),
        ({"vlanId": "100"}, 6),
        ({"mtu": 1501}, 7),
        ({"mtu": -100}, 7),
        ({"ipam": {}}, 7),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_with_its_path_before_anything_happens(
    wrong: dict[str, Any], code: int, node: Runtime, pod: Pod, inside: Shown
) -> None:
    message = node.ask("ADD", {**vlan(ipam=pools(node, SUBNET)), **wrong}, pod).failed(code)
    assert message.startswith("master" if "linkInContainer" in wrong else next(iter(wrong)))
    assert (inside.links(), node.reserved("blue")) == (set(), {})


def test_a_master_that_is_down_is_refused(node: Runtime, pod: Pod) -> None:
    node.shown.run(f"ip link set {UPLINK} down")
    config = vlan(ipam=pools(node, SUBNET))
    assert node.ask("ADD", config, pod).failed(7).startswith(f"master: {UPLINK} is down")
    assert node.ask("STATUS", config).failed(50).startswith(f"master: {UPLINK} is down")


def test_status_looks_for_the_master(node: Runtime) -> None:
    ipam = pools(node, SUBNET)
    node.ask("STATUS", vlan(ipam=ipam)).succeeded()
    node.ask("STATUS", vlan(master="inside", linkInContainer=True, ipam=ipam)).succeeded()
    assert "there is no link nowhere" in node.ask("STATUS", vlan(master="nowhere", ipam=ipam)).failed(50)
    assert node.ask("STATUS", vlan()).failed(7).startswith("ipam.type: it is missing")
