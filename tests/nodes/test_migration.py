"""From the Go Multus to this program on a live node: pods keep what they have, and nobody gets it a second time."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from tests.nodes.migrating import Live, reach
from tools.build import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.conftest import MakeNamespace

EVERYTHING = "blue/red,blue/fixed{},blue/tuned@lan0"


@pytest.fixture
def live(host: Namespace, netns: MakeNamespace, tmp_path: Path) -> Live:
    assert PROGRAM.exists(), "run `make build` first"
    live = Live(host, netns, tmp_path)
    live.macvlan("red", "10.2.0.0/24")
    for at in range(4):
        ipam = {
            "type": "static",
            "addresses": [{"address": f"10.3.0.{at + 1}/24"}],
            "dataDir": str(live.kept / "static"),
        }
        live.macvlan(f"fixed{at}", "", ipam=ipam)
    tuning = {"type": "tuning", "mtu": 1400, "dataDir": str(live.kept / "tuning")}
    vlan = {**live.node.macvlan("tuned", "10.4.0.0/24", mode="bridge")}
    live.define("tuned", {"cniVersion": "1.0.0", "name": "tuned", "plugins": [vlan, tuning]})
    live.put_go_multus()
    return live


def test_running_pods_are_taken_over_as_they_are(live: Live) -> None:
    before = live.tree()
    one, two = (live.start(f"go-{at}", EVERYTHING.format(at)) for at in range(2))
    had = {pod.container_id: {name: pod.addresses(name) for name in sorted(pod.links())} for pod in (one, two)}
    assert set(had["go-0"]) == {"eth0", "net1", "net2", "lan0"}
    held = live.reserved()
    assert reach(one, two)
    live.install()
    assert [path.name for path in live.net_d.glob("00*")] == ["00-multus.conflist"]
    assert had == {pod.container_id: {name: pod.addresses(name) for name in sorted(pod.links())} for pod in (one, two)}
    assert live.reserved() == held
    for ifname in ("net1", "net2", "lan0"):
        assert reach(one, two, ifname)
        assert reach(two, one, ifname)
    three = live.start("ours-2", EVERYTHING.format(2))
    for ifname in ("eth0", "net1", "net2", "lan0"):
        assert not set(three.addresses(ifname)) & {each for pod in had.values() for each in pod[ifname]}
        assert reach(three, one, ifname)
    for pod in (one, two, three):
        live.runtime.check(pod.container_id, pod.netns)
    live.stop(one)
    assert "go-0" not in json.dumps(live.reserved())
    four = live.start("ours-3", EVERYTHING.format(3))
    assert reach(four, two)
    live.stop(two, three, four)
    assert live.remains() == {}
    assert live.uninstall(hand_over=False).complete
    # Its own caches come with the first pod, wherever it runs.
    assert live.tree("lib") == {name: facts for name, facts in before.items() if not name.startswith("lib")}


def test_what_it_is_just_attaching_is_honoured_too(live: Live) -> None:
    """It asks host-local only after the switch, and after pods of ours did."""
    until = live.root.parent / "now"
    live.define(
        "slow", live.node.program("slow", live.bins, ADD={"until": str(until), "stdout": '{"cniVersion": "1.0.0"}'})
    )
    first = live.start("go-0", "blue/red")
    flight = live.pod("go-1", "blue/slow,blue/red")
    thread = threading.Thread(target=live.runtime.add, args=("go-1", flight.netns))
    thread.start()
    while not live.node.calls("ADD"):
        threading.Event().wait(0.01)
    live.install()
    ours = [live.start(f"ours-{at}", "blue/red") for at in range(3)]
    until.touch()
    thread.join()
    more = live.start("ours-3", "blue/red")
    pods = [first, *ours, more]
    given = [*(pod.addresses("net1")[0] for pod in pods), *flight.addresses("net2")]
    assert len(set(given)) == len(given) == 6
    assert set(live.reserved()["red"]) == {each.partition("/")[0] for each in given}
    live.stop(flight, *pods)
    assert live.remains() == {}


def test_a_node_where_it_never_was_names_networks_by_namespace(live: Live) -> None:
    for path in (live.bins / "multus", live.net_d / "00-multus.conf"):
        path.unlink()
    live.install()
    pod = live.start("ours-0", "blue/red")
    assert set(live.reserved()) == {"primary", "blue_red"}
    live.stop(pod)
