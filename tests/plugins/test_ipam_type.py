"""`ipam.type` names what gives addresses: another plugin of ours there is refused, or it would be asked for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.node import UPLINK

if TYPE_CHECKING:
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

OF_KIND: dict[str, dict[str, Any]] = {
    "bridge": {"bridge": "cni0"},
    "macvlan": {"master": UPLINK},
    "ptp": {},
    "host-device": {"device": UPLINK},
}


@pytest.mark.parametrize("kind", OF_KIND)
@pytest.mark.parametrize("ipam", ["bridge", "macvlan", "tuning", "multus"])
def test_a_plugin_that_gives_no_addresses_is_no_ipam(kind: str, ipam: str, node: Runtime, make_pod: MakePod) -> None:
    config = {"cniVersion": "1.1.0", "name": "blue", "type": kind, "ipam": {"type": ipam}, **OF_KIND[kind]}
    pod, before = make_pod("c1"), node.links()
    said = node.ask("ADD", config, pod).failed(7)
    assert said == f"ipam.type: the plugin {ipam!r} gives no addresses"
    assert (node.links(), pod.links()) == (before, {})
    node.delete(config, pod)
    node.delete(config, pod)
    assert node.ask("STATUS", config).failed(7) == said
