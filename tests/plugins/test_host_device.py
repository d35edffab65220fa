"""host-device: which device goes into the pod, in every version, and which does not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.linux.netns import setns
from tests.conftest import LIBC, checked
from tests.node import in_private_mounts
from tests.plugins.configs import pools
from tests.plugins.lent import MAC, OTHER_MAC, add_device, host_device, on_record
from tests.plugins.runtime import VERSIONS, WITH_CHECK
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.node import Answer, Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod


@pytest.fixture
def device(node: Runtime) -> dict[str, Any]:
    """dev0, and all that the node shows with it."""
    add_device(node)
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
    node.check(config, pod, result)
    node.delete(config, pod, result)
    assert inside.links() == set()
    assert node.shown.everything() == device
    assert on_record(node) == []


def test_in_the_pod_its_alias_is_its_name_on_the_node(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    """By it the Go program's DEL knows what to call it."""
    node.add(host_device(node), pod)
    assert inside.link("eth0")["ifalias"] == "dev0"


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


def test_frames_pass(node: Runtime, pod: Pod, device: dict[str, Any]) -> None:
    node.shown.run("ip addr add 10.1.2.1/24 dev to-dev0")
    node.add(host_device(node, ipam=node.given("10.1.2.3/24")), pod)
    node.shown.run("ping -c 1 -W 2 10.1.2.3")


def test_a_device_that_was_down_is_up_in_the_pod_and_down_again(node: Runtime, pod: Pod, inside: Shown) -> None:
    add_device(node)
    node.shown.run("ip link set dev0 down")
    before = node.shown.everything()
    node.add(host_device(node), pod)
    assert inside.is_up("eth0")
    node.delete(host_device(node), pod)
    assert node.shown.everything() == before


@pytest.mark.parametrize("written", [MAC, MAC.upper(), MAC.replace(":", "-"), "0200.5e00.0001"])
def test_hwaddr_finds_it_in_any_spelling(
    written: str, node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    config = host_device(node, hwaddr=written)
    node.add(config, pod)
    assert inside.link("eth0")["address"] == MAC
    node.delete(config, pod)
    assert node.shown.everything() == device


def test_an_address_that_several_links_have_is_refused(node: Runtime, pod: Pod, device: dict[str, Any]) -> None:
    """BUG of the reference: the one that is listed first is moved."""
    add_device(node, "dev1")
    assert "dev0, dev1" in node.ask("ADD", host_device(node, hwaddr=MAC), pod).failed(7)


def test_an_alternative_name_finds_it_and_stays_with_it(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    node.shown.run("ip link property add dev dev0 altname a-name-that-is-longer-than-15")
    config = host_device(node, device="a-name-that-is-longer-than-15")
    node.add(config, pod)
    assert inside.link("eth0")["altnames"] == ["a-name-that-is-longer-than-15"]
    node.delete(config, pod)
    assert node.shown.link("dev0")["altnames"] == ["a-name-that-is-longer-than-15"]
    assert node.shown.everything() == device


def test_the_first_selector_counts(node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]) -> None:
    """In the order of the reference: device, hwaddr, kernelpath, pciBusID."""
    add_device(node, "dev1", OTHER_MAC)
    node.add(host_device(node, hwaddr=OTHER_MAC, device="dev0", kernelpath="/nowhere", pciBusID="0000:ff:1f.7"), pod)
    assert inside.link("eth0")["address"] == MAC


def on_its_own_sysfs(node: Runtime, verb: str, config: dict[str, Any], pod: Pod) -> Answer:
    """A call on a node whose /sys shows its own links, as that of a real one does."""

    def call() -> Answer:
        setns(node.host.fd)
        checked(LIBC.mount(b"sysfs", b"/sys", b"sysfs", 0, None))
        return node.ask(verb, config, pod)

    return in_private_mounts(call)


def test_kernelpath_finds_the_link_of_a_directory(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    config = host_device(node, kernelpath="/sys/devices/virtual/../virtual/")
    on_its_own_sysfs(node, "ADD", config, pod).succeeded()
    assert inside.link("eth0")["ifalias"] == "dev0"
    node.delete(config, pod)
    assert node.shown.everything() == device


WRONG: dict[str, tuple[dict[str, object], int]] = {
    "a name that is a number": ({"device": 1}, 6),
    "a name that no link has": ({"device": "nowhere"}, 7),
    "a path for a name": ({"device": "../dev0"}, 7),
    "an address that is none": ({"hwaddr": "02:00:5e"}, 7),
    "an address that no link has": ({"hwaddr": OTHER_MAC}, 7),
    "an InfiniBand address that no link has": ({"hwaddr": ":".join(["02"] * 20)}, 7),
    "a path outside": ({"kernelpath": "/proc/self"}, 7),
    "a path that leads outside": ({"kernelpath": "/sys/devices/../../etc"}, 7),
    "a path that begins alike": ({"kernelpath": "/sys/devices-of-mine"}, 7),
    "a relative path": ({"kernelpath": "sys/devices/virtual"}, 7),
    "a path without links": ({"kernelpath": "/sys/devices/system"}, 7),
    "a PCI address that is a path": ({"pciBusID": "../../../class/net/dev0"}, 7),
    "a PCI address without function": ({"pciBusID": "0000:01:00"}, 7),
    "a PCI device that is not there": ({"pciBusID": "0000:ff:1f.7"}, 7),
    "the loopback device": ({"device": "lo", "force": True}, 7),
    "force that is a word": ({"force": "yes", "device": "dev0"}, 6),
    "a directory that is relative": ({"dataDir": "run", "device": "dev0"}, 7),
}
WRONG_DEVICE_IDS = {
    "a path": "../../class/net/dev0",
    "a PCI device that is not there": "0000:ff:1f.7",
    "an auxiliary device that is not there": "mlx5_core.sf.9",
    "neither": "dev0",
}


@pytest.mark.parametrize(("wrong", "code"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_path_before_anything_happens(
    wrong: dict[str, object], code: int, node: Runtime, pod: Pod, device: dict[str, Any]
) -> None:
    config = host_device(node, ipam=node.given("10.1.2.3/24"), **wrong)
    assert node.ask("ADD", config, pod).failed(code).startswith(next(iter(wrong)))
    assert node.shown.everything() == device
    assert (on_record(node), node.verbs()) == ([], [])


@pytest.mark.parametrize("wrong", WRONG_DEVICE_IDS.values(), ids=WRONG_DEVICE_IDS)
def test_a_wrong_device_id_is_told_with_its_path(wrong: str, node: Runtime, pod: Pod, device: dict[str, Any]) -> None:
    config = host_device(node, runtimeConfig={"deviceID": wrong}, ipam=node.given("10.1.2.3/24"))
    assert node.ask("ADD", config, pod).failed(7).startswith("runtimeConfig.deviceID: ")
    assert (on_record(node), node.verbs()) == ([], [])


@pytest.mark.parametrize("selector", [{"device": "dev0"}, {"hwaddr": MAC}, {"kernelpath": "/sys/devices/virtual"}])
def test_what_the_runtime_chose_is_not_passed_over(
    selector: dict[str, str], node: Runtime, pod: Pod, device: dict[str, Any]
) -> None:
    """BUG of the reference: the configured device is moved, and what the kubelet allocated is not."""
    config = host_device(node, **selector, runtimeConfig={"deviceID": "0000:ff:1f.7"})
    assert "0000:ff:1f.7" in node.ask("ADD", config, pod).failed(7)
    assert node.shown.everything() == device


@pytest.mark.parametrize("verb", ["ADD", "STATUS"])
def test_without_selector_it_is_refused(verb: str, node: Runtime, pod: Pod) -> None:
    config = host_device(node, device="")
    said = node.ask(verb, config, pod if verb == "ADD" else None).failed(7)
    assert said.startswith("device: nothing says which device is meant")


def test_the_device_of_the_default_route_stays(node: Runtime, pod: Pod, device: dict[str, Any]) -> None:
    """The reference moves it, and the node is gone from the network."""
    node.shown.run("ip route add default dev dev0 metric 700")
    before = node.shown.everything()
    said = node.ask("ADD", host_device(node, ipam=node.given("10.1.2.3/24")), pod).failed(7)
    assert said.startswith("device: the node's default route leaves by dev0")
    assert node.shown.everything() == before
    assert node.verbs() == []


@pytest.mark.parametrize(
    "route",
    ["ip -6 route add default dev dev0", "ip route add default nexthop dev dev0 nexthop dev up0"],
    ids=["IPv6", "one of several hops"],
)
def test_any_default_route_counts(route: str, node: Runtime, pod: Pod, device: dict[str, Any]) -> None:
    node.shown.run(route)
    assert "default route" in node.ask("ADD", host_device(node), pod).failed(7)


def test_what_the_default_routes_device_stands_on_stays(node: Runtime, pod: Pod, device: dict[str, Any]) -> None:
    node.shown.run("ip link add mv0 link dev0 up type macvlan && ip route add default dev mv0")
    assert "default route leaves by dev0" in node.ask("ADD", host_device(node), pod).failed(7)


def test_with_force_it_goes_and_its_route_is_there_again(node: Runtime, pod: Pod, device: dict[str, Any]) -> None:
    node.shown.run("ip addr add 192.0.2.1/24 dev dev0 && ip route add default via 192.0.2.254 dev dev0 mtu 1400")
    before = node.shown.everything()
    node.add(host_device(node, force=True), pod)
    node.delete(host_device(node, force=True), pod)
    assert node.shown.everything() == before


def test_a_port_stays_with_its_bridge(node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]) -> None:
    node.shown.run("ip link add br0 type bridge && ip link set dev0 master br0")
    before = node.shown.everything()
    assert "dev0 is a port of br0" in node.ask("ADD", host_device(node), pod).failed(7)
    assert node.shown.everything() == before
    node.add(host_device(node, force=True), pod)
    node.delete(host_device(node), pod)
    assert node.shown.link("dev0")["master"] == "br0"


def test_what_the_kernel_does_not_move_stays_as_it_was(node: Runtime, pod: Pod, inside: Shown) -> None:
    node.shown.run("ip link add br0 type bridge")
    before = node.shown.everything()
    config = host_device(node, device="br0", ipam=node.given("10.1.2.3/24"))
    assert "the kernel keeps" in node.ask("ADD", config, pod).failed(100)
    assert (node.shown.everything(), inside.links(), on_record(node)) == (before, set(), [])
    assert node.verbs() == ["ADD", "DEL"]


def test_an_interface_name_that_is_taken_is_refused(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    inside.run("ip link add eth0 type veth peer name other")
    assert "eth0 is taken" in node.ask("ADD", host_device(node), pod).failed(4)
    assert node.shown.everything() == device


def test_a_link_of_the_pod_with_the_devices_name_is_left_alone(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    inside.run(f"ip link add dev0 address {OTHER_MAC} type veth peer name other")
    config = host_device(node)
    node.add(config, pod, CNI_IFNAME="net1")
    assert (inside.link("net1")["address"], inside.link("dev0")["address"]) == (MAC, OTHER_MAC)
    node.delete(config, pod, CNI_IFNAME="net1")
    assert inside.links() == {"dev0", "other"}
    assert node.shown.everything() == device


def test_a_link_of_the_node_with_the_interfaces_name_is_left_alone(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    node.shown.run(f"ip link add eth0 address {OTHER_MAC} type veth peer name other")
    before = node.shown.everything()
    node.add(host_device(node), pod)
    assert inside.link("eth0")["address"] == MAC
    node.delete(host_device(node), pod)
    assert node.shown.everything() == before


def test_an_index_that_the_pod_has_already_is_changed_and_remembered(
    node: Runtime, pod: Pod, inside: Shown, device: dict[str, Any]
) -> None:
    index = node.shown.link("dev0")["ifindex"]
    inside.run(f"ip link add other index {index} type veth peer name rehto")
    config = host_device(node)
    node.add(config, pod)
    assert inside.link("eth0")["ifindex"] != index
    inside.run("ip link set eth0 down && ip link set eth0 name elsewhere")
    node.delete(config, pod)
    assert inside.links() == {"other", "rehto"}
    assert node.shown.everything() == device


def test_a_device_that_a_pod_has_is_told_to_be_in_use(node: Runtime, make_pod: MakePod, device: dict[str, Any]) -> None:
    node.add(host_device(node), make_pod("first"))
    second = make_pod("second")
    for again in (host_device(node), host_device(node, hwaddr=MAC)):
        said = node.ask("ADD", {**again, "name": "green"}, second).failed(11)
        assert said.endswith("is in use: container first has it as eth0 (network blue)")


def test_of_many_at_once_one_gets_it(node: Runtime, make_pod: MakePod, device: dict[str, Any]) -> None:
    pods = [make_pod(f"pod{number}") for number in range(6)]
    config = host_device(node, ipam=pools(node, "10.1.2.0/24"))
    with ThreadPoolExecutor(len(pods)) as pool:
        answers = list(pool.map(lambda pod: node.ask("ADD", config, pod), pods))
    served = [pod for pod, answer in zip(pods, answers, strict=True) if answer.status == 0]
    assert len(served) == 1
    assert {answer.document["code"] for answer in answers if answer.status} == {11}
    assert [pod.links() for pod in pods if pod not in served] == [{}] * 5
    assert (len(node.reserved("blue")), len(on_record(node))) == (1, 1)
    with ThreadPoolExecutor(len(pods)) as pool:
        assert [answer.status for answer in pool.map(lambda pod: node.ask("DEL", config, pod), pods)] == [0] * 6
    assert node.shown.everything() == device
    assert (node.reserved("blue"), on_record(node)) == ({}, [])


def test_status_wants_the_device_on_the_node_or_in_a_pod(node: Runtime, pod: Pod, device: dict[str, Any]) -> None:
    config = host_device(node)
    assert node.ask("STATUS", config).status == 0
    node.add(config, pod)
    assert node.ask("STATUS", config).status == 0
    assert "nowhere" in node.ask("STATUS", host_device(node, device="nowhere")).failed(50)
    node.shown.run("ip route add default dev up0")
    assert "default route" in node.ask("STATUS", host_device(node, device="up0")).failed(50)


def test_status_does_not_ask_for_what_the_runtime_will_choose(node: Runtime) -> None:
    config = host_device(node, device="", capabilities={"deviceID": True})
    assert node.ask("STATUS", config).status == 0
