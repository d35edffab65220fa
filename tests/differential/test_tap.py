"""tap: what it makes and what it leaves, on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.differential.configs import ASKED, OTHER, ROUTES, V4, V6, host_local, static
from tests.differential.pair import WITH_INTERFACES

if TYPE_CHECKING:
    from tests.differential.pair import Versions
    from tests.differential.side import Config, Side


def tap(**keys: object) -> Config:
    return {"type": "tap", **keys}


LAYER_3 = {
    "addresses": tap(ipam=host_local(V4)),
    "dual stack and routes": tap(ipam=host_local(V4, V6, routes=ROUTES)),
    "dns of the IPAM": tap(ipam=static("10.9.0.7/16", dns={"nameservers": ["10.9.0.53"]})),
}
LAYER_2 = {
    "nothing": tap(),
    "mtu": tap(mtu=1400),
    "mac": tap(mac=ASKED),
    "queues": tap(multiQueue=True),
    "owner": tap(owner=1000),
    "group": tap(group=1000),
    "owner and group": tap(owner=1000, group=1001),
    "owner, group and queues": tap(owner=0, group=0, multiQueue=True, mtu=1404),
}
MAC = {
    "CNI_ARGS": (tap(mac=OTHER), {"CNI_ARGS": f"IgnoreUnknown=1;MAC={ASKED}"}),
    "runtimeConfig": (tap(runtimeConfig={"mac": ASKED}), {"CNI_ARGS": f"MAC={OTHER}"}),
}


@pytest.mark.parametrize("config", LAYER_3.values(), ids=LAYER_3)
def test_the_same_with_addresses(versions: Versions, config: Config) -> None:
    assert versions.attach_and_detach(config) == {}


@pytest.mark.parametrize("config", LAYER_2.values(), ids=LAYER_2)
def test_the_same_without_addresses(versions: Versions, config: Config) -> None:
    assert versions.attach_and_detach(config, WITH_INTERFACES) == {}


@pytest.mark.parametrize(("config", "environment"), MAC.values(), ids=MAC)
def test_the_same_mac(versions: Versions, config: Config, environment: dict[str, str]) -> None:
    assert versions.attach_and_detach(config, WITH_INTERFACES, environment=environment) == {}


def test_the_same_port_of_a_bridge_of_the_pod(versions: Versions) -> None:
    def make_bridge(side: Side) -> None:
        kernel = side.kernel(side.pod)
        kernel.link("add", ifname="br0", kind="bridge", address=OTHER)

    assert versions.attach_and_detach(tap(bridge="br0", mac=ASKED), WITH_INTERFACES, before=make_bridge) == {}
