"""A failure at any step of an ADD takes back everything, and nothing that somebody else did."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.node import UPLINK
from tests.plugins.runtime import Runtime
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.pods import MakePod

ROUTE = {"dst": "10.9.0.0/16"}
REFUSED_ROUTES = {
    "a gateway with a scope that needs none": {**ROUTE, "gw": "10.1.2.1", "scope": 253},
    "a scope that leads nowhere": {**ROUTE, "scope": 255},
    "a destination with host bits of a table of its own": {**ROUTE, "gw": "10.1.2.1", "table": 100, "scope": 254},
    "an advmss that no packet has": {**ROUTE, "gw": "0.0.0.0", "scope": 255},
    "an IPv6 gateway that is multicast": {"dst": "2001:db8:9::/48", "gw": "ff02::1"},
}


OF_KIND: dict[str, dict[str, Any]] = {
    "bridge": {"bridge": "cni0", "isDefaultGateway": True},
    "macvlan": {"master": UPLINK},
}


def config(kind: str, node: Runtime, ipam: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"cniVersion": "1.1.0", "name": "blue", "type": kind, "ipam": ipam, **OF_KIND[kind], **more}


@pytest.fixture(params=["bridge", "macvlan"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Unchanged:
    """What was there before, to be compared with what is there afterwards."""

    def __init__(self, node: Runtime, *pods: Pod) -> None:
        self.places = [node.shown, *(Shown(pod.netns) for pod in pods)]
        self.before = [place.everything() for place in self.places]
        self.node = node

    def verify(self, *verbs: str) -> None:
        """Nothing has changed, and programs that are not ours were asked this."""
        assert [place.everything() for place in self.places] == self.before
        assert self.node.verbs() == list(verbs)


@pytest.mark.parametrize("route", REFUSED_ROUTES.values(), ids=list(REFUSED_ROUTES))
def test_a_route_that_the_kernel_refuses(kind: str, route: dict[str, Any], node: Runtime, pod: Pod) -> None:
    unchanged = Unchanged(node, pod)
    ipam = node.given("10.1.2.3/24", "2001:db8::3/64", routes=[{"dst": "0.0.0.0/0", "gw": "10.1.2.1"}, route])
    message = node.ask("ADD", config(kind, node, ipam), pod).failed(100)
    assert "cannot add route" in message
    assert route["dst"] in message
    unchanged.verify("ADD", "DEL")


@pytest.mark.parametrize("mtu", [1, 67])
def test_an_mtu_that_the_kernel_refuses(kind: str, mtu: int, node: Runtime, pod: Pod) -> None:
    unchanged = Unchanged(node, pod)
    node.ask("ADD", config(kind, node, node.given("10.1.2.3/24"), mtu=mtu), pod).failed(100)
    unchanged.verify("ADD", "DEL")


def test_an_mtu_too_small_for_ipv6(kind: str, node: Runtime, pod: Pod) -> None:
    unchanged = Unchanged(node, pod)
    ipam = node.given("10.1.2.3/24", "2001:db8::3/64")
    assert "1280" in node.ask("ADD", config(kind, node, ipam, mtu=1000), pod).failed(7)
    unchanged.verify("ADD", "DEL")


@pytest.mark.parametrize(
    ("addresses", "words"),
    [
        (["10.1.2.3/24", "10.1.2.3/24"], "10.1.2.3 twice"),
        (["10.1.2.3/24", "10.1.2.3/16"], "10.1.2.3 twice"),
        (["10.1.2.3/0"], "10.1.2.3/0"),
        (["2001:db8::3/0"], "2001:db8::3/0"),
        ([], "no addresses"),
    ],
)
def test_addresses_of_ipam_that_cannot_be(kind: str, addresses: list[str], words: str, node: Runtime, pod: Pod) -> None:
    unchanged = Unchanged(node, pod)
    message = node.ask("ADD", config(kind, node, node.given(*addresses)), pod).failed(7)
    assert message.startswith("ipam: ")
    assert words in message
    unchanged.verify("ADD", "DEL")


def test_a_gateway_of_the_other_family(kind: str, node: Runtime, pod: Pod) -> None:
    unchanged = Unchanged(node, pod)
    message = node.ask("ADD", config(kind, node, node.given("10.1.2.3/24", gateway="2001:db8::1")), pod).failed(7)
    assert "2001:db8::1" in message
    unchanged.verify("ADD", "DEL")


def test_an_address_that_the_kernel_refuses(kind: str, node: Runtime, pod: Pod) -> None:
    unchanged = Unchanged(node, pod)
    network = config(kind, node, node.given("10.1.2.3/24", "ff02::5/64"), isDefaultGateway=False)
    assert "ff02::5/64" in node.ask("ADD", network, pod).failed(100)
    unchanged.verify("ADD", "DEL")


ANSWERS: dict[str, tuple[dict[str, Any], int]] = {
    "junk": ({"stdout": "no JSON"}, 101),
    "a list": ({"stdout": "[]"}, 101),
    "nothing": ({"stdout": ""}, 101),
    "an address without prefix": ({"stdout": '{"cniVersion": "1.1.0", "ips": [{"address": "10.1.2.3"}]}'}, 101),
    "a version of the future": ({"stdout": '{"cniVersion": "9.0.0", "ips": []}'}, 101),
    "an error": ({"stdout": '{"code": 42, "msg": "none left"}', "status": 1}, 42),
    "death by a signal": ({"signal": int(signal.SIGKILL)}, 101),
}


@pytest.mark.parametrize(("answer", "code"), ANSWERS.values(), ids=list(ANSWERS))
def test_what_ipam_answers_that_is_no_result(
    kind: str, answer: dict[str, Any], code: int, node: Runtime, pod: Pod
) -> None:
    unchanged = Unchanged(node, pod)
    node.program("odd", node.runtime_path, ADD=answer)
    node.ask("ADD", config(kind, node, {"type": "odd"}), pod).failed(code)
    unchanged.verify("ADD", "DEL")


def test_ipam_that_says_too_much(kind: str, node: Runtime, pod: Pod) -> None:
    unchanged = Unchanged(node, pod)
    chatty = node.runtime_path / "chatty"
    chatty.write_text(
        f"#!/bin/sh\necho $CNI_COMMAND >> {node.root}/asked\n[ $CNI_COMMAND = DEL ] || exec cat /dev/zero\n"
    )
    chatty.chmod(0o755)
    assert "MiB" in node.ask("ADD", config(kind, node, {"type": "chatty"}), pod).failed(101)
    unchanged.verify()
    assert (node.root / "asked").read_text().split() == ["ADD", "DEL"]


def test_ipam_that_is_missing(kind: str, node: Runtime, pod: Pod) -> None:
    unchanged = Unchanged(node, pod)
    assert "ipam.type" in node.ask("ADD", config(kind, node, {"type": "nowhere"}), pod).failed(101)
    unchanged.verify()


def test_ipam_that_cannot_take_back_is_reported_beside_the_failure(kind: str, node: Runtime, pod: Pod) -> None:
    ipam = node.given("10.1.2.3/24", routes=[REFUSED_ROUTES["a scope that leads nowhere"]])
    result = json.loads((node.root / "given.json").read_text())["ADD"]
    broken = {"stdout": '{"code": 11, "msg": "the store is away"}', "status": 1}
    node.program("given", node.runtime_path, ADD=result, DEL=broken)
    unchanged = Unchanged(node, pod)
    answer = node.ask("ADD", config(kind, node, ipam), pod)
    assert "cannot add route" in answer.failed(100)
    assert "the store is away" in answer.document["details"]
    unchanged.verify("ADD", "DEL")


def test_a_name_that_is_taken_in_the_pod(kind: str, node: Runtime, pod: Pod) -> None:
    Shown(pod.netns).run("ip link add eth0 type veth peer name other")
    unchanged = Unchanged(node, pod)
    assert "eth0" in node.ask("ADD", config(kind, node, node.given("10.1.2.3/24")), pod).failed(4)
    unchanged.verify()


def test_a_second_add_leaves_the_first_as_it_was(kind: str, node: Runtime, pod: Pod) -> None:
    ipam = {"type": "host-local", "subnet": "10.1.2.0/24", "dataDir": str(node.addresses)}
    network = config(kind, node, ipam)
    result = node.add(network, pod)
    unchanged = Unchanged(node, pod)
    reserved = node.reserved("blue")
    node.ask("ADD", network, pod).failed(4)
    unchanged.verify()
    assert node.reserved("blue") == reserved
    node.check(network, pod, result)


@pytest.mark.parametrize("path", ["/nowhere/to/be/found", "/proc/self/status", "/proc"])
def test_a_namespace_that_is_none(kind: str, path: str, node: Runtime, pod: Pod) -> None:
    unchanged = Unchanged(node, pod)
    node.ask("ADD", config(kind, node, node.given("10.1.2.3/24")), pod, CNI_NETNS=path).failed(8)
    unchanged.verify()


def test_the_nodes_own_namespace_is_refused(kind: str, node: Runtime, pod: Pod) -> None:
    unchanged = Unchanged(node, pod)
    for verb in ("ADD", "DEL"):
        node.ask(verb, config(kind, node, node.given("10.1.2.3/24")), pod, CNI_NETNS=node.host.path).failed(8)
    unchanged.verify()


def test_a_bridge_name_that_something_else_has(node: Runtime, pod: Pod) -> None:
    unchanged = Unchanged(node, pod)
    message = node.ask("ADD", config("bridge", node, node.given("10.1.2.3/24"), bridge=UPLINK), pod).failed(7)
    assert message == f"bridge: {UPLINK} is a veth, not a bridge"
    unchanged.verify()


def test_reservations_of_host_local_are_given_back(kind: str, node: Runtime, pod: Pod) -> None:
    ipam = {"type": "host-local", "subnet": "10.1.2.0/24", "dataDir": str(node.addresses)}
    bad = {**ipam, "routes": [REFUSED_ROUTES["a scope that leads nowhere"]]}
    unchanged = Unchanged(node, pod)
    for _ in range(3):
        node.ask("ADD", config(kind, node, bad), pod).failed(100)
    assert node.reserved("blue") == {}
    unchanged.verify()


def test_what_was_made_is_as_it_was_before_a_failure(node: Runtime, pod: Pod) -> None:
    """A bridge that was there, down, without address and not promiscuous, is so again."""
    node.shown.run("ip link add cni0 type bridge")
    unchanged = Unchanged(node, pod)
    ipam = node.given("10.1.2.3/24", routes=[REFUSED_ROUTES["a scope that leads nowhere"]])
    node.ask("ADD", config("bridge", node, ipam, promiscMode=True), pod).failed(100)
    unchanged.verify("ADD", "DEL")


def test_an_address_that_was_forced_off_the_bridge_comes_back(node: Runtime, pod: Pod) -> None:
    node.shown.run("ip link add cni0 up type bridge")
    node.shown.run("ip addr add 10.7.0.1/24 brd 10.7.0.255 dev cni0")
    node.shown.run("ip link add held up master cni0 type veth peer name dleh")
    node.shown.run("ip link set dleh up")
    unchanged = Unchanged(node, pod)
    ipam = node.given("10.1.2.3/24", routes=[REFUSED_ROUTES["a scope that leads nowhere"]])
    node.ask("ADD", config("bridge", node, ipam, forceAddress=True), pod).failed(100)
    unchanged.verify("ADD", "DEL")


def test_a_conflict_of_addresses_leaves_the_bridge_alone(node: Runtime, pod: Pod) -> None:
    node.shown.run("ip link add cni0 up type bridge")
    node.shown.run("ip addr add 10.7.0.1/24 dev cni0")
    unchanged = Unchanged(node, pod)
    network = config("bridge", node, node.given("2001:db8::3/64", "10.1.2.3/24"))
    assert "forceAddress" in node.ask("ADD", network, pod).failed(7)
    unchanged.verify("ADD", "DEL")


def test_a_failure_leaves_the_bridge_to_those_who_use_it(node: Runtime, make_pod: MakePod) -> None:
    first, second = make_pod("first"), make_pod("second")
    node.add(config("bridge", node, node.given("10.1.2.2/24")), first)
    unchanged = Unchanged(node, first, second)
    routes = [REFUSED_ROUTES["a scope that leads nowhere"]]
    network = config("bridge", node, node.given("10.1.2.3/24", "2001:db8::3/64", routes=routes))
    node.ask("ADD", network, second).failed(100)
    unchanged.verify("ADD", "ADD", "DEL")
    Shown(first.netns).run("ping -c 1 -W 2 10.1.2.1")


def test_a_duplicate_that_detection_finds(node: Runtime, make_pod: MakePod) -> None:
    """The last step that can fail: the pod's interface is complete."""
    first, second = make_pod("first"), make_pod("second")
    node.add(config("bridge", node, node.given("2001:db8::3/64")), first)
    unchanged = Unchanged(node, first, second)
    message = node.ask("ADD", config("bridge", node, node.given("2001:db8::3/64"), enabledad=True), second).failed(100)
    assert "2001:db8::3/64" in message
    unchanged.verify("ADD", "ADD", "DEL")


def test_kernel_settings_that_cannot_be_written(kind: str, node: Runtime, pod: Pod) -> None:
    unchanged = Unchanged(node, pod)
    network = config(kind, node, node.given("10.1.2.3/24", "2001:db8::3/64"))
    mount = 'mount -o bind,ro /proc/sys /proc/sys && exec "$@"'
    answer = node.process("ADD", network, pod, "unshare", "--mount", "sh", "-c", mount, "sh")
    assert "Read-only file system" in answer.failed(5)
    unchanged.verify("ADD", "DEL")
    assert os.access("/proc/sys/net/ipv4/ip_forward", os.W_OK)
