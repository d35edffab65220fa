"""ptp on Debian's kernel: its routes, and its packets under the node's address, by nftables and by iptables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.node import Pod
from tests.plugins.configs import pools
from tests.plugins.datagrams import NODE, OUTSIDE, make_outside, source_seen
from tests.plugins.masqueraded import DEFAULTS, FAMILIES, SUBNETS, address
from tests.plugins.runtime import Runtime

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.conftest import MakeNamespace

pytestmark = pytest.mark.vm


@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_packets_leave_under_the_nodes_address(
    backend: str, host: Namespace, netns: MakeNamespace, tmp_path: Path
) -> None:
    node, pod, second = Runtime(host, tmp_path), Pod(netns("pod"), "c1"), Pod(netns("second"), "c2")
    outside = make_outside(netns, host.path)
    ipam = pools(node, *SUBNETS, routes=DEFAULTS)
    config = {"cniVersion": "1.1.0", "name": "blue", "type": "ptp", "ipMasq": True, "ipam": ipam}
    config["ipMasqBackend"] = backend
    result, other = node.add(config, pod), node.add(config, second)
    for family in FAMILIES:
        assert source_seen(pod.netns, outside, OUTSIDE[family]) == NODE[family]
        assert source_seen(pod.netns, second.netns, address(other, family)) == address(result, family)
    node.check(config, pod, result)
    for each in (pod, second):
        node.delete(config, each, CNI_NETNS="")
    assert "10.1.2." not in node.shown.run("nft list ruleset")
