"""loopback: `lo` in the pod, in every version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.runtime import VERSIONS, WITH_CHECK

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown


def loopback(version: str = "1.1.0") -> dict[str, Any]:
    return {"cniVersion": version, "name": "lo", "type": "loopback"}


@pytest.mark.parametrize("version", VERSIONS)
def test_add_brings_lo_up_and_delete_takes_it_down(version: str, node: Runtime, pod: Pod, inside: Shown) -> None:
    result = node.add(loopback(version), pod)
    assert result["cniVersion"] == version
    assert inside.is_up("lo")
    node.delete(loopback(version), pod, result)
    assert not inside.is_up("lo")
    node.delete(loopback(version), pod, result)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_result_has_one_address_of_each_family(version: str, node: Runtime, pod: Pod) -> None:
    result = node.add(loopback(version), pod)
    if version in VERSIONS[:2]:
        assert (result["ip4"]["ip"], result["ip6"]["ip"]) == ("127.0.0.1/8", "::1/128")
        return
    [lo] = result["interfaces"]
    assert (lo["name"], lo["mac"], lo["sandbox"]) == ("lo", "00:00:00:00:00:00", pod.netns)
    assert [(ip["interface"], ip["address"]) for ip in result["ips"]] == [(0, "127.0.0.1/8"), (0, "::1/128")]


@pytest.mark.parametrize("version", VERSIONS[2:])
def test_an_earlier_result_is_passed_on(version: str, node: Runtime, pod: Pod, inside: Shown) -> None:
    earlier = {"cniVersion": version, "interfaces": [{"name": "eth0"}], "ips": [], "colour": "blue"}
    result = node.ask("ADD", loopback(version), pod, earlier).succeeded().document
    assert (result["interfaces"], result["colour"]) == ([{"name": "eth0"}], "blue")
    assert inside.is_up("lo")


def test_the_name_of_the_interface_means_nothing(node: Runtime, pod: Pod, inside: Shown) -> None:
    node.add(loopback(), pod, CNI_IFNAME="eth0")
    assert inside.links() == set()


@pytest.mark.parametrize("address", ["192.0.2.1/32", "2001:db8::1/128"])
def test_an_address_that_is_no_loopback_address_is_refused(
    address: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    inside.run(f"ip addr add {address} dev lo")
    assert address in node.ask("ADD", loopback(), pod).failed(8)
    assert not inside.is_up("lo")


@pytest.mark.parametrize("version", WITH_CHECK)
def test_check_finds_lo_down(version: str, node: Runtime, pod: Pod, inside: Shown) -> None:
    result = node.add(loopback(version), pod)
    node.check(loopback(version), pod, result)
    inside.run("ip link set lo down")
    assert "lo" in node.difference(loopback(version), pod, result)


@pytest.mark.parametrize("path", ["", "/nowhere/to/be/found", "/proc/self/status"])
def test_delete_needs_no_namespace(path: str, node: Runtime, pod: Pod) -> None:
    node.delete(loopback(), pod, CNI_NETNS=path)


def test_status_and_garbage_collection_have_nothing_to_say(node: Runtime) -> None:
    node.ask("STATUS", loopback()).succeeded()
    node.ask("GC", {**loopback(), "cni.dev/valid-attachments": []}).succeeded()
