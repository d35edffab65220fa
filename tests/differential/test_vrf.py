"""vrf behind a plugin that makes an interface: the same VRF and routes, and each takes back what the other made."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.differential.configs import ROUTES, V4, V6, host_local
from tests.differential.side import UPLINK
from tests.differential.test_interworking import ask
from tests.differential.test_tuning import Chain

if TYPE_CHECKING:
    from tests.differential.pair import Pair
    from tests.differential.side import Config, Side

pytestmark = pytest.mark.vm  # the machine's own kernel may have no VRFs

TENTATIVE = 0x40
LAYOUTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "both families and routes": (host_local(V4, V6, routes=ROUTES), {}),
    "a table": (host_local(V4), {"table": 77}),
}


def macvlan(ipam: dict[str, Any]) -> Config:
    return {"cniVersion": "1.0.0", "name": "net", "type": "macvlan", "master": UPLINK, "ipam": ipam}


def vrf(kind: str = "vrf", **keys: object) -> Config:
    return {"cniVersion": "1.0.0", "name": "net", "type": kind, "vrfname": "blue", **keys}


@pytest.mark.parametrize(("ipam", "keys"), LAYOUTS.values(), ids=LAYOUTS)
def test_the_same_in_a_list(pair: Pair, ipam: dict[str, Any], keys: dict[str, Any]) -> None:
    chain = Chain(pair, "1.0.0", macvlan(ipam))
    config = vrf(**keys)
    words = json.dumps([config, chain.maker])
    chain.add(chain.maker)
    results = chain.add(config)
    pair.both(await_addresses)
    found = pair.settled("1.0.0", words, "after ADD", results)
    chain.ask("CHECK", config)
    chain.ask("DEL", config)
    chain.ask("DEL", chain.maker)
    assert found + pair.settled("1.0.0", words, "after DEL", [{}, {}]) == []


def await_addresses(side: Side) -> None:
    """Until the reference's IPv6 addresses are usable, and have their routes."""
    for _ in range(100):
        found = side.kernel(side.pod).get_addr()
        if not any(address["flags"] & TENTATIVE for address in found if address["scope"] == 0):
            return
        time.sleep(0.1)


@pytest.mark.parametrize(("first", "second"), [("go-", ""), ("", "go-")], ids=["by theirs", "by ours"])
def test_the_other_detaches_what_was_attached(mixed: Side, first: str, second: str) -> None:
    maker = macvlan(host_local(V4, V6))
    made = ask(mixed, "ADD", maker).succeeded()
    result = ask(mixed, "ADD", vrf(f"{first}vrf"), made).succeeded()
    for whose in ("", "go-"):
        assert ask(mixed, "CHECK", vrf(f"{whose}vrf"), result).succeeded() == {}
    assert ask(mixed, "DEL", vrf(f"{second}vrf"), result).succeeded() == {}
    links = mixed.start(mixed.shown).result()["pod"]["links"]
    assert (links["eth0"]["master"], "blue" in links) == (None, False)
    assert ask(mixed, "CHECK", maker, result).succeeded() == {}
    assert ask(mixed, "DEL", maker, result).succeeded() == {}


def test_an_interface_that_is_gone_fails_the_reference(pair: Pair) -> None:
    chain = Chain(pair, "1.0.0", macvlan(host_local(V4)))
    chain.add(chain.maker)
    chain.add(vrf())
    chain.ask("DEL", chain.maker)
    statuses = pair.both(lambda side: side.call("DEL", vrf(), previous=chain.answered[side.name]).status)
    assert statuses == (0, 1)
