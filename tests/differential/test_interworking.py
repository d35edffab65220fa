"""Ours and the Go plugins on one node: each attaches, checks, detaches and shares files with the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.differential.configs import V4, V6, host_local
from tests.differential.side import UPLINK

if TYPE_CHECKING:
    from tests.differential.side import Answer, Config, Side

OURS, GO = "", "go-"
MIXTURES = [pytest.param(OURS, GO, id="their IPAM, our plugin"), pytest.param(GO, OURS, id="our IPAM, their plugin")]
TURNS = [pytest.param(GO, OURS, id="attached by theirs"), pytest.param(OURS, GO, id="attached by ours")]


def bridge(whose: str, ipam: dict[str, Any], **keys: object) -> Config:
    return {
        "cniVersion": "1.0.0",
        "name": "net",
        "type": f"{whose}bridge",
        "isDefaultGateway": True,
        "ipam": ipam,
        **keys,
    }


def macvlan(whose: str, ipam: dict[str, Any], **keys: object) -> Config:
    return {"cniVersion": "1.0.0", "name": "net", "type": f"{whose}macvlan", "master": UPLINK, "ipam": ipam, **keys}


def ptp(whose: str, ipam: dict[str, Any], **keys: object) -> Config:
    return {"cniVersion": "1.0.0", "name": "net", "type": f"{whose}ptp", "ipam": ipam, **keys}


PLUGINS = [pytest.param(bridge, id="bridge"), pytest.param(macvlan, id="macvlan"), pytest.param(ptp, id="ptp")]


def ask(side: Side, verb: str, config: Config, previous: Config | None = None, **environment: str) -> Answer:
    answer: Answer = side.start(lambda: side.call(verb, config, previous=previous, environment=environment)).result()
    return answer


def addresses(side: Side) -> list[str]:
    """The addresses that are reserved, of all networks."""
    return sorted(path.name for path in (side.data / "networks").glob("[!.]*/[0-9]*"))


def links(side: Side) -> set[str]:
    """What is in the pod, and on the node apart from the bridge."""
    shown = side.start(side.shown).result()
    return {*shown["node"]["links"], *shown["pod"]["links"]} - {"lo", UPLINK, "up1", "cni0"}


@pytest.mark.parametrize(("plugin", "ipam"), MIXTURES)
@pytest.mark.parametrize("config", PLUGINS)
def test_an_ipam_of_the_other_serves(mixed: Side, config: Any, plugin: str, ipam: str) -> None:
    asked = config(plugin, host_local(V4, V6, type=f"{ipam}host-local"))
    result = ask(mixed, "ADD", asked).succeeded()
    assert [ip["address"] for ip in result["ips"]] == ["10.1.2.2/24", "2001:db8:1::2/64"]
    assert addresses(mixed) == ["10.1.2.2", "2001:db8:1::2"]
    assert ask(mixed, "CHECK", asked, result).succeeded() == {}
    assert ask(mixed, "DEL", asked, result).succeeded() == {}
    assert addresses(mixed) == []
    assert links(mixed) == set()


@pytest.mark.parametrize(("plugin", "ipam"), MIXTURES)
def test_an_ipam_of_the_other_that_fails_leaves_no_link_of_ours(mixed: Side, plugin: str, ipam: str) -> None:
    asked = bridge(plugin, host_local([{"subnet": "10.1.2.1/24"}], type=f"{ipam}host-local"))
    answer = ask(mixed, "ADD", asked)
    assert answer.status == 1
    assert "host bits set" in answer.document["msg"]
    assert bool(links(mixed)) == (plugin == GO)


@pytest.mark.parametrize(("first", "second"), TURNS)
@pytest.mark.parametrize("version", ["0.2.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
@pytest.mark.parametrize("config", PLUGINS)
def test_the_other_detaches(mixed: Side, config: Any, version: str, first: str, second: str) -> None:
    ipam = host_local(V4)
    result = ask(mixed, "ADD", config(first, {**ipam, "type": f"{first}host-local"}, cniVersion=version)).succeeded()
    previous = result if version >= "0.4.0" else None
    asked = config(second, {**ipam, "type": f"{second}host-local"}, cniVersion=version)
    assert ask(mixed, "DEL", asked, previous).succeeded() == {}
    assert addresses(mixed) == []
    assert links(mixed) == set()
    assert ask(mixed, "DEL", asked, previous).succeeded() == {}


@pytest.mark.parametrize(("first", "second"), TURNS)
@pytest.mark.parametrize("version", ["0.4.0", "1.0.0", "1.1.0"])
@pytest.mark.parametrize("config", PLUGINS)
def test_the_other_checks(mixed: Side, config: Any, version: str, first: str, second: str) -> None:
    ipam = host_local(V4, V6)
    result = ask(mixed, "ADD", config(first, {**ipam, "type": f"{first}host-local"}, cniVersion=version)).succeeded()
    asked = config(second, {**ipam, "type": f"{second}host-local"}, cniVersion=version)
    assert ask(mixed, "CHECK", asked, result).succeeded() == {}
    ask(mixed, "DEL", asked, result).succeeded()
    assert ask(mixed, "CHECK", asked, result).status == 1


def test_both_give_from_one_pool(mixed: Side) -> None:
    """Round robin goes on where the other was, nobody gets what the other gave, each releases the other's."""
    ipam = host_local([{"subnet": "10.1.2.0/29"}])

    def alone(whose: str) -> Config:
        kind = f"{whose}host-local"
        return {"cniVersion": "1.0.0", "name": "net", "type": kind, "ipam": {**ipam, "type": kind}}

    def give(whose: str, container: str) -> str:
        result = ask(mixed, "ADD", alone(whose), CNI_CONTAINERID=container).succeeded()
        return str(result["ips"][0]["address"]).partition("/")[0]

    turns = [(OURS, "a"), (GO, "b"), (GO, "c"), (OURS, "d"), (GO, "e")]
    assert [give(whose, container) for whose, container in turns] == [f"10.1.2.{last}" for last in range(2, 7)]
    for whose in (OURS, GO):
        assert ask(mixed, "ADD", alone(whose), CNI_CONTAINERID="f").status == 1  # the pool is full for both
        assert ask(mixed, "ADD", alone(whose), CNI_CONTAINERID="a").status == 1  # and knows who has what
    for whose, container in ((GO, "a"), (OURS, "b"), (OURS, "e")):
        ask(mixed, "DEL", alone(whose), CNI_CONTAINERID=container).succeeded()
    assert addresses(mixed) == ["10.1.2.4", "10.1.2.5"]
    assert [give(OURS, "g"), give(GO, "h"), give(OURS, "i")] == ["10.1.2.2", "10.1.2.3", "10.1.2.6"]
    for whose, container in zip((OURS, GO) * 3, "cdghi", strict=False):
        ask(mixed, "DEL", alone(whose), CNI_CONTAINERID=container).succeeded()
    assert addresses(mixed) == []


def test_a_reservation_of_an_old_release_is_released_by_both(mixed: Side) -> None:
    """The Go host-local once wrote no interface."""
    for whose in (OURS, GO):
        kind = f"{whose}host-local"
        asked = {"cniVersion": "1.0.0", "name": "net", "type": kind, "ipam": {**host_local(V4), "type": kind}}
        directory = mixed.data / "networks" / "net"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "10.1.2.9").write_text("c0ffee")
        ask(mixed, "DEL", asked).succeeded()
        assert addresses(mixed) == []
