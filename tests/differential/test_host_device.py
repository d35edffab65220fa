"""host-device: what goes, how it looks in the pod, and how it comes back, on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cni_multus.linux.links import add_veth, change_link, random_veth_name
from cni_multus.linux.netns import Namespace
from tests.differential.configs import ASKED, OTHER, ROUTES, V4, V6, host_local, static
from tests.differential.pair import WITH_INTERFACES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import MakeNamespace
    from tests.differential.pair import Pair, Versions
    from tests.differential.side import Answer, Config, Side

    AddDevice = Callable[[Side], None]

GO, OURS = "go-", ""
TURNS = [pytest.param(GO, OURS, id="attached by theirs"), pytest.param(OURS, GO, id="attached by ours")]


def host_device(**keys: object) -> Config:
    return {"cniVersion": "1.0.0", "name": "net", "type": "host-device", **keys}


@pytest.fixture
def add_device(netns: MakeNamespace) -> AddDevice:
    """Make dev0, down as virtual functions are; its peer is where nobody compares, since what it shows takes time."""
    path = netns("switch")

    def add(side: Side) -> None:
        with Namespace.open(side.node) as node, Namespace.open(path) as switch:
            peer = random_veth_name()
            made = add_veth(node, "dev0", mac=ASKED, mtu=1400, up=False, peer=peer, peer_namespace=switch)
            change_link(switch, made.parent, up=True)

    return add


LAYER_3 = {
    "by name": host_device(device="dev0", ipam=host_local(V4)),
    "by address": host_device(hwaddr=ASKED.upper(), ipam=host_local(V4, V6, routes=ROUTES)),
    "static": host_device(device="dev0", ipam=static("10.9.0.7/16", gateway="10.9.0.1", routes=ROUTES[:1])),
    "dns": host_device(device="dev0", dns={"nameservers": ["10.1.2.1"]}, ipam=host_local(V4)),
}
LAYER_2 = {
    "by name": host_device(device="dev0"),
    "by address": host_device(hwaddr=ASKED),
    "by the first selector": host_device(device="dev0", hwaddr=OTHER, kernelpath="/nowhere"),
}


@pytest.mark.parametrize("config", LAYER_3.values(), ids=LAYER_3)
def test_the_same_with_addresses(versions: Versions, add_device: AddDevice, config: Config) -> None:
    assert versions.attach_and_detach(config, before=add_device) == {}


@pytest.mark.parametrize("config", LAYER_2.values(), ids=LAYER_2)
def test_the_same_without_addresses(versions: Versions, add_device: AddDevice, config: Config) -> None:
    assert versions.attach_and_detach(config, WITH_INTERFACES, before=add_device) == {}


def test_a_device_that_was_in_use_comes_back_up_with_its_address(versions: Versions, add_device: AddDevice) -> None:
    def add_used_device(side: Side) -> None:
        add_device(side)
        kernel = side.kernel(side.node)
        index = kernel.link_lookup(ifname="dev0")[0]
        kernel.addr("add", index=index, address="192.0.2.1", prefixlen=24)
        kernel.link("set", index=index, state="up")

    assert versions.attach_and_detach(LAYER_2["by name"], ("1.0.0",), before=add_used_device) == {}


def shown(side: Side) -> tuple[set[str], set[str]]:
    """The links of the node's device, and those of the pod."""
    kernels = side.start(side.shown).result()
    return set(kernels["node"]["links"]) & {"dev0"}, set(kernels["pod"]["links"]) - {"lo"}


def ask(side: Side, verb: str, whose: str, previous: Config | None = None, **environment: str) -> Answer:
    asked = host_device(
        type=f"{whose}host-device", device="dev0", ipam={**host_local(V4), "type": f"{whose}host-local"}
    )
    answer: Answer = side.start(lambda: side.call(verb, asked, previous=previous, environment=environment)).result()
    return answer


@pytest.mark.parametrize(("first", "second"), TURNS)
def test_the_other_checks_and_detaches(mixed: Side, add_device: AddDevice, first: str, second: str) -> None:
    mixed.start(add_device, mixed).result()
    result = ask(mixed, "ADD", first).succeeded()
    assert shown(mixed) == (set(), {"eth0"})
    ask(mixed, "CHECK", second, result).succeeded()
    ask(mixed, "DEL", second, result).succeeded()
    assert shown(mixed) == ({"dev0"}, set())
    assert list((mixed.data / "networks").glob("net/[0-9]*")) == []
    # BUG of the reference: a second DEL fails.
    assert ask(mixed, "DEL", GO, result).status == 1
    ask(mixed, "DEL", OURS, result).succeeded()


@pytest.mark.parametrize("whose", [OURS, GO])
def test_without_the_namespace_only_ours_releases_the_address(mixed: Side, add_device: AddDevice, whose: str) -> None:
    mixed.start(add_device, mixed).result()
    ask(mixed, "ADD", whose).succeeded()
    ask(mixed, "DEL", whose, CNI_NETNS="").succeeded()
    assert bool(list((mixed.data / "networks").glob("net/[0-9]*"))) == (whose == GO)
    assert ask(mixed, "DEL", whose, CNI_NETNS="/nowhere").status == (whose == GO)


def test_only_ours_finds_a_device_that_the_pod_renamed(pair: Pair, add_device: AddDevice) -> None:
    config = LAYER_2["by name"]

    def rename(side: Side) -> None:
        add_device(side)
        side.call("ADD", config).succeeded()
        kernel = side.kernel(side.pod)
        index = kernel.link_lookup(ifname="eth0")[0]
        kernel.link("set", index=index, state="down")
        kernel.link("set", index=index, ifname="mine")

    pair.both(rename)
    assert [answer.status for answer in pair.call("DEL", config)] == [0, 1]
    assert [shown(side) for side in (pair.ours, pair.theirs)] == [({"dev0"}, set()), (set(), {"mine"})]


def test_only_ours_does_not_move_another_device_than_the_runtime_chose(pair: Pair, add_device: AddDevice) -> None:
    pair.both(add_device)
    # Any PCI device that this machine has, with a driver.
    config = host_device(device="dev0", runtimeConfig={"deviceID": "0000:00:01.0"})
    assert next(answer.status for answer in pair.call("ADD", config)) == 1
    assert shown(pair.ours) == ({"dev0"}, set())
