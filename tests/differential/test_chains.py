"""Lists of plugins, ours and theirs mixed, below the meta-plugin; and a Go program as a pod's primary network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.differential.configs import V4, host_local
from tests.differential.side import UPLINK
from tests.differential.test_interworking import addresses, ask, bridge, links, macvlan

if TYPE_CHECKING:
    from tests.differential.side import Config, Side

OTHER = [{"subnet": "10.2.0.0/24"}]
THIRD = [{"subnet": "10.3.0.0/24"}]


def multus(*delegates: object) -> Config:
    return {
        "cniVersion": "1.0.0",
        "name": "multus-cni-network",
        "type": "multus",
        "cniDir": "DATA/multus",
        "binDir": "DATA/bin",
        "delegates": list(delegates),
    }


def chain(*plugins: dict[str, Any]) -> Config:
    """A list of plugins as a delegate."""
    members = [{key: value for key, value in plugin.items() if key not in ("cniVersion", "name")} for plugin in plugins]
    return {"cniVersion": "1.0.0", "name": "net", "plugins": members}


def tuning(whose: str, setting: str = "log_martians") -> dict[str, Any]:
    return {
        "type": f"{whose}tuning",
        "dataDir": "DATA/tuning",
        "mtu": 1400,
        "sysctl": {f"net.ipv4.conf.IFNAME.{setting}": "1"},
    }


@pytest.mark.parametrize("whose", ["", "go-"])
@pytest.mark.parametrize("first", [bridge, macvlan])
def test_a_list_with_tuning_and_sbr(mixed: Side, first: Any, whose: str) -> None:
    ipam = host_local(V4, type=f"{whose}host-local", routes=[{"dst": "0.0.0.0/0"}])
    asked = multus(
        chain(first(whose, ipam, isDefaultGateway=False, isGateway=True), tuning(whose), {"type": f"{whose}sbr"})
    )
    result = ask(mixed, "ADD", asked).succeeded()
    assert result["ips"][0]["address"] == "10.1.2.2/24"
    pod = mixed.start(mixed.shown).result()["pod"]
    assert pod["links"]["eth0"]["IFLA_MTU"] == 1400
    assert [route for route in pod["routes"] if route.startswith("IPv4 default/0 dev eth0 table 100")]
    assert not [route for route in pod["routes"] if route.startswith("IPv4") and "table 254" in route]
    if not whose:  # the Go plugins look into the main table alone, which sbr has emptied
        assert ask(mixed, "CHECK", asked, result).succeeded() == {}
    assert ask(mixed, "DEL", asked, result).succeeded() == {}
    assert addresses(mixed) == []
    assert links(mixed) == set()


def test_a_go_program_as_primary_and_ours_beside_it(mixed: Side) -> None:
    networks = [
        bridge("go-", host_local(V4), name="primary"),
        macvlan("", host_local(OTHER), name="second"),
        macvlan("go-", host_local(THIRD, type="go-host-local"), name="third"),
    ]
    asked = multus(*networks)
    result = ask(mixed, "ADD", asked).succeeded()
    assert [interface["name"] for interface in result["interfaces"] if "sandbox" in interface] == ["eth0"]
    assert {"eth0", "net1", "net2"} <= links(mixed)
    assert addresses(mixed) == ["10.1.2.2", "10.2.0.2", "10.3.0.2"]
    assert ask(mixed, "CHECK", asked, result).succeeded() == {}
    assert ask(mixed, "DEL", asked, result).succeeded() == {}
    assert addresses(mixed) == []
    assert links(mixed) == set()


def test_a_go_program_that_fails_takes_the_others_with_it(mixed: Side) -> None:
    asked = multus(
        bridge("", host_local(V4), name="primary"),
        macvlan("go-", host_local(OTHER, type="go-host-local"), name="second", mtu=9000),
        macvlan("", host_local(THIRD), name="third"),
    )
    answer = ask(mixed, "ADD", asked)
    assert answer.status == 1
    assert "MTU" in answer.document["msg"]
    assert addresses(mixed) == []
    assert links(mixed) == set()


def test_a_list_of_theirs_that_fails_at_its_end(mixed: Side) -> None:
    refused = tuning("go-", "nonexistent")
    asked = multus(chain(macvlan("go-", host_local(V4, type="go-host-local"), master=UPLINK), refused))
    answer = ask(mixed, "ADD", asked)
    assert answer.status == 1
    assert "nonexistent" in answer.document["msg"]
    assert addresses(mixed) == []
    assert links(mixed) == set()
