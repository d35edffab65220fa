"""bridge: macspoofchk, by what comes through, on both sides; and what each forgets of the other's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.differential.configs import V4, host_local
from tests.differential.test_interworking import ask
from tests.plugins.frames import Wire
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.differential.pair import Pair
    from tests.differential.side import Config, Side

FALSE = "02:00:00:00:00:99"


def checked(whose: str = "", **keys: object) -> Config:
    return {"cniVersion": "1.0.0", "name": "net", "type": f"{whose}bridge", "macspoofchk": True, **keys}


def ruleset(side: Side) -> str:
    return Shown(side.node).run("nft list ruleset")


def heard(side: Side) -> list[str]:
    """What the bridge hears of a pod that lies, and then tells the truth."""
    with Wire(side.pod) as pod, Wire(side.node, "cni0") as bridge:
        pod.send("a false MAC", source=FALSE)
        pod.send("the bridge's MAC", source=bridge.mac)
        pod.send("its own MAC")
        return bridge.heard("its own MAC")


@pytest.mark.parametrize("checking", [True, False])
def test_the_same_frames_come_through(pair: Pair, checking: bool) -> None:
    config = {**checked(ipam=host_local(V4)), "macspoofchk": checking}
    for answer in pair.call("ADD", config):
        answer.succeeded()
    ours, theirs = pair.both(heard)
    assert ours == theirs
    assert ours == (["its own MAC"] if checking else ["a false MAC", "the bridge's MAC", "its own MAC"])


@pytest.mark.parametrize("path", ["the pod's", ""])
def test_ours_forgets_what_theirs_made(mixed: Side, path: str) -> None:
    """BUG of the reference: without the namespace its own DEL leaves its rules and chains."""
    go, ours = checked("go-", ipam=host_local(V4)), checked(ipam=host_local(V4))
    for container in ("one", "two"):
        pod = {"CNI_CONTAINERID": container, "CNI_IFNAME": container}
        ask(mixed, "ADD", go, None, **pod).succeeded()
    assert ruleset(mixed).count("macspoofchk-one-one") >= 4
    environment = {} if path == "the pod's" else {"CNI_NETNS": path}
    ask(mixed, "DEL", ours, None, CNI_CONTAINERID="one", CNI_IFNAME="one", **environment).succeeded()
    left = ruleset(mixed)
    assert "one-one" not in left
    assert left.count("macspoofchk-two-two") >= 4


@pytest.mark.parametrize("path", ["the pod's", ""])
def test_each_forgets_its_own(pair: Pair, path: str) -> None:
    for answer in pair.call("ADD", checked()):
        answer.succeeded()
    environment = {} if path == "the pod's" else {"CNI_NETNS": path}
    for answer in pair.call("DEL", checked(), environment=environment):
        answer.succeeded()
    assert "c0ffee" not in ruleset(pair.ours)
    assert ("c0ffee" in ruleset(pair.theirs)) == (path == "")
