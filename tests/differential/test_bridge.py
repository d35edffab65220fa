"""bridge: what it makes and what it leaves, on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.differential.configs import ASKED, OTHER, ROUTES, V4, V6, host_local, static
from tests.differential.pair import WITH_INTERFACES

if TYPE_CHECKING:
    from tests.differential.pair import Versions
    from tests.differential.side import Config


def bridge(**keys: object) -> Config:
    return {"type": "bridge", **keys}


LAYER_3 = {
    "addresses": bridge(ipam=host_local(V4)),
    "gateway": bridge(isGateway=True, ipam=host_local(V4)),
    "default gateway": bridge(isDefaultGateway=True, ipam=host_local(V4)),
    "IPv6": bridge(isDefaultGateway=True, ipam=host_local(V6)),
    "dual stack": bridge(isDefaultGateway=True, ipam=host_local(V4, V6)),
    "routes": bridge(isGateway=True, ipam=host_local(V4, V6, routes=ROUTES)),
    "static": bridge(isGateway=True, ipam=static("10.9.0.7/16", gateway="10.9.0.1", routes=ROUTES[:1])),
    "promisc": bridge(promiscMode=True, isGateway=True, ipam=host_local(V4)),
    "hairpin": bridge(hairpinMode=True, isGateway=True, ipam=host_local(V4)),
    "port isolation": bridge(portIsolation=True, ipam=host_local(V4)),
    "mtu": bridge(mtu=1400, isGateway=True, ipam=host_local(V4)),
    "name": bridge(bridge="br-test", ipam=host_local(V4)),
    "dns": bridge(dns={"nameservers": ["10.1.2.1"], "search": ["example.org"]}, ipam=host_local(V4)),
    "duplicate address detection": bridge(enabledad=True, ipam=host_local(V4)),
}
LAYER_2 = {
    "nothing": bridge(),
    "empty ipam": bridge(ipam={}),
    "promisc": bridge(promiscMode=True),
    "hairpin": bridge(hairpinMode=True),
    "port isolation": bridge(portIsolation=True),
    "mtu": bridge(mtu=9000),
    "down": bridge(disableContainerInterface=True),
    "dns": bridge(dns={"nameservers": ["10.1.2.1"]}),
}
MAC = {
    "CNI_ARGS": (bridge(), {"CNI_ARGS": f"IgnoreUnknown=1;MAC={ASKED}"}),
    "args.cni": (bridge(args={"cni": {"mac": ASKED}}), {}),
    "runtimeConfig": (bridge(runtimeConfig={"mac": ASKED.upper()}, capabilities={"mac": True}), {}),
    "runtimeConfig before args.cni": (bridge(runtimeConfig={"mac": ASKED}, args={"cni": {"mac": OTHER}}), {}),
    "args.cni before CNI_ARGS": (bridge(args={"cni": {"mac": ASKED}}), {"CNI_ARGS": f"MAC={OTHER}"}),
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
