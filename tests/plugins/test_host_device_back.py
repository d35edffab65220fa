"""host-device: how a device comes home, after a failure, a DEL of any kind, and by garbage collection."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.state.files import TEMPORARY
from tests.conftest import LIBC, MNT_DETACH, checked, make_namespace
from tests.plugins.configs import pools
from tests.plugins.lent import MAC, OTHER_MAC, add_device, host_device, on_record

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown
    from tests.pods import MakePod


@pytest.fixture
def device(node: Runtime) -> dict[str, Any]:
    """dev0 with addresses and routes, and all that the node shows with it."""
    add_device(node)
    node.shown.run("ip addr add 192.0.2.1/24 dev dev0 && ip addr add 2001:db8::1/64 dev dev0 nodad")
    node.shown.run("ip route add 198.51.100.0/24 via 192.0.2.254 dev dev0 metric 77 mtu 1300")
    node.shown.run("ip route add 203.0.113.0/24 dev dev0 table 100 && ip -6 route add 2001:db8:1::/48 dev dev0")
    return node.shown.everything()


def destroy(pod: Pod) -> None:
    """The pod's namespace, and the virtual links in it, die; its path stays as a plain file."""
    checked(LIBC.umount2(os.fsencode(pod.netns), MNT_DETACH))


# A failed ADD.


def test_failed_ipam_moves_nothing(node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]) -> None:
    node.program("given", node.runtime_path, ADD={"status": 1, "stdout": '{"code": 42, "msg": "none left"}'})
    assert node.ask("ADD", host_device(node, ipam={"type": "given"}), pod).failed(42) == "none left"
    assert (node.shown.everything(), inside.links(), on_record(node)) == (device, set(), [])


def test_a_refused_address_puts_the_device_back_exactly(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    """BUG of the reference: it stays in the pod, and only IPAM is undone."""
    routes = [{"dst": "10.9.0.0/16", "gw": "10.1.2.1", "scope": 253}]
    config = host_device(node, ipam=node.given("10.1.2.3/24", routes=routes))
    node.ask("ADD", config, pod).failed(100)
    assert (node.shown.everything(), inside.links(), on_record(node)) == (device, set(), [])
    assert node.verbs() == ["ADD", "DEL"]
    node.add(host_device(node, ipam=node.given("10.1.2.3/24")), pod)


def test_what_cannot_be_put_on_record_does_not_leave(node: Runtime, pod: Pod, device: dict[str, Any]) -> None:
    (node.root / "file").write_text("")
    config = host_device(node, dataDir=str(node.root / "file"), ipam=node.given("10.1.2.3/24"))
    node.ask("ADD", config, pod).failed(5)
    assert (node.shown.everything(), node.verbs()) == (device, [])


def test_an_add_that_was_killed_is_begun_anew(node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]) -> None:
    """Coming up is the last thing that it does: a device that is in the pod, and down, is half an ADD."""
    config = host_device(node)
    node.add(config, pod)
    inside.run("ip link set eth0 down")
    node.add(config, pod)
    assert inside.is_up("eth0")
    node.delete(config, pod)
    assert node.shown.everything() == device


def test_a_second_add_leaves_the_first_one_alone(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    config = host_device(node, ipam=node.given("10.1.2.3/24"))
    result = node.add(config, pod)
    assert "eth0 is taken" in node.ask("ADD", config, pod).failed(4)
    node.check(config, pod, result)


# DEL.


def test_whatever_the_pod_did_to_it_is_taken_back(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    """BUG of the reference: what was renamed is not found, and MAC, MTU and modes stay as the pod left them."""
    before = node.shown.link("dev0")
    config = host_device(node, ipam=node.given("10.1.2.3/24"))
    result = node.add(config, pod)
    inside.run("ip link set eth0 down && ip link set eth0 name mine alias whatever")
    inside.run(f"ip link set mine address {OTHER_MAC} mtu 1200 promisc on allmulticast on group 7 up")
    node.delete(config, pod, result)
    assert inside.links() == set()
    assert node.shown.everything() == device
    after = node.shown.link("dev0")
    assert {key: after[key] for key in ("group", "flags", "allmulti")} == {
        key: before[key] for key in ("group", "flags", "allmulti")
    }


def test_an_interface_that_only_has_the_name_is_left_alone(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    config = host_device(node)
    node.add(config, pod)
    inside.run("ip link set eth0 down && ip link set eth0 name mine")
    inside.run("ip link add eth0 alias innocent type veth peer name other")
    node.delete(config, pod)
    assert inside.links() == {"eth0", "other"}
    assert node.shown.everything() == device


def test_delete_twice_succeeds_twice(node: Runtime, pod: Pod, device: dict[str, Any]) -> None:
    """BUG of the reference: the second one fails, and the pod stays terminating."""
    config = host_device(node, ipam=pools(node, "10.1.2.0/24"))
    result = node.add(config, pod)
    for _ in range(2):
        node.delete(config, pod, result)
    node.delete(config, pod, CNI_NETNS="")
    assert (node.shown.everything(), node.reserved("blue")) == (device, {})


@pytest.mark.parametrize("now", ["as it was", "a file", "nothing there", ""])
def test_without_the_namespace_the_address_is_released(
    now: str, node: Runtime, pod: Pod, tmp_path: Path, device: dict[str, Any]
) -> None:
    """BUG of the reference: without it nothing is released, or DEL fails; a veth dies with its namespace."""
    config = host_device(node, ipam=pools(node, "10.1.2.0/24"))
    result = node.add(config, pod)
    destroy(pod)
    (tmp_path / "file").write_text("")
    path = {"as it was": pod.netns, "a file": str(tmp_path / "file"), "nothing there": "/nowhere", "": ""}[now]
    node.delete(config, pod, result, CNI_NETNS=path)
    assert (node.reserved("blue"), on_record(node)) == ({}, [])
    node.delete(config, pod, CNI_NETNS=path)


def test_a_namespace_that_is_not_named_but_there_gives_the_device_back(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    node.add(host_device(node), pod)
    node.delete(host_device(node), pod, CNI_NETNS="")
    assert (inside.links(), node.shown.everything(), on_record(node)) == (set(), device, [])


def test_another_pod_in_the_place_of_the_first_keeps_its_links(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    """What is known of a veth is its index, and the next namespace may have a veth of the same."""
    node.add(host_device(node), pod)
    index = inside.link("eth0")["ifindex"]
    destroy(pod)
    make_namespace(Path(pod.netns))
    inside.run(f"ip link add eth0 index {index} type veth peer name other")
    node.delete(host_device(node), pod)
    assert (inside.links(), on_record(node)) == ({"eth0", "other"}, [])


def test_a_device_passes_from_pod_to_pod_unharmed(node: Runtime, make_pod: MakePod, device: dict[str, Any]) -> None:
    """Each tries until it gets it: no ADD sees a device that is still on its way home."""

    def use(pod: Pod) -> int:
        attached = 0
        while attached < 4:
            answer = node.ask("ADD", host_device(node), pod)
            if answer.status:
                assert answer.document["code"] == 11, answer.document
                continue
            attached += 1
            node.delete(host_device(node), pod)
        return attached

    pods = [make_pod(f"pod{number}") for number in range(3)]
    with ThreadPoolExecutor(len(pods)) as pool:
        assert list(pool.map(use, pods)) == [4, 4, 4]
    assert (node.shown.everything(), on_record(node)) == (device, [])


@pytest.mark.parametrize(
    "broken",
    [
        {"device": None},
        {"device": 1, "hwaddr": "nonsense"},
        {"device": None, "pciBusID": "0000:ff:1f.7"},
        {"runtimeConfig": {"deviceID": "../.."}},
        {"force": "maybe"},
    ],
    ids=str,
)
def test_delete_needs_no_valid_configuration(
    broken: dict[str, Any], node: Runtime, pod: Pod, device: dict[str, Any]
) -> None:
    """BUG of the reference: the device, and its driver, are looked up first."""
    config = host_device(node)
    node.add(config, pod)
    node.delete({**config, **broken}, pod)
    assert (node.shown.everything(), on_record(node)) == (device, [])


def test_a_name_that_the_node_has_taken_leaves_the_device_in_the_pod(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    config = host_device(node, ipam=pools(node, "10.1.2.0/24"))
    result = node.add(config, pod)
    node.shown.run(f"ip link add dev0 address {OTHER_MAC} type veth peer name other")
    said = node.ask("DEL", config, pod, result).failed(100)
    assert "as dev0: the host namespace has another link dev0" in said
    assert (inside.is_up("eth0"), inside.addresses("eth0")) == (True, {"10.1.2.2/24"})
    assert list(node.reserved("blue")) == ["10.1.2.2"]
    node.check(config, pod, result)
    node.shown.run("ip link del dev0")
    node.delete(config, pod, result)
    assert (node.shown.everything(), node.reserved("blue"), on_record(node)) == (device, {}, [])


def test_what_cannot_be_restored_is_told_once_and_the_rest_is_done(
    node: Runtime, pod: Pod, device: dict[str, Any]
) -> None:
    config = host_device(node, ipam=pools(node, "10.1.2.0/24"))
    node.add(config, pod)
    record = node.root / "host-device" / on_record(node)[0]
    record.write_text(record.read_text().replace('"mtu":1450', '"mtu":70000'))
    assert "cannot restore the MTU 70000 of dev0" in node.ask("DEL", config, pod).failed(100)
    assert node.shown.is_up("dev0")
    assert (node.reserved("blue"), on_record(node)) == ({}, [])
    node.delete(config, pod)


def test_another_networks_device_is_not_this_ones(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    config = host_device(node)
    result = node.add(config, pod)
    inside.run("ip link set eth0 alias ''")
    node.delete({**config, "name": "green"}, pod)
    node.check(config, pod, result)


def test_what_a_killed_add_had_begun_to_record_goes(node: Runtime, pod: Pod, device: dict[str, Any]) -> None:
    config = host_device(node)
    begun = node.root / "host-device" / f"{TEMPORARY}{pod.container_id}_eth0"
    others = begun.with_name(f"{TEMPORARY}other_eth0")
    begun.parent.mkdir()
    for path in (begun, others):
        path.write_text('{"netns": "/run')
    node.delete(config, pod)
    assert (begun.exists(), others.exists()) == (False, True)
    assert node.shown.everything() == device


# What the Go program moved: no record, but an alias.


def moved_by_go(node: Runtime, pod: Pod, inside: Shown) -> None:
    node.shown.run(f"ip link set dev0 alias dev0 netns {pod.netns} name eth0")
    inside.run("ip link set eth0 up")


def test_what_the_go_program_moved_comes_back_by_its_alias(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    moved_by_go(node, pod, inside)
    node.delete(host_device(node), pod)
    shown = node.shown.link("dev0")
    assert (shown["address"], shown.get("ifalias"), "UP" in shown["flags"]) == (MAC, None, False)
    assert inside.links() == set()


@pytest.mark.parametrize("alias", ["", "a/b", "no name at all", "multus:blue:pod1:eth0"])
def test_an_alias_that_is_no_name_is_not_followed(
    alias: str, node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    moved_by_go(node, pod, inside)
    inside.run(f"ip link set eth0 alias '{alias}'")
    node.delete(host_device(node), pod)
    assert inside.links() == {"eth0"}


def test_what_prev_result_does_not_tell_is_not_moved(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    moved_by_go(node, pod, inside)
    told = {"cniVersion": "1.1.0", "interfaces": [{"name": "eth0", "mac": OTHER_MAC, "sandbox": pod.netns}]}
    node.delete(host_device(node), pod, told)
    assert inside.links() == {"eth0"}


# The meta-plugin, GC and CHECK.


def test_the_meta_plugin_does_not_take_the_device_for_one_of_its_links(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    """It removes a pod's links by their group, with one message."""
    lent = host_device(node, ipam=pools(node, "10.9.0.0/24"))
    config = node.config(node.bridge(), lent)
    node.call("ADD", config, pod).succeeded()
    assert inside.links() == {"eth0", "net1"}
    node.call("DEL", config, pod).succeeded()
    node.shown.run("ip link del cni0")
    assert inside.links() == set()
    assert node.shown.everything()["links"] == device["links"]
    assert on_record(node) == []


def valid(*pods: Pod) -> dict[str, Any]:
    return {"cni.dev/valid-attachments": [{"containerID": pod.container_id, "ifname": "eth0"} for pod in pods]}


def test_garbage_collection_brings_home_what_is_not_valid(
    node: Runtime, make_pod: MakePod, device: dict[str, Any]
) -> None:
    add_device(node, "dev1", OTHER_MAC)
    add_device(node, "dev2", "02:00:5e:00:00:03")
    stale, kept, foreign = make_pod("stale"), make_pod("kept"), make_pod("foreign")
    config = host_device(node, ipam=pools(node, "10.1.2.0/24"))
    node.add(config, stale)
    node.add({**config, "device": "dev1"}, kept)
    node.add({**config, "device": "dev2", "name": "green"}, foreign)
    assert node.ask("GC", {**config, **valid(kept)}).succeeded().stdout == b""
    assert node.shown.links() & {"dev0", "dev1", "dev2"} == {"dev0"}
    assert node.shown.addresses("dev0") == {"192.0.2.1/24", "2001:db8::1/64"}
    assert (stale.links(), set(kept.links()), set(foreign.links())) == ({}, {"eth0"}, {"eth0"})
    assert on_record(node) == ["foreign_eth0.json", "kept_eth0.json"]
    assert len(node.reserved("blue")) == 1


def test_garbage_collection_goes_on_after_a_failure(node: Runtime, make_pod: MakePod, device: dict[str, Any]) -> None:
    add_device(node, "dev1", OTHER_MAC)
    first, second = make_pod("first"), make_pod("second")
    config = host_device(node, ipam=pools(node, "10.1.2.0/24"))
    node.add(config, first)
    node.add({**config, "device": "dev1"}, second)
    node.shown.run("ip link add dev0 type veth peer name other")
    assert "another link dev0" in node.ask("GC", {**config, **valid()}).failed(100)
    assert (set(first.links()), second.links()) == ({"eth0"}, {})
    assert on_record(node) == ["first_eth0.json"]


def test_garbage_collection_forgets_what_died_with_its_namespace(
    node: Runtime, pod: Pod, device: dict[str, Any]
) -> None:
    node.add(host_device(node), pod)
    destroy(pod)
    assert node.ask("GC", {**host_device(node), **valid()}).status == 0
    assert on_record(node) == []


def test_check_names_what_is_different(node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]) -> None:
    config = host_device(node, ipam=node.given("10.1.2.3/24"))
    result = node.add(config, pod)
    inside.run(f"ip link set eth0 down && ip link set eth0 address {OTHER_MAC} mtu 1400 && ip addr flush dev eth0")
    said = node.difference(config, pod, result)
    for difference in (f"its MAC is {OTHER_MAC}", "its MTU is 1400", "it is down", "10.1.2.3/24 is not on eth0"):
        assert difference in said
    inside.run("ip link set eth0 name mine")
    assert "eth0 is gone" in node.difference(config, pod, result)
    inside.run(f"ip link add eth0 address {MAC} mtu 1450 up type veth peer name other")
    assert "it is not dev0 of the node" in node.difference(config, pod, result)


def test_check_needs_no_runtime_config(node: Runtime, pod: Pod, device: dict[str, Any]) -> None:
    config = host_device(node)
    result = node.add(config, pod)
    node.check({**config, "device": ""}, pod, result)
