"""ptp: what it makes and what it leaves, on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.differential.configs import ROUTES, V4, V6, host_local, static

if TYPE_CHECKING:
    from tests.differential.pair import Versions
    from tests.differential.side import Config


def ptp(**keys: object) -> Config:
    return {"type": "ptp", **keys}


DNS = {"nameservers": ["10.9.0.53"], "domain": "example.org", "search": ["a.example"], "options": ["ndots:2"]}
BY_THE_GATEWAY = [{"dst": "0.0.0.0/0"}, {"dst": "192.0.2.0/24", "gw": "10.1.2.1"}, {"dst": "2001:db8:2::/64"}]

LAYOUTS = {
    "IPv4": ptp(ipam=host_local(V4)),
    "IPv6": ptp(ipam=host_local(V6)),
    "dual stack and routes": ptp(ipam=host_local(V4, [{"subnet": "2001:db8:1::/66"}], routes=BY_THE_GATEWAY)),
    "a gateway that is not the node": ptp(ipam=host_local(V4, V6, routes=ROUTES)),
    "static": ptp(ipam=static("10.9.0.7/16", gateway="10.9.0.1", routes=BY_THE_GATEWAY[:1])),
    "mtu": ptp(mtu=1400, ipam=host_local(V4)),
    "dns of the IPAM": ptp(ipam=static("10.9.0.7/16", gateway="10.9.0.1", dns=DNS)),
    **{
        f"dns: {key}": ptp(dns={key: value}, ipam=static("10.9.0.7/16", gateway="10.9.0.1", dns=DNS))
        for key, value in {"nameservers": ["10.1.2.1"], "domain": "x", "search": ["y"], "options": ["z"]}.items()
    },
    "dns: empty lists": ptp(
        dns={"nameservers": [], "search": [], "options": []}, ipam=static("10.9.0.7/16", gateway="10.9.0.1", dns=DNS)
    ),
}


@pytest.mark.parametrize("config", LAYOUTS.values(), ids=LAYOUTS)
def test_the_same(versions: Versions, config: Config) -> None:
    assert versions.attach_and_detach(config) == {}
