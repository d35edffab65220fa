"""portmap: not how, but what it does to packets, on both sides; and ours where theirs has mapped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.differential.configs import V4, V6, host_local
from tests.plugins.datagrams import NODE, OUTSIDE, make_outside
from tests.plugins.portmapped import mapping
from tests.plugins.services import SHORT, asked, serving
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.conftest import MakeNamespace
    from tests.differential.pair import Pair
    from tests.differential.side import Config, Side

BACKENDS = ["iptables", "nftables"]
BOTH = [mapping(8080), mapping(8080, "udp")]
PTP = {
    "cniVersion": "1.0.0",
    "name": "net",
    "type": "ptp",
    "ipam": host_local(V4, V6, routes=[{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]),
}
OUT = {family: f"{OUTSIDE[family]}/{bits}" for family, bits in ((4, 32), (6, 128))}

# What is asked for, by backend where they write it differently.
ASKED: dict[str, dict[str, Config]] = {
    "nothing more": {each: {} for each in BACKENDS},
    "no snat": {each: {"snat": False} for each in BACKENDS},
    "masqAll": {each: {"masqAll": True} for each in BACKENDS},
    "conditions": {
        "iptables": {"conditionsV4": ["!", "-s", OUT[4]], "conditionsV6": ["!", "-s", OUT[6]]},
        "nftables": {"conditionsV4": ["ip", "saddr", "!=", OUT[4]], "conditionsV6": [f"ip6 saddr != {OUT[6]}"]},
    },
    "one address": {
        each: {"runtimeConfig": {"portMappings": [mapping(8080, "tcp", NODE[4]), mapping(8080, "udp", NODE[6])]}}
        for each in BACKENDS
    },
}

_OF_IPV6 = "2001:db8:1::1"
INTENDED: dict[tuple[str, str, str], tuple[str, str, str]] = {
    **{
        ("masqAll", "nftables", f"{who} by {protocol}, IPv{family}"): (
            f"pod {gateway}",
            f"pod {address[family]}",
            "the reference passes over masqAll with nftables",
        )
        for who, address in (("outside", OUTSIDE), ("the node", NODE))
        for protocol in ("tcp", "udp")
        for family, gateway in ((4, "10.1.2.1"), (6, _OF_IPV6))
    },
}
"""Where ours is meant to differ: what is asked for, the backend, who asks; ours, theirs, and why."""


def portmap(backend: str, **more: object) -> Config:
    ports = {"runtimeConfig": {"portMappings": BOTH}}
    return {"cniVersion": "1.0.0", "name": "net", "type": "portmap", "backend": backend, **ports, **more}


def ask(side: Side, verb: str, config: Config, previous: Config | None = None) -> Config:
    answer: Any = side.start(lambda: side.call(verb, config, previous=previous)).result()
    document: Config = answer.succeeded()
    return document


def seen(side: Side, outside: str) -> dict[str, str]:
    """Whom the pod takes for its client, by who asks and how; "" where nobody answers."""
    asking = {"outside": outside, "the node": side.node, "the pod": side.pod}
    found = {
        f"{who} by {protocol}, IPv{family}": asked(netns, protocol, NODE[family], 8080, patience=SHORT)
        for who, netns in asking.items()
        for protocol in ("tcp", "udp")
        for family in NODE
    }
    found |= {
        f"the node by {protocol}, 127.0.0.1": asked(side.node, protocol, "127.0.0.1", 8080, patience=SHORT)
        for protocol in ("tcp", "udp")
    }
    return found


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("what", ASKED)
def test_packets_go_the_same_way(what: str, backend: str, pair: Pair, netns: MakeNamespace) -> None:
    config = portmap(backend, **ASKED[what][backend])
    found = []
    for side in (pair.ours, pair.theirs):
        Shown(side.node).write("ipv6/conf/default/accept_dad", "0")
        outside = make_outside(netns, side.node)
        previous = ask(side, "ADD", PTP)
        Shown(side.pod).run(f"ip link set lo up; ping -c 1 -W 9 {_OF_IPV6}")
        with serving(side.pod, "pod"):
            assert ask(side, "ADD", config, previous) == previous
            found.append(seen(side, outside))
            assert ask(side, "CHECK", config, previous) == {}
            assert ask(side, "DEL", config, previous) == {}
            assert set(seen(side, outside).values()) == {""}
    ours, theirs = found
    different = {(what, backend, who): (ours[who], theirs[who]) for who in ours if ours[who] != theirs[who]}
    meant = {key: entry[:2] for key, entry in INTENDED.items() if key[:2] == (what, backend)}
    assert different == meant
    assert set(ours.values()) != {""}


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_theirs_mapped_ours_takes_away(backend: str, mixed: Side, netns: MakeNamespace) -> None:
    outside = make_outside(netns, mixed.node)
    previous = ask(mixed, "ADD", PTP)
    with serving(mixed.pod, "pod"):
        ask(mixed, "ADD", {**portmap(backend), "type": "go-portmap"}, previous)
        assert asked(outside, "udp", NODE[4], 8080, source=f"{OUTSIDE[4]} 4000") == f"pod {OUTSIDE[4]}"
        bare = {key: value for key, value in portmap(backend).items() if key != "runtimeConfig"}
        for _ in range(2):
            assert ask(mixed, "DEL", bare) == {}
        assert asked(outside, "tcp", NODE[4], 8080, patience=SHORT) == ""
        ask(mixed, "ADD", portmap(backend), previous)
        assert asked(outside, "udp", NODE[4], 8080, source=f"{OUTSIDE[4]} 4000") == f"pod {OUTSIDE[4]}"
