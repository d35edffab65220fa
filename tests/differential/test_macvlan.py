"""macvlan: what it makes and what it leaves, on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.differential.configs import ASKED, OTHER, ROUTES, V4, V6, host_local, static
from tests.differential.pair import WITH_INTERFACES
from tests.differential.side import UPLINK, add_uplink

if TYPE_CHECKING:
    from tests.differential.pair import Versions
    from tests.differential.side import Config, Side


def macvlan(**keys: object) -> Config:
    return {"type": "macvlan", "master": UPLINK, **keys}


LAYER_3 = {
    "addresses": macvlan(ipam=host_local(V4)),
    "dual stack": macvlan(ipam=host_local(V4, V6)),
    "routes": macvlan(ipam=host_local(V4, V6, routes=ROUTES)),
    "static": macvlan(ipam=static("10.9.0.7/16", gateway="10.9.0.1", routes=ROUTES[:1])),
    "dns": macvlan(dns={"nameservers": ["10.1.2.1"]}, ipam=host_local(V4)),
    "dns of the IPAM": macvlan(ipam=static("10.9.0.7/16", dns={"nameservers": ["10.9.0.53"]})),
    "mtu": macvlan(mtu=1300, ipam=host_local(V4)),
}
LAYER_2 = {
    "nothing": macvlan(),
    "empty ipam": macvlan(ipam={}),
    **{mode: macvlan(mode=mode) for mode in ("bridge", "private", "vepa", "passthru")},
    "mtu": macvlan(mtu=1400),
    "queue": macvlan(bcqueuelen=2000),
    "mac": macvlan(mac=ASKED),
}
MAC = {
    "CNI_ARGS": (macvlan(), {"CNI_ARGS": f"IgnoreUnknown=1;MAC={ASKED}"}),
    "runtimeConfig": (macvlan(runtimeConfig={"mac": ASKED}), {}),
    "CNI_ARGS before the configuration": (macvlan(mac=OTHER), {"CNI_ARGS": f"MAC={ASKED}"}),
    "runtimeConfig before CNI_ARGS": (macvlan(runtimeConfig={"mac": ASKED}), {"CNI_ARGS": f"MAC={OTHER}"}),
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


@pytest.mark.parametrize("in_container", [False, True])
def test_the_default_routes_device_serves_as_master(versions: Versions, *, in_container: bool) -> None:
    def give_default_route(side: Side) -> None:
        kernel = side.kernel(side.pod if in_container else side.node)
        if in_container:
            add_uplink(kernel)
        uplink = kernel.link_lookup(ifname=UPLINK)[0]
        kernel.addr("add", index=uplink, address="192.0.2.1", prefixlen=24)
        kernel.route("add", dst="0.0.0.0/0", gateway="192.0.2.254")

    config = {"type": "macvlan", "linkInContainer": in_container, "ipam": host_local(V4)}
    assert versions.attach_and_detach(config, before=give_default_route) == {}


def test_a_master_in_the_container(versions: Versions) -> None:
    config = macvlan(linkInContainer=True, ipam=host_local(V4))
    assert versions.attach_and_detach(config, before=lambda side: add_uplink(side.kernel(side.pod))) == {}
