"""A node with an uplink, and pods on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.node import Pod
from tests.plugins.datagrams import make_outside
from tests.plugins.portmapped import bridged
from tests.plugins.services import serving
from tests.plugins.shown import Shown
from tests.pods import node, pod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import MakeNamespace
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

__all__ = ["inside", "make_pod", "node", "outside", "pod", "served"]


@pytest.fixture
def make_pod(netns: MakeNamespace) -> MakePod:
    def make(name: str = "pod1") -> Pod:
        return Pod(netns(f"netns-{name}"), name)

    return make


@pytest.fixture
def inside(pod: Pod) -> Shown:
    """The pod's namespace as `ip` shows it."""
    return Shown(pod.netns)


@pytest.fixture
def outside(netns: MakeNamespace, node: Runtime) -> str:
    """A namespace that the node is reached from."""
    node.shown.run("ip link set lo up")
    # A bridge that looks for duplicates of its own address asks for nobody else's meanwhile.
    node.shown.write("ipv6/conf/default/accept_dad", "0")
    return make_outside(netns, node.host.path)


@pytest.fixture
def served(node: Runtime, pod: Pod, outside: str) -> Iterator[dict[str, Any]]:
    """A pod that answers at its ports 80, on a bridge; what its ADD returned.

    Where a node filters what it bridges (br_netfilter), only a port in hairpinMode sends back what came in by it.
    """
    result = bridged(node, pod, hairpinMode=True)
    with serving(pod.netns, "pod1"):
        yield result
