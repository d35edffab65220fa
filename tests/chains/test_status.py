"""STATUS of every plugin is good on a node that has what it takes, and asked for nothing it changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.registry import MODULES
from tests.chains.everything import files_of, things_of
from tests.chains.lists import full, ipam, pointed

if TYPE_CHECKING:
    from tests.plugins.runtime import Runtime

OF_A_NODE: dict[str, dict[str, Any]] = {
    "bandwidth": {"egressRate": 8_000_000, "egressBurst": 800_000},
    "bridge": {"isGateway": True, "ipMasq": True, "macspoofchk": True, "ipam": {}},
    "dummy": {"ipam": {}},
    "firewall": {"ingressPolicy": "isolated"},
    "host-device": {"device": "up1"},
    "host-local": {"ipam": {}},
    "ipvlan": {"master": "up0", "ipam": {}},
    "loopback": {},
    "macvlan": {"master": "up0", "ipam": {}},
    "multus": {},
    "portmap": {"snat": True},
    "ptp": {"ipMasq": True, "ipam": {}},
    "sbr": {},
    "static": {"ipam": {"type": "static", "addresses": [{"address": "10.4.0.1/24"}]}},
    "tap": {"multiQueue": True, "ipam": {}},
    "tuning": {"sysctl": {"net.core.somaxconn": "1"}, "mtu": 1400},
    "vlan": {"master": "up0", "vlanId": 7, "ipam": {}},
    "vrf": {"vrfname": "tenant"},
    "whereabouts": {"ipam": {"type": "whereabouts", "range": "10.4.0.0/24"}},
}


def test_every_plugin_is_asked() -> None:
    assert set(OF_A_NODE) == set(MODULES)


@pytest.mark.parametrize("kind", OF_A_NODE)
def test_a_good_node_is_good(kind: str, node: Runtime) -> None:
    config = {
        "cniVersion": "1.1.0",
        "name": "net",
        "type": kind,
        "dataDir": str(node.root / "state"),
        **OF_A_NODE[kind],
    }
    if "ipam" in config:
        config["ipam"] = {**ipam(node, "10.4.0.0/24"), **config["ipam"], "dataDir": str(node.addresses)}
    if kind == "multus":
        config = full(node)
    before = things_of(node.host.path), files_of(node.root)
    assert node.call("STATUS", config, kind=kind).succeeded().stdout == b""
    assert (things_of(node.host.path), files_of(node.root)) == before


def test_one_plugin_that_is_not_ready_is_told(node: Runtime) -> None:
    config = node.config(pointed(node))
    config["delegates"][0]["plugins"].append({"type": "tuning", "dataDir": "/proc/nowhere"})
    assert "/proc" in node.call("STATUS", config).failed(50)
