"""ipvlan: what it makes and what it leaves, on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.differential.configs import ROUTES, V4, V6, host_local, static
from tests.differential.side import UPLINK, add_uplink

if TYPE_CHECKING:
    from tests.differential.pair import Versions
    from tests.differential.side import Config, Side

pytestmark = pytest.mark.vm  # the machine's own kernel may have no ipvlan

NEW = ("1.0.0", "1.1.0")
OLD = ("0.2.0", "0.4.0")


def ipvlan(**keys: object) -> Config:
    return {"type": "ipvlan", "master": UPLINK, **keys}


LAYOUTS = {
    **{mode: (ipvlan(mode=mode, ipam=host_local(V4)), NEW[:1]) for mode in ("l3", "l3s")},
    "l2": (ipvlan(ipam=host_local(V4)), OLD),
    "dual stack and routes": (ipvlan(mode="l2", ipam=host_local(V4, V6, routes=ROUTES)), NEW[:1]),
    "mtu and dns": (ipvlan(mtu=1300, dns={"nameservers": ["10.9.0.1"]}, ipam=static("10.9.0.7/16")), NEW[1:]),
}


@pytest.mark.parametrize(("config", "versions_"), LAYOUTS.values(), ids=LAYOUTS)
def test_the_same(versions: Versions, config: Config, versions_: tuple[str, ...]) -> None:
    assert versions.attach_and_detach(config, versions_) == {}


def test_a_master_in_the_container(versions: Versions) -> None:
    config = ipvlan(linkInContainer=True, ipam=host_local(V4))
    assert versions.attach_and_detach(config, NEW[1:], before=lambda side: add_uplink(side.kernel(side.pod))) == {}


def test_the_default_routes_device_serves_as_master(versions: Versions) -> None:
    def give_default_route(side: Side) -> None:
        kernel = side.kernel(side.node)
        kernel.addr("add", index=kernel.link_lookup(ifname=UPLINK)[0], address="192.0.2.1", prefixlen=24)
        kernel.route("add", dst="0.0.0.0/0", gateway="192.0.2.254")

    config = {"type": "ipvlan", "ipam": host_local(V4)}
    assert versions.attach_and_detach(config, NEW[:1], before=give_default_route) == {}


def test_addresses_of_the_plugin_before(versions: Versions) -> None:
    before = {
        "cniVersion": "1.0.0",
        "interfaces": [{"name": UPLINK}],
        "ips": [{"address": "10.1.2.7/24", "gateway": "10.1.2.1"}, {"address": "2001:db8:1::7/64"}],
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.2.1"}],
    }
    assert versions.attach_and_detach({"type": "ipvlan", "prevResult": before}, NEW[:1]) == {}
