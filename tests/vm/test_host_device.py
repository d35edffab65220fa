"""host-device with what no other kernel here has: virtual functions of a card, which outlive a namespace, and VLANs."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.linux.links import list_links
from cni_multus.linux.netns import Namespace
from tests.conftest import LIBC, MNT_DETACH, checked
from tests.node import UPLINK, Pod
from tests.plugins.configs import pools
from tests.plugins.lent import host_device, on_record
from tests.plugins.runtime import Runtime
from tests.plugins.shown import Shown
from tools.build import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import MakeNamespace

pytestmark = pytest.mark.vm

PCI = Path("/sys/bus/pci")
SELF = "/proc/self/ns/net"
FOR_PROGRAMS = "uio_pci_generic"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Runtime]:
    """The machine itself: to its namespace the kernel gives back what others had."""
    with Namespace.open(SELF) as host:
        runtime = Runtime(host, tmp_path)
        yield runtime
        runtime.shown.run(f"ip link del {UPLINK}")


@pytest.fixture
def pod(netns: MakeNamespace) -> Pod:
    return Pod(netns("pod"), "pod1")


@pytest.fixture
def inside(pod: Pod) -> Shown:
    return Shown(pod.netns)


@pytest.fixture
def function(functions: list[str]) -> str:
    """The PCI address of a virtual function."""
    return functions[0]


def links_of(function: str) -> dict[str, tuple[str, int, str, int]]:
    """The links that the node has of a virtual function; where one comes back to is this."""
    with Namespace.open(SELF) as host:
        found = [link for link in list_links(host) if link.parent_device == function]
    return {link.name: (link.mac, link.mtu, link.alias, link.flags & 1) for link in found}


def until(reached: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def destroy(pod: Pod) -> None:
    """The pod's namespace dies, and what is in it goes home or dies as well."""
    checked(LIBC.umount2(os.fsencode(pod.netns), MNT_DETACH))


@pytest.mark.parametrize("selector", ["pciBusID", "deviceID", "kernelpath"])
def test_a_virtual_function_goes_and_comes_back(
    selector: str, node: Runtime, pod: Pod, inside: Shown, functions: list[str]
) -> None:
    function, other = functions
    before = links_of(function)
    choices: dict[str, dict[str, Any]] = {
        "pciBusID": {"pciBusID": function.upper()},
        # What the kubelet chose takes the place of what is configured, as in the reference.
        "deviceID": {"pciBusID": other, "runtimeConfig": {"deviceID": function}},
        "kernelpath": {"kernelpath": str((PCI / "devices" / function).resolve())},
    }
    config = host_device(node, **choices[selector], ipam=node.given("10.1.2.3/24"))
    result = node.add(config, pod)
    [interface] = result["interfaces"]
    assert interface == {**interface, "name": "eth0", "sandbox": pod.netns, "pciID": function}
    assert inside.link("eth0")["parentdev"] == function
    assert (links_of(function), inside.addresses("eth0")) == ({}, {"10.1.2.3/24"})
    node.check(config, pod, result)
    assert node.ask("STATUS", config).status == 0
    inside.run("ip link set eth0 down && ip link set eth0 name mine mtu 1300")
    node.delete(config, pod, result)
    assert (links_of(function), inside.links(), on_record(node)) == (before, set(), [])


def test_a_device_id_and_another_selector_must_mean_the_same(node: Runtime, pod: Pod, functions: list[str]) -> None:
    """BUG of the reference: the configured device goes, whatever the kubelet chose."""
    [name], [other] = links_of(functions[0]), links_of(functions[1])
    chosen = {"runtimeConfig": {"deviceID": functions[0]}}
    said = node.ask("ADD", host_device(node, device=other, **chosen), pod).failed(7)
    assert said.startswith(f"device: {other} is not the device that the runtime chose")
    assert f"{functions[0]} ({name}) by runtimeConfig.deviceID" in said
    node.add(host_device(node, device=name, **chosen), pod)
    node.delete(host_device(node, device=name), pod)


def test_the_example_does_what_its_readme_says(node: Runtime, pod: Pod, inside: Shown, function: str) -> None:
    before = links_of(function)
    example = json.loads((ROOT / "conf" / "host-device" / "allocated.conflist").read_text())
    [plugin] = example.pop("plugins")
    assert plugin["capabilities"] == {"deviceID": True}
    plugin["ipam"]["dataDir"] = str(node.addresses)
    config = {**example, **plugin, "dataDir": str(node.root / "host-device")}
    assert node.ask("STATUS", config).status == 0
    result = node.add({**config, "runtimeConfig": {"deviceID": function}}, pod)
    assert (result["interfaces"][0]["pciID"], inside.addresses("eth0")) == (function, {"192.168.51.5/24"})
    node.check(config, pod, result)
    node.delete(config, pod, result)
    assert links_of(function) == before


@pytest.mark.parametrize("ifname", ["net7", "eth0"])
def test_what_a_dead_namespace_gave_back_is_made_what_it_was(
    ifname: str, node: Runtime, pod: Pod, inside: Shown, function: str
) -> None:
    """The kernel leaves it the name that it had in the pod, or calls it dev<index> where the node has that name."""
    before = links_of(function)
    config = host_device(node, pciBusID=function, ipam=pools(node, "10.1.2.0/24"))
    result = node.add(config, pod, CNI_IFNAME=ifname)
    inside.run(f"ip link set {ifname} mtu 1300")
    destroy(pod)
    node.delete(config, pod, result, CNI_IFNAME=ifname, CNI_NETNS="")  # at once: the namespace is just dying
    assert (links_of(function), node.reserved("blue"), on_record(node)) == (before, {}, [])
    node.delete(config, pod, CNI_IFNAME=ifname, CNI_NETNS="")


def test_a_name_that_the_node_has_taken_meanwhile_keeps_no_address(node: Runtime, pod: Pod, function: str) -> None:
    before = links_of(function)
    config = host_device(node, pciBusID=function, ipam=pools(node, "10.1.2.0/24"))
    node.add(config, pod)
    [name] = before
    node.shown.run(f"ip link add {name} type dummy")
    destroy(pod)
    until(lambda: links_of(function))
    assert f"has another link {name} (dummy" in node.ask("DEL", config, pod, CNI_NETNS="").failed(100)
    assert node.reserved("blue") == {}
    node.shown.run(f"ip link del {name}")
    node.delete(config, pod, CNI_NETNS="")
    assert (links_of(function), on_record(node)) == (before, [])


def test_the_next_pod_gets_a_device_that_no_delete_mended(
    node: Runtime, pod: Pod, function: str, netns: MakeNamespace
) -> None:
    before = links_of(function)
    [name] = before
    node.add(host_device(node, pciBusID=function), pod, CNI_IFNAME="net7")
    destroy(pod)
    until(lambda: links_of(function))
    again = Pod(netns("again"), "pod2")
    config = host_device(node, device=name)
    assert node.ask("STATUS", config).status == 0
    node.add(config, again)
    assert on_record(node) == ["pod2_eth0.json"]
    node.delete(config, again)
    assert links_of(function) == before


def test_garbage_collection_makes_it_what_it_was(node: Runtime, pod: Pod, function: str) -> None:
    before = links_of(function)
    config = host_device(node, pciBusID=function)
    node.add(config, pod, CNI_IFNAME="net7")
    destroy(pod)
    until(lambda: links_of(function))
    assert node.ask("GC", {**config, "cni.dev/valid-attachments": []}).status == 0
    assert (links_of(function), on_record(node)) == (before, [])


def test_a_function_that_was_taken_away_is_deleted_all_the_same(
    node: Runtime, pod: Pod, card: Path, function: str
) -> None:
    config = host_device(node, pciBusID=function, ipam=pools(node, "10.1.2.0/24"))
    result = node.add(config, pod)
    (card / "sriov_numvfs").write_text("0")
    assert "gone" in node.difference(config, pod, result)
    node.delete(config, pod, result)
    assert (node.reserved("blue"), on_record(node)) == ({}, [])
    assert "no PCI device" in node.ask("STATUS", config).failed(50)


def bind(function: str, driver: str) -> None:
    """Take the device from its driver, and give it to another; "": to none."""
    device = PCI / "devices" / function
    with suppress(FileNotFoundError):
        (device / "driver" / "unbind").write_text(function)
    (device / "driver_override").write_text(f"{driver or 'none'}\n")
    (PCI / "drivers_probe").write_text(function)


def test_a_device_of_a_program_is_told_and_not_moved(node: Runtime, pod: Pod, inside: Shown, function: str) -> None:
    node.shown.run(f"modprobe {FOR_PROGRAMS}")
    bind(function, FOR_PROGRAMS)
    route = {"dst": "10.9.0.0/16", "gw": "10.1.2.1"}
    config = host_device(node, pciBusID=function, ipam=node.given("10.1.2.3/24", routes=[route]))
    result = node.add(config, pod)
    assert result["interfaces"] == [{"name": "eth0", "sandbox": pod.netns, "pciID": function}]
    assert (result["ips"][0]["address"], result["routes"]) == ("10.1.2.3/24", [route])
    assert inside.links() == set()
    node.check(config, pod, result)
    assert node.ask("STATUS", config).status == 0
    bind(function, "")
    assert "its driver is gone" in node.difference(config, pod, result)
    assert "no driver is bound" in node.ask("STATUS", config).failed(50)
    node.delete(config, pod, result)  # BUG of the reference: it looks for the driver first
    assert node.verbs()[-1] == "DEL"
    assert on_record(node) == []
    said = node.ask("ADD", config, pod).failed(7)
    assert said == f"pciBusID: no driver is bound to the PCI device {function}"
    conflicting = host_device(node, device="eth1", runtimeConfig={"deviceID": function})
    bind(function, FOR_PROGRAMS)
    assert FOR_PROGRAMS in node.ask("ADD", conflicting, pod).failed(7)


def test_a_vlan_of_the_node_goes_and_comes_back(node: Runtime, pod: Pod, inside: Shown) -> None:
    node.shown.run("ip link add under up type dummy && ip link add link under name under.7 type vlan id 7")
    before = node.shown.link("under.7")
    config = host_device(node, device="under.7")
    result = node.add(config, pod, CNI_IFNAME="under")
    node.check(config, pod, result, CNI_IFNAME="under")
    inside.run("ip link set under mtu 1300 promisc on")
    node.delete(config, pod, result, CNI_IFNAME="under")
    assert node.shown.link("under.7") == before
    node.shown.run("ip link del under")
