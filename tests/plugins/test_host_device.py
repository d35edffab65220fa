"""host-device: a device goes into the pod and comes back as it was, in every version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.configs import pools
from tests.plugins.runtime import VERSIONS, WITH_CHECK
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.conftest import MakePod
    from tests.plugins.runtime import Runtime

MAC = "02:00:5e:00:00:01"
OTHER_MAC = "02:00:5e:00:00:02"


def host_device(node: Runtime, version: str = "1.1.0", /, **more: object) -> dict[str, Any]:
    chosen = more if {"hwaddr", "kernelpath", "pciBusID", "runtimeConfig", "device"} & set(more) else {"device": "dev0"}
    data_dir = str(node.root / "host-device")
    return {"cniVersion": version, "name": "blue", "type": "host-device", "dataDir": data_dir, **chosen, **more}


def on_record(node: Runtime) -> list[str]:
    directory = node.root / "host-device"
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []


@pytest.fixture
def device(node: Runtime) -> dict[str, Any]:
    """dev0, a veth end, and all that a node shows with it."""
    node.shown.run(f"ip link add dev0 address {MAC} mtu 1450 type veth peer name switch0")
    node.shown.run("ip link set dev0 alias storage && ip link set switch0 up && ip link set dev0 up")
    return node.shown.everything()


def test_the_device_is_in_the_pod_and_comes_back(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    config = host_device(node)
    result = node.add(config, pod)
    assert result["interfaces"] == [{"name": "eth0", "mac": MAC, "sandbox": pod.netns, "mtu": 1450}]
    assert "dev0" not in node.shown.links()
    assert inside.links() == {"eth0"}
    assert inside.is_up("eth0")
    assert inside.link("eth0")["ifalias"] == "dev0"
    node.check(config, pod, result)
    node.delete(config, pod, result)
    assert inside.links() == set()
    assert node.shown.everything() == device
    assert on_record(node) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_it_has_the_address_that_the_result_tells(
    version: str, node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    config = host_device(node, version, ipam=pools(node, "10.1.2.0/24"))
    result = node.add(config, pod)
    assert inside.addresses("eth0") == {"10.1.2.2/24"}
    if version in VERSIONS[2:]:
        [interface], [ip] = result["interfaces"], result["ips"]
        assert {**interface, "mtu": 1450} == {"name": "eth0", "mac": MAC, "sandbox": pod.netns, "mtu": 1450}
        assert (ip["interface"], ip["address"]) == (0, "10.1.2.2/24")
    if version in WITH_CHECK:
        node.check(config, pod, result)
    node.delete(config, pod, result)
    assert node.reserved("blue") == {}
    assert node.shown.everything() == device


@pytest.mark.parametrize("version", VERSIONS)
def test_delete_of_what_was_never_added_succeeds(version: str, node: Runtime, pod: Pod) -> None:
    node.delete(host_device(node, version, ipam=pools(node, "10.1.2.0/24")), pod)
