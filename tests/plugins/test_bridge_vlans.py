"""bridge: VLANs, by the frames that pass and those that do not."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.configs import bridge, pools
from tests.plugins.frames import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

pytestmark = pytest.mark.vm

NATIVE = {"PVID", "Egress Untagged"}


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def vlans(node: Runtime, port: str) -> dict[int, set[str]]:
    """What `bridge` shows of a port's VLANs."""
    [shown] = json.loads(node.shown.run(f"bridge -j vlan show dev {port}"))
    return {
        vlan: set(entry.get("flags", ()))
        for entry in shown["vlans"]
        for vlan in range(entry["vlan"], entry.get("vlanEnd", entry["vlan"]) + 1)
    }


def port_of(result: dict[str, Any]) -> str:
    return str(result["interfaces"][1]["name"])


def test_pods_hear_those_of_their_vlan_and_nobody_else(node: Runtime, make_pod: MakePod, opened: ExitStack) -> None:
    def attached(name: str, vlan: int) -> Wire:
        pod = make_pod(name)
        node.add(bridge(vlan=vlan), pod)
        return opened.enter_context(Wire(pod.netns))

    red, other_red, blue, other_blue = (
        attached("r1", 100),
        attached("r2", 100),
        attached("b1", 200),
        attached("b2", 200),
    )
    red.send("from red")
    assert other_red.heard("from red") == ["from red"]
    other_blue.send("from blue")
    assert blue.heard("from blue") == ["from blue"]
    red.send("red, tagged blue", vlan=200)
    red.send("red again")
    assert other_red.heard("red again") == ["red again"]
    other_blue.send("blue again")
    assert blue.heard("blue again") == ["blue again"]


def test_a_trunk_has_the_frames_of_its_vlans_with_their_tags(
    node: Runtime, make_pod: MakePod, opened: ExitStack
) -> None:
    config = bridge(vlanTrunk=[{"id": 101}, {"minID": 200, "maxID": 210}])
    trunk, inside, outside, untagged = (make_pod(name) for name in ("trunk", "inside", "outside", "untagged"))
    result = node.add(config, trunk)
    assert vlans(node, port_of(result)) == {1: NATIVE, 101: set(), **{vlan: set() for vlan in range(200, 211)}}
    for pod, vlan in ((inside, 205), (outside, 300), (untagged, 1)):
        node.add(bridge(vlan=vlan), pod)
    wires = {pod: opened.enter_context(Wire(pod.netns)) for pod in (trunk, inside, outside, untagged)}
    wires[outside].send("from 300")
    wires[inside].send("from 205")
    assert wires[trunk].heard("from 205") == ["from 205@205"]
    wires[trunk].send("to 300", vlan=300)
    wires[trunk].send("to 205", vlan=205)
    assert wires[inside].heard("to 205") == ["to 205"]
    wires[trunk].send("to the native one")
    assert wires[untagged].heard("to the native one") == ["to the native one"]


def test_the_native_vlan_of_a_trunk_is_its_own(node: Runtime, pod: Pod) -> None:
    config = bridge(vlan=100, vlanTrunk=[{"minID": 99, "maxID": 101}])
    result = node.add(config, pod)
    assert vlans(node, port_of(result)) == {99: set(), 100: NATIVE, 101: set()}
    node.check(config, pod, result)


def test_a_port_can_have_every_vlan(node: Runtime, pod: Pod) -> None:
    config = bridge(vlan=4094, vlanTrunk=[{"minID": 1, "maxID": 4094}])
    result = node.add(config, pod)
    assert vlans(node, port_of(result)) == {**{vlan: set() for vlan in range(1, 4094)}, 4094: NATIVE}
    node.check(config, pod, result)


def test_the_bridges_own_vlan_is_left_unless_it_is_to_stay(node: Runtime, make_pod: MakePod) -> None:
    """Not so in the reference before 1.8.0: a port stays in VLAN 1, where everybody meets."""
    alone, both = bridge(vlan=100), bridge(vlan=100, preserveDefaultVlan=True)
    pods = make_pod("alone"), make_pod("both")
    results = [node.add(config, pod) for config, pod in zip((alone, both), pods, strict=True)]
    assert vlans(node, port_of(results[0])) == {100: NATIVE}
    assert vlans(node, port_of(results[1])) == {1: {"Egress Untagged"}, 100: NATIVE}
    for config, pod, result in zip((alone, both), pods, results, strict=True):
        node.check(config, pod, result)


@pytest.mark.parametrize("more", [{"vlanTrunk": []}, {"vlanFiltering": True}], ids=str)
def test_a_bridge_can_keep_vlans_apart_without_any_for_this_port(
    more: dict[str, object], node: Runtime, pod: Pod
) -> None:
    result = node.add(bridge(**more), pod)
    assert node.shown.link("cni0")["linkinfo"]["info_data"]["vlan_filtering"] == 1
    assert vlans(node, port_of(result)) == {1: NATIVE}
    node.check(bridge(**more), pod, result)


def test_a_bridge_that_mixes_vlans_is_refused_and_stays_as_it_is(node: Runtime, make_pod: MakePod) -> None:
    """BUG of the reference: it takes such a bridge, and isolates nobody."""
    first, second = make_pod("first"), make_pod("second")
    node.add(bridge(), first)
    before = node.shown.everything()
    message = node.ask("ADD", bridge(vlan=100, ipam=pools(node, "10.1.2.0/24")), second).failed(7)
    assert message.startswith("vlan: cni0 does not keep VLANs apart")
    assert "vlanFiltering" in message
    assert node.shown.everything() == before
    assert node.reserved("blue") == {}
    node.ask("STATUS", bridge(vlan=100)).failed(50)


def test_a_bridge_that_mixes_vlans_is_switched_where_the_configuration_says_so(
    node: Runtime, make_pod: MakePod, opened: ExitStack
) -> None:
    first, second, third = make_pod("first"), make_pod("second"), make_pod("third")
    node.add(bridge(), first)
    node.ask("STATUS", bridge(vlan=100, vlanFiltering=True)).succeeded()
    node.add(bridge(vlan=100, vlanFiltering=True), second)
    node.add(bridge(), third)
    assert node.shown.link("cni0")["linkinfo"]["info_data"]["vlan_filtering"] == 1
    plain, tagged, other = (opened.enter_context(Wire(pod.netns)) for pod in (first, second, third))
    tagged.send("from VLAN 100")
    plain.send("from no VLAN")
    assert other.heard("from no VLAN") == ["from no VLAN"]


def test_a_bridge_that_nobody_uses_is_switched_without_asking(node: Runtime, pod: Pod) -> None:
    node.shown.run("ip link add cni0 type bridge")
    node.add(bridge(vlan=100), pod)
    assert node.shown.link("cni0")["linkinfo"]["info_data"]["vlan_filtering"] == 1


@pytest.mark.parametrize("more", [{"vlan": 100}, {"vlan": 100, "vlanFiltering": True}], ids=str)
def test_a_failed_add_switches_the_bridge_back(more: dict[str, object], node: Runtime, make_pod: MakePod) -> None:
    node.shown.run("ip link add cni0 type bridge")
    if "vlanFiltering" in more:
        node.add(bridge(), make_pod("first"))
    before = node.shown.everything()
    config = bridge(isGateway=True, mtu=1000, ipam=pools(node, "2001:db8::/64"), **more)
    assert "mtu" in node.ask("ADD", config, make_pod("second")).failed(7)
    assert node.shown.link("cni0")["linkinfo"]["info_data"]["vlan_filtering"] == 0
    assert node.shown.everything() == before
    assert node.reserved("blue") == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("bridge vlan del vid 100 dev {port}", "port {port} is not in VLAN 100"),
        ("bridge vlan add vid 100 dev {port}", "port {port} has the wrong flags in VLAN 100"),
        ("bridge vlan add vid 300-302 dev {port}", "port {port} should not be in VLAN 300-302"),
        ("bridge vlan del vid 201 dev {port}", "port {port} is not in VLAN 201"),
        ("ip link set cni0 type bridge vlan_filtering 0", "bridge cni0 does not keep VLANs apart"),
    ],
)
def test_check_looks_at_the_vlans(change: str, said: str, node: Runtime, pod: Pod) -> None:
    config = bridge(vlan=100, vlanTrunk=[{"minID": 200, "maxID": 202}])
    result = node.add(config, pod)
    node.check(config, pod, result)
    node.shown.run(change.format(port=port_of(result)))
    assert said.format(port=port_of(result)) in node.difference(config, pod, result)
