"""ipMasq: not how, but what it does to packets, on both sides; and what ours does where theirs has attached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.differential.configs import V4, V6, host_local
from tests.plugins.datagrams import NODE, OUTSIDE, make_outside, source_seen
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.conftest import MakeNamespace
    from tests.differential.pair import Pair
    from tests.differential.side import Answer, Config, Side

ROUTES = [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]
ADDRESSES = {4: "10.1.2.2", 6: "2001:db8:1::2"}
BACKENDS = ["", "iptables", "nftables"]


def ptp(backend: str = "", *, ip_masq: bool = True, kind: str = "ptp", **more: object) -> Config:
    asked = {"ipMasqBackend": backend} if backend else {}
    ipam = host_local(V4, V6, routes=ROUTES)
    return {"cniVersion": "1.0.0", "name": "net", "type": kind, "ipMasq": ip_masq, "ipam": ipam, **asked, **more}


def rules(side: Side) -> list[str]:
    """What has to do with the pod's addresses, or its container, in any table."""
    listed = Shown(side.node).run("nft list ruleset; iptables-save; ip6tables-save").splitlines()
    return [line for line in listed if any(word in line for word in ("10.1.2.2", "2001:db8:1::2", "c0ffee"))]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("ip_masq", [False, True])
def test_packets_have_the_same_source(backend: str, ip_masq: bool, pair: Pair, netns: MakeNamespace) -> None:
    config = ptp(backend, ip_masq=ip_masq)
    for side in (pair.ours, pair.theirs):
        outside = make_outside(netns, side.node)
        previous = side.start(side.call, "ADD", config).result().succeeded()
        # Of theirs, the node's end takes two seconds before it answers.
        assert Shown(side.pod).reaches("2001:db8:1::1")
        seen = {family: source_seen(side.pod, outside, OUTSIDE[family]) for family in OUTSIDE}
        assert seen == (NODE if ip_masq else ADDRESSES), side.name
        side.start(lambda who=side, told=previous: who.call("CHECK", config, previous=told)).result().succeeded()
        gone = side.start(lambda who=side, told=previous: who.call("DEL", config, previous=told)).result()
        if side is pair.ours:  # their DEL fails over iptables where nftables served
            assert gone.succeeded() == {}
            assert rules(side) == []


@pytest.mark.parametrize("attached_with", BACKENDS)
@pytest.mark.parametrize("environment", [{}, {"CNI_NETNS": ""}], ids=["with namespace", "without namespace"])
def test_what_theirs_attached_ours_detaches(attached_with: str, environment: dict[str, str], mixed: Side) -> None:
    """Where the namespace is gone, theirs would leave the rules."""

    def ask(verb: str, config: Config) -> Config:
        variables = environment if verb == "DEL" else {}
        answer: Answer = mixed.start(lambda: mixed.call(verb, config, environment=variables)).result()
        return answer.succeeded()

    previous = ask("ADD", ptp(attached_with, kind="go-ptp"))
    ask("CHECK", ptp(prevResult=previous))
    assert rules(mixed) != []
    for _ in range(2):
        ask("DEL", ptp())
        assert rules(mixed) == []
