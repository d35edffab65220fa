"""sbr behind a plugin that makes an interface: the same rules and tables, and each takes back what the other made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.differential.configs import V4, V6, host_local, static
from tests.differential.pair import WITH_PREVIOUS
from tests.differential.side import UPLINK
from tests.differential.test_interworking import ask
from tests.differential.test_tuning import Chain

if TYPE_CHECKING:
    from tests.differential.pair import Pair
    from tests.differential.side import Config, Side

V4_DEFAULT = {"dst": "0.0.0.0/0"}
MAKERS: dict[str, dict[str, Any]] = {
    "bridge": {"type": "bridge"},
    "macvlan": {"type": "macvlan", "master": UPLINK},
}
GATEWAYS = [
    {"address": "10.1.2.5/24", "gateway": "10.1.2.1"},
    {"address": "10.1.3.5/24", "gateway": "10.1.3.1"},
]
LAYOUTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "an address": (host_local(V4), {}),
    "a default route": (host_local(V4, routes=[V4_DEFAULT]), {}),
    "routes": (host_local(V4, routes=[{"dst": "192.0.2.0/24", "gw": "10.1.2.77"}, {"dst": "198.51.100.0/24"}]), {}),
    "IPv6": (host_local(V6), {}),
    "both families": (host_local(V4, V6), {}),
    "two addresses": ({"type": "static", "addresses": GATEWAYS}, {}),
    "no gateway": (static("10.1.2.5/24"), {}),
    "a table": (host_local(V4), {"table": 5000}),
    "a table for both families": (host_local(V4, V6), {"table": 5000}),
}


def sbr(version: str, kind: str = "sbr", **keys: object) -> Config:
    return {"cniVersion": version, "name": "net", "type": kind, **keys}


@pytest.mark.parametrize("version", ["0.3.1", "1.1.0"])
@pytest.mark.parametrize(("ipam", "keys"), LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_the_same_in_a_list(
    pair: Pair, maker: dict[str, Any], ipam: dict[str, Any], keys: dict[str, Any], version: str
) -> None:
    chain = Chain(pair, version, {**maker, "ipam": ipam})
    config = sbr(version, **keys)
    words = json.dumps([config, chain.maker])
    chain.add(chain.maker)
    before = rules_and_routes(pair.ours)
    results = chain.add(config)
    found = pair.settled(version, words, "after ADD", results)
    if version in WITH_PREVIOUS:
        chain.ask("CHECK", config)
        # The reference's fails: it looks for the routes in the main table alone.
        checked = pair.both(lambda side: side.call("CHECK", chain.maker, previous=chain.answered[side.name]).status)
        assert checked == (0, 0 if keys else 1)
    chain.ask("DEL", config)
    assert rules_and_routes(pair.ours) == before  # the reference's are in nobody's table until the link goes
    chain.ask("DEL", chain.maker)
    assert found + pair.settled(version, words, "after DEL", [{}, {}]) == []


@pytest.mark.parametrize(("first", "second"), [("go-", ""), ("", "go-")], ids=["by theirs", "by ours"])
def test_the_other_detaches_what_was_attached(mixed: Side, first: str, second: str) -> None:
    ipam = host_local(V4, V6)
    maker = {"cniVersion": "1.0.0", "name": "net", **MAKERS["macvlan"], "ipam": ipam}
    made = ask(mixed, "ADD", maker).succeeded()
    before = rules_and_routes(mixed)["rules"]
    result = ask(mixed, "ADD", sbr("1.0.0", f"{first}sbr"), made).succeeded()
    assert ask(mixed, "CHECK", sbr("1.0.0"), result).succeeded() == {}
    assert ask(mixed, "DEL", sbr("1.0.0", f"{second}sbr"), result).succeeded() == {}
    assert rules_and_routes(mixed)["rules"] == before
    assert ask(mixed, "DEL", maker, result).succeeded() == {}


def test_what_the_reference_gets_wrong(pair: Pair) -> None:
    """A second ADD, a DEL without namespace, without the link."""
    chain = Chain(pair, "1.0.0", {**MAKERS["macvlan"], "ipam": host_local(V4)})
    chain.add(chain.maker)
    chain.add(sbr("1.0.0"))

    def ended(verb: str, **environment: str) -> tuple[int, int]:
        statuses: tuple[int, int] = pair.both(
            lambda side: (
                side.call(verb, sbr("1.0.0"), previous=chain.answered[side.name], environment=environment).status
            )
        )
        return statuses

    gone = str(pair.ours.data / "gone")
    assert ended("ADD") == (0, 1)
    assert ended("DEL", CNI_NETNS="") == (0, 1)
    assert ended("DEL", CNI_NETNS=gone) == (0, 1)


def rules_and_routes(side: Side) -> dict[str, Any]:
    pod = side.start(side.shown).result()["pod"]
    return {"rules": pod["rules"], "routes": pod["routes"]}
