"""And back: pods of ours are the Go Multus's, which takes them apart by the Go plugins alone, and leaves nothing."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.node.handing import Unhandable
from tests.nodes.load import Load
from tests.nodes.migrating import Live, reach
from tools.build import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.conftest import MakeNamespace
    from tests.node import Pod

EVERYTHING = "blue/red,blue/fixed,blue/tuned@lan0,blue/routed"


@pytest.fixture
def live(host: Namespace, netns: MakeNamespace, tmp_path: Path) -> Live:
    assert PROGRAM.exists(), "run `make build` first"
    live = Live(host, netns, tmp_path, masquerades=False)
    live.macvlan("red", "10.2.0.0/24")
    addresses, static = [{"address": "10.3.0.1/24"}], str(live.kept / "static")
    live.macvlan("fixed", "", ipam={"type": "static", "addresses": addresses, "dataDir": static})
    tuning = {"type": "tuning", "mtu": 1400, "dataDir": str(live.kept / "tuning")}
    live.define("tuned", chain("tuned", live.node.macvlan("tuned", "10.4.0.0/24", mode="bridge"), tuning))
    sbr = {"type": "sbr", "dataDir": str(live.kept / "sbr")}
    live.define("routed", chain("routed", live.node.macvlan("routed", "10.5.0.0/24", mode="bridge"), sbr))
    return live


def chain(name: str, *plugins: dict[str, Any]) -> dict[str, Any]:
    return {"cniVersion": "1.0.0", "name": name, "plugins": list(plugins)}


def addresses(*pods: Pod) -> list[dict[str, list[str]]]:
    return [{name: pod.addresses(name) for name in sorted(pod.links())} for pod in pods]


def is_go_s(live: Live) -> bool:
    """Whether nothing of ours is there, and the Go Multus is."""
    names = [path.name for path in (*live.bins.iterdir(), *live.net_d.iterdir())]
    return not [name for name in names if name.startswith(".multus")] and not (live.bins / "multus").is_symlink()


def test_pods_of_both_are_handed_over(live: Live) -> None:
    live.put_go_multus()
    before = live.tree()
    early = live.start("go-0", "blue/red,blue/tuned")
    live.install()
    ours, other = live.start("ours-0", EVERYTHING), live.start("ours-1", "blue/red")
    had, held = addresses(early, ours, other), live.reserved()
    assert reach(ours, other)
    assert live.uninstall(dry=True).complete
    assert live.node.records() == ["ours-0@eth0", "ours-1@eth0"]
    assert live.uninstall().complete
    assert is_go_s(live)
    assert addresses(early, ours, other) == had
    assert live.reserved() == held
    assert reach(ours, other)
    assert reach(early, ours)
    late = live.start("go-1", "blue/red")
    assert late.addresses("net1")[0] not in {each for pod in had for of in pod.values() for each in of}
    assert reach(late, ours)
    live.stop(ours, early, other, late)
    assert live.remains() == {}
    assert list(live.kept.glob("s*/*.json")) == []
    assert live.tree("lib") == {name: facts for name, facts in before.items() if not name.startswith("lib")}


def test_a_go_multus_that_is_new_on_the_node_takes_over(live: Live) -> None:
    """Of networks without a name the reservations move to the name that they have there."""
    live.install(take_over=False)
    ours = live.start("ours-0", EVERYTHING)
    assert set(live.reserved()) == {"primary", "blue_red", "tuned", "routed"}
    [given] = live.reserved()["blue_red"]
    outcome = live.uninstall()
    assert (outcome.complete, outcome.waiting) == (False, "the Go Multus")
    assert "blue_red" not in live.reserved()
    assert live.reserved()["red"] == {given: "ours-0 net1"}
    between = live.start("between-0", "blue/red")
    assert set(between.links()) == {"eth0"}
    assert not live.uninstall(hand_over=False).complete  # who goes on with it does not forget them
    live.put_go_multus()
    assert live.uninstall().complete
    assert is_go_s(live)
    late = live.start("go-0", "blue/red")
    assert late.addresses("net1") != ours.addresses("net1")
    live.stop(ours, between, late)
    assert live.remains() == {}


def test_it_may_be_thought_better_of(live: Live) -> None:
    live.install(take_over=False)
    ours = live.start("ours-0", EVERYTHING)
    assert not live.uninstall().complete
    live.install()
    more = live.start("ours-1", "blue/red")
    assert more.addresses("net1") != ours.addresses("net1")
    for pod in (ours, more):
        live.runtime.check(pod.container_id, pod.netns)
    live.stop(ours, more)
    assert live.remains() == {}
    assert live.uninstall(hand_over=False).complete


def test_pods_start_and_stop_meanwhile(live: Live) -> None:
    live.put_go_multus()
    live.install()
    ours = live.start("ours-0", "blue/red")
    busy = [live.pod(f"busy-{at}", "blue/red") for at in range(2)]

    def work(pod: Pod) -> None:
        live.runtime.add(pod.container_id, pod.netns)
        live.runtime.delete(pod.container_id, pod.netns)

    with Load(*(lambda _, pod=pod: work(pod) for pod in busy)) as load:
        assert live.uninstall(settle=1.5).complete
    assert load.failures == []
    assert min(load.done) > 0
    assert is_go_s(live)
    live.stop(ours, *busy)
    assert live.remains() == {}


def test_what_only_we_can_take_apart_is_refused_before_anything_is_touched(live: Live) -> None:
    live.put_go_multus()
    bridge = {**live.node.bridge("inner", "10.6.0.0/24"), "bridge": "cni1", "ipMasq": True}
    live.define("masked", chain("masked", bridge))
    live.install()
    ours = live.start("ours-0", "blue/masked,blue/red")
    before = live.tree()
    with pytest.raises(Unhandable, match=r"ours-0@eth0: net1 of network masked: .* ipMasq \(bridge\)"):
        live.uninstall()
    assert live.tree() == before
    live.stop(ours)
    other = live.start("ours-1", "blue/red")
    shutil.move(live.bins / "macvlan", live.kept)
    with pytest.raises(Unhandable, match=r"net1 of network red: .* has no program macvlan but ours"):
        live.uninstall()
    shutil.move(live.kept / "macvlan", live.bins)
    assert live.uninstall().complete
    live.stop(other)
    assert live.remains() == {}
