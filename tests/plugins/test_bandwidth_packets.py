"""bandwidth: what the packets say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugins.limited import Limited, qdiscs, root_of, seconds

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown
    from tests.pods import MakePod

SIZE = 2_000_000
RATE = 8_000_000  # bits: the transfer takes two seconds less the burst
BURST = 800_000
SHAPED = 1.2  # seconds at least; no upper bound, the machine may have others to serve
ADDRESS = "10.1.2.2"


class Ends:
    """Two ends of a transfer: the limited pod, and who it talks to."""

    def __init__(self, limited: Limited, other: str, address: str) -> None:
        self.limited = limited
        self.other = other
        self.address = address

    def to_pod(self) -> float:
        return seconds(self.other, self.limited.pod.netns, ADDRESS, SIZE)

    def from_pod(self) -> float:
        return seconds(self.limited.pod.netns, self.other, self.address, SIZE)


@pytest.fixture(params=["bridge", "macvlan"])
def ends(request: pytest.FixtureRequest, node: Runtime, pod: Pod, inside: Shown, make_pod: MakePod) -> Ends:
    """A pod on a bridge that talks to the node, or one on a macvlan that talks to another."""
    limited = Limited(node, pod, inside, request.param)
    if request.param == "bridge":
        return Ends(limited, node.host.path, "10.1.2.1")
    other = make_pod("other")
    node.add(limited.network, other)
    return Ends(limited, other.netns, "10.1.2.3")


def test_what_the_pod_gets_is_limited(ends: Ends) -> None:
    ends.limited.add(ends.limited.config(ingressRate=RATE, ingressBurst=BURST))
    assert ends.to_pod() > SHAPED > ends.from_pod()


def test_what_the_pod_sends_is_limited(ends: Ends) -> None:
    ends.limited.add(ends.limited.config(egressRate=RATE, egressBurst=BURST))
    assert ends.from_pod() > SHAPED > ends.to_pod()


def test_both_ways_are_limited_and_free_again_after_delete(ends: Ends) -> None:
    both = {"ingressRate": RATE, "ingressBurst": BURST, "egressRate": RATE, "egressBurst": BURST}
    config = ends.limited.config(runtimeConfig={"bandwidth": both})
    result = ends.limited.add(config)
    assert min(ends.to_pod(), ends.from_pod()) > SHAPED
    ends.limited.node.delete(config, ends.limited.pod, result)
    assert max(ends.to_pod(), ends.from_pod()) < SHAPED


def test_a_burst_that_a_runtime_means_as_none_lets_packets_through(ends: Ends) -> None:
    """What containerd sends; the reference's clock overflows at low rates."""
    unlimited = 4294967295
    config = ends.limited.config(ingressRate=8000, ingressBurst=unlimited, egressRate=8000, egressBurst=unlimited)
    ends.limited.node.check(config, ends.limited.pod, ends.limited.add(config))
    assert max(ends.to_pod(), ends.from_pod()) < SHAPED


def test_the_least_burst_lets_a_packet_through(ends: Ends) -> None:
    """A rate at which a burst takes next to no time: rounding must not make it smaller than a packet."""
    least = (1500 + 14) * 8
    limited = ends.limited
    limited.add(limited.config(ingressRate=10**10, ingressBurst=least, egressRate=10**10, egressBurst=least))
    limited.inside.run(f"ping -c 2 -i 0.2 -W 2 -s 1472 -M do {ends.address}")


def test_check_and_a_second_add_leave_the_counters(ends: Ends) -> None:
    limited = ends.limited
    config = limited.config(ingressRate=10**9, ingressBurst=10**7, egressRate=10**9, egressBurst=10**7)
    result = limited.add(config)
    ends.to_pod()
    ends.from_pod()
    limited.node.check(config, limited.pod, result)
    assert limited.node.ask("ADD", config, limited.pod, result).succeeded().document == result
    assert root_of(limited.place, limited.link)["bytes"] > SIZE
    assert root_of(limited.place, limited.ifb())["bytes"] > SIZE
    assert len(qdiscs(limited.place)) == len({(one["dev"], one["kind"]) for one in qdiscs(limited.place)})
