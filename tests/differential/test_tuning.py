"""tuning: what it changes, what it gives back, and each with the other's files."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.differential.configs import ASKED, OTHER, V4, V6, host_local
from tests.differential.pair import WITH_PREVIOUS
from tests.differential.side import UPLINK
from tests.differential.test_interworking import ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.differential.pair import Pair
    from tests.differential.side import Config, Side

VERSIONS = ("0.3.1", "0.4.0", "1.0.0", "1.1.0")
PROXY_ARP = "net.ipv4.conf.IFNAME.proxy_arp"
MAKERS: dict[str, Config] = {
    "bridge": {"type": "bridge", "isGateway": True, "ipam": host_local(V4, V6)},
    "macvlan": {"type": "macvlan", "master": UPLINK},
}
CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "settings": {"sysctl": {PROXY_ARP: "1", "net.ipv6.conf.IFNAME.proxy_ndp": "1"}},
    "slashes": {"sysctl": {"net/ipv4/conf/IFNAME/proxy_arp": "1"}},
    "mac": {"mac": ASKED},
    "mtu": {"mtu": 1400},
    "modes": {"promisc": True, "allmulti": True},
    "modes that are not wanted": {"promisc": False, "allmulti": False},
    "queue": {"txQLen": 300},
    "everything": {
        "mac": ASKED,
        "mtu": 1400,
        "promisc": True,
        "allmulti": True,
        "txQLen": 3,
        "sysctl": {PROXY_ARP: "1"},
    },
    "what args ask for": {
        "sysctl": {PROXY_ARP: "0"},
        "mtu": 1450,
        "args": {"cni": {"mac": ASKED, "mtu": 1400, "promisc": True, "txQLen": 4, "sysctl": {PROXY_ARP: "1"}}},
    },
    "a capability before an argument": {"mac": OTHER, "runtimeConfig": {"mac": ASKED}},
}


def tuning(version: str, changes: dict[str, Any], kind: str = "tuning") -> Config:
    return {"cniVersion": version, "name": "net", "type": kind, "dataDir": "DATA/tuning", **changes}


class Chain:
    """A plugin and tuning after it, on both sides; `answered` is what the last ADD returned."""

    def __init__(self, pair: Pair, version: str, maker: Config) -> None:
        self.pair = pair
        self.version = version
        self.maker = {"cniVersion": version, "name": "net", **maker}
        self.answered: dict[str, Config] = {}

    def add(self, config: Config, **environment: str) -> list[Config]:
        def attach(side: Side) -> Config:
            previous = self.answered.get(side.name)
            return side.call("ADD", config, previous=previous, environment=environment).succeeded()

        results = self.pair.both(attach)
        self.answered = {side.name: result for side, result in zip(self.sides, results, strict=True)}
        return list(results)

    def ask(self, verb: str, config: Config, **environment: str) -> None:
        def call(side: Side) -> None:
            previous = self.answered[side.name] if self.version in WITH_PREVIOUS else None
            assert side.call(verb, config, previous=previous, environment=environment).succeeded() == {}

        self.pair.both(call)

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.pair.ours, self.pair.theirs


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_the_same_in_a_list(make_pair: Callable[[], Pair], maker: Config, changes: dict[str, Any]) -> None:
    with ThreadPoolExecutor(len(VERSIONS)) as pool:
        found = pool.map(lambda version: differences(Chain(make_pair(), version, maker), changes), VERSIONS)
        assert list(found) == [[] for _ in VERSIONS]


def differences(chain: Chain, changes: dict[str, Any]) -> list[str]:
    """What nobody meant, from the ADD of the first plugin to its DEL."""
    config, version = tuning(chain.version, changes), chain.version
    environment = {"CNI_ARGS": f"IgnoreUnknown=1;MAC={OTHER}"} if "runtimeConfig" in changes else {}
    words = json.dumps([chain.maker, changes, environment])
    chain.add(chain.maker)
    results = chain.add(config, **environment)
    found = chain.pair.settled(version, words, "after ADD", results, kind="tuning")
    if version in WITH_PREVIOUS:
        chain.ask("CHECK", config, **environment)
        chain.ask("CHECK", chain.maker)
    chain.ask("DEL", config, **environment)
    found += chain.pair.settled(version, words, "after ADD", [{}, {}], kind="tuning")  # of the first plugin
    chain.ask("DEL", chain.maker)
    return found + chain.pair.settled(version, words, "after DEL", [{}, {}], kind="tuning")


@pytest.mark.parametrize(("first", "second"), [("go-", ""), ("", "go-")], ids=["by theirs", "by ours"])
def test_the_other_restores_what_was_changed(mixed: Side, first: str, second: str) -> None:
    maker = {"cniVersion": "1.0.0", "name": "net", **MAKERS["macvlan"]}
    made = ask(mixed, "ADD", maker).succeeded()
    before = eth0(mixed)
    changes = {key: value for key, value in CHANGES["everything"].items() if key != "sysctl"}
    result = ask(mixed, "ADD", tuning("1.0.0", changes, f"{first}tuning"), made).succeeded()
    assert eth0(mixed) != before
    assert result["interfaces"][0]["mac"] == ASKED
    for whose in ("", "go-"):
        assert ask(mixed, "CHECK", tuning("1.0.0", changes, f"{whose}tuning"), result).succeeded() == {}
    asked = tuning("1.0.0", changes, f"{second}tuning")
    assert ask(mixed, "DEL", asked, result).succeeded() == {}
    assert eth0(mixed) == before
    assert list(mixed.data.glob("tuning/*")) == []


def eth0(side: Side) -> Any:
    return side.start(side.shown).result()["pod"]["links"]["eth0"]
