"""Ours and the Go plugins on one node, for kinds of links that the machine's own kernel may lack, and for tap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.differential.configs import V4, host_local
from tests.differential.side import UPLINK
from tests.differential.test_interworking import TURNS, addresses, ask, links

if TYPE_CHECKING:
    from tests.differential.side import Config, Side

KINDS: dict[str, dict[str, Any]] = {
    "ipvlan": {"master": UPLINK, "mode": "l3", "mtu": 1400},
    "vlan": {"master": UPLINK, "vlanId": 7, "mtu": 1400},
    "dummy": {},
    "tap": {"owner": 1000, "multiQueue": True},
}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind == "tap" else pytest.mark.vm) for kind in KINDS], ids=KINDS
)
@pytest.mark.parametrize(("first", "second"), TURNS)
def test_the_other_checks_and_detaches(mixed: Side, kind: str, first: str, second: str) -> None:
    def asked(whose: str) -> Config:
        ipam = host_local(V4, type=f"{whose}host-local")
        return {"cniVersion": "1.0.0", "name": "net", "type": f"{whose}{kind}", "ipam": ipam, **KINDS[kind]}

    result = ask(mixed, "ADD", asked(first)).succeeded()
    assert ask(mixed, "CHECK", asked(second), result).succeeded() == {}
    assert ask(mixed, "DEL", asked(second), result).succeeded() == {}
    assert (addresses(mixed), links(mixed)) == ([], set())
    assert ask(mixed, "DEL", asked(first), result).succeeded() == {}
