"""Networks on a bond: the node's uplink is two links, and one of them may fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.node import Node, Pod
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.conftest import MakeNamespace

pytestmark = pytest.mark.vm

BOND = """\
set -e
ip link add bond0 type bond mode active-backup miimon 10
for port in port1 port2; do
    ip link add name $port type veth peer name $port netns {fabric}
    ip link set $port master bond0
done
ip link set bond0 up
"""
FABRIC = """\
set -e
ip link add switch type bridge
ip link set switch up
for port in port1 port2; do ip link set $port master switch up; done
ip addr add 10.9.0.1/24 dev switch
"""


@pytest.fixture
def node(host: Namespace, netns: MakeNamespace, tmp_path: Path) -> Node:
    fabric = netns("fabric")
    Shown(host.path).run(BOND.format(fabric=fabric))
    Shown(fabric).run(FABRIC)
    return Node(host, tmp_path)


@pytest.mark.parametrize("kind", ["macvlan", "ipvlan"])
def test_a_pod_stays_connected_when_one_of_the_links_fails(node: Node, netns: MakeNamespace, kind: str) -> None:
    pod = Pod(netns("pod"), "c1")
    ipam = {"type": "static", "addresses": [{"address": "10.9.0.7/24"}], "dataDir": str(node.addresses)}
    config = {"cniVersion": "1.1.0", "name": "fabric", "type": kind, "master": "bond0", "ipam": ipam}
    result = node.call("ADD", config, pod, kind=kind).succeeded().document
    inside, outside = Shown(pod.netns), Shown(node.host.path)
    inside.run("ping -c 1 -W 5 10.9.0.1")
    [bond] = outside.ip("link show bond0")
    outside.run(f"ip link set {bond['linkinfo']['info_data']['active_slave']} down")
    inside.run("for try in 1 2 3 4 5; do ping -c 1 -W 1 10.9.0.1 && exit; done; exit 1")
    node.call("CHECK", {**config, "prevResult": result}, pod, kind=kind).succeeded()
    node.call("DEL", config, pod, kind=kind).succeeded()
    assert pod.links() == {}


def test_a_link_of_the_bond_is_not_given_away(node: Node, netns: MakeNamespace) -> None:
    pod = Pod(netns("pod"), "c1")
    config = {"cniVersion": "1.1.0", "name": "taken", "type": "host-device", "device": "port1"}
    config["dataDir"] = str(node.root / "devices")
    assert "bond0" in node.call("ADD", config, pod, kind="host-device").failed(7)
    assert pod.links() == {}
