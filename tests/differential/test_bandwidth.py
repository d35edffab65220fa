"""bandwidth behind a plugin that makes a pair of links: the same buckets, and each with what the other left."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.differential.configs import V4, host_local
from tests.differential.pair import WITH_PREVIOUS
from tests.differential.test_interworking import ask
from tests.differential.test_tuning import Chain

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.differential.pair import Pair
    from tests.differential.side import Config, Side

VERSIONS = ("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
MAKERS: dict[str, Config] = {
    "bridge": {"type": "bridge", "isGateway": True, "mtu": 1400, "ipam": host_local(V4)},
    "ptp": {"type": "ptp", "ipam": host_local(V4)},
}
INGRESS = {"ingressRate": 10_000_000, "ingressBurst": 1_000_000}
EGRESS = {"egressRate": 123_456_789, "egressBurst": 7_654_321}
LIMITS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "zeros": dict.fromkeys((*INGRESS, *EGRESS), 0),
    "ingress": INGRESS,
    "egress": EGRESS,
    "both": {**INGRESS, **EGRESS},
    "the runtime's": {"runtimeConfig": {"bandwidth": {**INGRESS, **EGRESS}}},
    "the configuration's before the runtime's": {**EGRESS, "runtimeConfig": {"bandwidth": {**INGRESS, **EGRESS}}},
    "what containerd sends": {**INGRESS, "ingressBurst": 4_294_967_295},
}


def bandwidth(version: str, limits: dict[str, Any], kind: str = "bandwidth") -> Config:
    return {"cniVersion": version, "name": "net", "type": kind, **limits}


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_the_same_in_a_list(make_pair: Callable[[], Pair], maker: Config, limits: dict[str, Any]) -> None:
    with ThreadPoolExecutor(len(VERSIONS)) as pool:
        found = pool.map(lambda version: differences(Chain(make_pair(), version, maker), limits), VERSIONS)
        assert list(found) == [[] for _ in VERSIONS]


def differences(chain: Chain, limits: dict[str, Any]) -> list[str]:
    """What nobody meant, from the ADD of the first plugin to its DEL."""
    config, version = bandwidth(chain.version, limits), chain.version
    words = json.dumps([config, chain.maker])
    chain.add(chain.maker)
    found = chain.pair.settled(version, words, "after ADD", chain.add(config))
    if version in WITH_PREVIOUS:
        if any(key.startswith(("ingress", "egress", "runtime")) and value for key, value in limits.items()):
            chain.ask("CHECK", config)
        chain.ask("CHECK", chain.maker)
    for asked in (config, chain.maker):
        chain.ask("DEL", asked)
    return found + chain.pair.settled(version, words, "after DEL", [{}, {}])


@pytest.mark.parametrize("known", [True, False], ids=["with prevResult", "without"])
def test_what_theirs_made_is_removed(mixed: Side, known: bool) -> None:
    maker = {"cniVersion": "1.0.0", "name": "net", **MAKERS["bridge"]}
    made = ask(mixed, "ADD", maker).succeeded()
    result = ask(mixed, "ADD", bandwidth("1.0.0", LIMITS["both"], "go-bandwidth"), made).succeeded()
    assert ask(mixed, "CHECK", bandwidth("1.0.0", LIMITS["ingress"]), result).succeeded() == {}
    asked = bandwidth("1.0.0", LIMITS["both"])
    assert ask(mixed, "DEL", asked, result if known else None).succeeded() == {}
    assert not [name for name in mixed.start(mixed.shown).result()["node"]["links"] if name.startswith("bwp")]
    assert ask(mixed, "DEL", maker, result).succeeded() == {}


def test_theirs_is_content_with_the_bucket_that_ours_made(mixed: Side) -> None:
    maker = {"cniVersion": "1.0.0", "name": "net", **MAKERS["bridge"]}
    made = ask(mixed, "ADD", maker).succeeded()
    result = ask(mixed, "ADD", bandwidth("1.0.0", INGRESS), made).succeeded()
    assert ask(mixed, "CHECK", bandwidth("1.0.0", INGRESS, "go-bandwidth"), result).succeeded() == {}
