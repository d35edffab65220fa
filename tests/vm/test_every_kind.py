"""A pod with a link of every kind: attached, compared and detached by the meta-plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.node import UPLINK, Node, Pod

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.conftest import MakeNamespace

pytestmark = pytest.mark.vm

KINDS = {"eth0": "veth", "net1": "macvlan", "net2": "ipvlan", "net3": "vlan", "net4": "dummy", "net5": "tun"}


def test_it_is_attached_and_detached(host: Namespace, netns: MakeNamespace, tmp_path: Path) -> None:
    """The links share a group, and go with one message, whatever made them."""
    node, pod = Node(host, tmp_path), Pod(netns("pod"), "c1")
    others = [
        {"name": "second", "type": "macvlan", "master": UPLINK, **node.ipam("10.2.0.0/24")},
        {"name": "third", "type": "ipvlan", "master": "up1", **node.ipam("10.3.0.0/24")},
        {"name": "fourth", "type": "vlan", "master": UPLINK, "vlanId": 7, **node.ipam("10.4.0.0/24")},
        {"name": "fifth", "type": "dummy", **node.ipam("10.5.0.0/24")},
        {"name": "sixth", "type": "tap", **node.ipam("10.6.0.0/24")},
    ]
    config = node.config(node.bridge(), *others)
    result = node.call("ADD", config, pod).succeeded().document
    assert pod.links() == KINDS
    assert [pod.addresses(f"net{number}") for number in range(1, 6)] == [[f"10.{net}.0.2/24"] for net in range(2, 7)]
    node.call("CHECK", {**config, "prevResult": result}, pod).succeeded()
    node.call("DEL", {**config, "prevResult": result}, pod).succeeded()
    assert node.remains(pod) == {}
