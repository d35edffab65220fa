"""DEL needs nothing but the names, does all it can, and succeeds twice."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import LIBC, MNT_DETACH
from tests.node import UPLINK
from tests.plugins.runtime import VERSIONS
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

OF_KIND: dict[str, dict[str, Any]] = {"bridge": {"bridge": "cni0", "isGateway": True}, "macvlan": {"master": UPLINK}}


@pytest.fixture(params=["bridge", "macvlan"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def network(kind: str, node: Runtime) -> dict[str, Any]:
    ipam = {"type": "host-local", "subnet": "10.1.2.0/24", "dataDir": str(node.addresses)}
    return {"cniVersion": "1.1.0", "name": "blue", "type": kind, "ipam": ipam, **OF_KIND[kind]}


def is_gone(node: Runtime, inside: Shown) -> bool:
    return inside.links() == set() and set(node.links()) <= {"cni0"} and node.reserved("blue") == {}


@pytest.mark.parametrize("version", VERSIONS)
def test_twice_succeeds_twice(version: str, network: dict[str, Any], node: Runtime, pod: Pod, inside: Shown) -> None:
    network["cniVersion"] = version
    result = node.add(network, pod)
    for _ in range(2):
        node.delete(network, pod, result)
        assert is_gone(node, inside)


def test_the_earlier_result_is_not_needed(network: dict[str, Any], node: Runtime, pod: Pod, inside: Shown) -> None:
    node.add(network, pod)
    node.delete(network, pod)
    assert is_gone(node, inside)


def test_an_earlier_result_that_is_nonsense_is_no_matter(
    network: dict[str, Any], node: Runtime, pod: Pod, inside: Shown
) -> None:
    node.add(network, pod)
    node.delete(network, pod, {"cniVersion": "1.1.0", "interfaces": "none", "ips": [{"address": "x"}]})
    assert is_gone(node, inside)


@pytest.mark.parametrize("arguments", ["nonsense", "MAC=nonsense", "UNKNOWN=1;", ";;=", "IP=x;MAC"])
def test_arguments_that_add_would_refuse_are_no_matter(
    arguments: str, network: dict[str, Any], node: Runtime, pod: Pod, inside: Shown
) -> None:
    node.add(network, pod)
    node.delete(network, pod, CNI_ARGS=arguments)
    assert is_gone(node, inside)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "l2"},
        {"mtu": -1},
        {"mtu": 99999},
        {"vlan": 5000},
        {"mac": "x"},
        {"hairpinMode": True, "promiscMode": True},
    ],
    ids=str,
)
def test_values_that_add_would_refuse_are_no_matter(
    wrong: dict[str, Any], network: dict[str, Any], node: Runtime, pod: Pod, inside: Shown
) -> None:
    node.add(network, pod)
    node.delete({**network, **wrong, "runtimeConfig": {"mac": "nonsense"}}, pod)
    assert is_gone(node, inside)


@pytest.mark.parametrize("path", ["", "/nowhere/to/be/found", "/proc/self/status", "/proc"])
def test_the_namespace_is_not_needed(path: str, network: dict[str, Any], node: Runtime, pod: Pod) -> None:
    """BUG of the reference: anything at the path that is no namespace makes DEL fail for ever."""
    result = node.add(network, pod)
    node.delete(network, pod, result, CNI_NETNS=path)
    assert node.reserved("blue") == {}
    assert set(node.links()) <= {"cni0"}
    node.delete(network, pod, result, CNI_NETNS=path)


def test_the_file_that_a_namespace_was_mounted_on_is_not_one(network: dict[str, Any], node: Runtime, pod: Pod) -> None:
    result = node.add(network, pod)
    assert LIBC.umount2(pod.netns.encode(), MNT_DETACH) == 0
    node.delete(network, pod, result)
    assert node.reserved("blue") == {}
    assert set(node.links()) <= {"cni0"}


def test_the_port_goes_even_if_somebody_keeps_the_namespace_alive(node: Runtime, pod: Pod, make_pod: MakePod) -> None:
    """Nobody can enter it any more, but what is in it lives on."""
    network = {"cniVersion": "1.1.0", "name": "blue", "type": "bridge", **OF_KIND["bridge"]}
    other = make_pod("other")
    node.add(network, pod)
    kept = node.add(network, other)["interfaces"][1]["name"]
    with subprocess.Popen(["nsenter", f"--net={pod.netns}", "sleep", "60"]) as process:
        try:
            LIBC.umount2(pod.netns.encode(), MNT_DETACH)
            node.delete(network, pod)
            assert set(node.links()) == {"cni0", kept}
        finally:
            process.kill()


def test_the_port_of_an_attachment_by_another_program_is_known_from_its_result(node: Runtime, pod: Pod) -> None:
    """The reference's ports carry no owner."""
    network = {"cniVersion": "1.0.0", "name": "blue", "type": "bridge", **OF_KIND["bridge"]}
    result = node.add(network, pod)
    port = result["interfaces"][1]["name"]
    node.shown.run(f"ip link set {port} alias stranger")
    node.delete(network, pod, CNI_NETNS="")
    assert port in node.links()
    node.delete(network, pod, {**result, "interfaces": [{"name": port, "mac": "02:00:00:00:00:01"}]}, CNI_NETNS="")
    assert port in node.links()
    node.delete(network, pod, result, CNI_NETNS="")
    assert port not in node.links()


def test_an_interface_of_another_kind_is_left_alone(
    kind: str, network: dict[str, Any], node: Runtime, pod: Pod, inside: Shown
) -> None:
    inside.run("ip link add eth0 type bridge")
    node.delete(network, pod)
    assert inside.links() == {"eth0"}


@pytest.mark.parametrize("ifname", ["eth1", "lo"])
def test_only_the_named_interface_goes(
    ifname: str, network: dict[str, Any], node: Runtime, pod: Pod, inside: Shown
) -> None:
    node.add(network, pod)
    node.delete(network, pod, CNI_IFNAME=ifname)
    assert inside.links() == {"eth0"}
    assert len(node.reserved("blue")) == 1


def test_a_master_that_is_gone_is_not_needed(node: Runtime, pod: Pod, inside: Shown) -> None:
    ipam = {"type": "host-local", "subnet": "10.1.2.0/24", "dataDir": str(node.addresses)}
    network = {"cniVersion": "1.1.0", "name": "blue", "type": "macvlan", "master": UPLINK, "ipam": ipam}
    result = node.add(network, pod)
    node.shown.run(f"ip link del {UPLINK}")
    node.delete(network, pod, result)
    assert is_gone(node, inside)


def test_a_bridge_that_is_gone_is_not_needed(node: Runtime, pod: Pod, inside: Shown) -> None:
    network = {"cniVersion": "1.1.0", "name": "blue", "type": "bridge", **OF_KIND["bridge"]}
    result = node.add(network, pod)
    node.shown.run("ip link del cni0")
    node.delete(network, pod, result)
    assert is_gone(node, inside)


def test_ipam_that_fails_is_reported_and_the_link_is_gone(kind: str, node: Runtime, pod: Pod, inside: Shown) -> None:
    network = {"cniVersion": "1.1.0", "name": "blue", "type": kind, **OF_KIND[kind], "ipam": node.given("10.1.2.3/24")}
    node.add(network, pod)
    node.program("given", node.runtime_path, DEL={"status": 1, "stdout": '{"code": 42, "msg": "not now"}'})
    assert node.ask("DEL", network, pod).failed(42) == "not now"
    assert inside.links() == set()
    assert set(node.links()) <= {"cni0"}
    node.program("given", node.runtime_path)
    node.delete(network, pod)


def test_ipam_that_is_missing_is_reported_and_the_link_is_gone(
    kind: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    network = {"cniVersion": "1.1.0", "name": "blue", "type": kind, **OF_KIND[kind], "ipam": node.given("10.1.2.3/24")}
    node.add(network, pod)
    (node.runtime_path / "given").unlink()
    assert "given" in node.ask("DEL", network, pod).failed(101)
    assert inside.links() == set()


def test_an_address_outlives_its_link(network: dict[str, Any], node: Runtime, pod: Pod, inside: Shown) -> None:
    """What still answers to an address must not see it given to somebody else."""
    node.add(network, pod)
    reserved = node.reserved("blue")
    answer = node.process("DEL", network, pod, "setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")
    assert "cannot remove link" in answer.failed(100)
    assert inside.links() == {"eth0"}
    assert node.reserved("blue") == reserved
    node.delete(network, pod)
    assert is_gone(node, inside)


def test_an_interface_on_a_link_of_the_pod_goes_alone(node: Runtime, pod: Pod, inside: Shown) -> None:
    inside.run("ip link add net0 up type veth peer name other")
    network = {"cniVersion": "1.1.0", "name": "blue", "type": "macvlan", "master": "net0", "linkInContainer": True}
    node.add(network, pod)
    node.delete(network, pod)
    assert inside.links() == {"net0", "other"}


def test_what_another_network_has_on_the_same_bridge_stays(node: Runtime, pod: Pod, inside: Shown) -> None:
    blue = {"cniVersion": "1.1.0", "name": "blue", "type": "bridge", **OF_KIND["bridge"]}
    red = {**blue, "name": "red"}
    node.add(blue, pod)
    node.add(red, pod, CNI_IFNAME="net1")
    node.delete(blue, pod)
    assert inside.links() == {"net1"}
    assert len(node.links()) == 2
