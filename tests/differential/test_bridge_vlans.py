"""bridge: VLANs as both sides make them, on a kernel that knows them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.differential.configs import V4, V6, host_local
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.differential.pair import Pair
    from tests.differential.side import Config, Side

pytestmark = pytest.mark.vm

NATIVE = ["Egress Untagged", "PVID"]
TRUNK = [{"id": 101}, {"minID": 200, "maxID": 203}, {"id": 150, "minID": 110, "maxID": 111}]

CASES: dict[str, dict[str, Any]] = {
    "a VLAN": {"vlan": 100},
    "the bridge's own VLAN beside it": {"vlan": 100, "preserveDefaultVlan": True},
    "a trunk": {"vlanTrunk": TRUNK},
    "a trunk with a native VLAN": {"vlan": 100, "vlanTrunk": TRUNK},
    "a trunk with the bridge's own VLAN": {"vlanTrunk": [{"minID": 1, "maxID": 3}], "preserveDefaultVlan": True},
    "a trunk that has its native VLAN": {"vlan": 100, "vlanTrunk": [{"minID": 99, "maxID": 101}]},
    "an empty trunk": {"vlanTrunk": []},
    "a gateway": {"vlan": 100, "isDefaultGateway": True, "ipam": host_local(V4, V6)},
    "a gateway beside the bridge's own VLAN": {
        "vlan": 100,
        "isGateway": True,
        "preserveDefaultVlan": True,
        "ipam": host_local(V4),
    },
}

INTENDED: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "a trunk that has its native VLAN": (
        "the native VLAN stays native: the reference's port drops every frame without tag",
        {"port": {"100": (NATIVE, [])}},
    ),
    "a gateway beside the bridge's own VLAN": (
        "a gateway is in its VLAN alone, whoever comes with another one",
        {"gateway's port": {"1": (None, ["Egress Untagged"])}},
    ),
}


@pytest.mark.parametrize(("name", "keys"), CASES.items(), ids=CASES)
def test_the_same_vlans(pair: Pair, name: str, keys: dict[str, Any]) -> None:
    config = {"cniVersion": "1.0.0", "name": "net", "type": "bridge", **keys}
    results = [answer.succeeded() for answer in pair.call("ADD", config)]
    ours, theirs = (made(side, result) for side, result in zip((pair.ours, pair.theirs), results, strict=True))
    for where, differences in INTENDED.get(name, ("", {}))[1].items():
        for vlan, (mine, other) in differences.items():
            assert (ours[where].pop(vlan, None), theirs[where].pop(vlan, None)) == (mine, other)
    assert ours == theirs
    for side, result in zip((pair.ours, pair.theirs), results, strict=True):
        side.start(lambda side, known: side.call("DEL", config, previous=known).succeeded(), side, result).result()
    assert links(pair.ours) == {"cni0"}
    # What the gateway of a VLAN is of the reference's stays when the last pod is gone.
    assert links(pair.theirs) == {"cni0", *(["cni0.100", "veth"] if "ipam" in keys else [])}


def made(side: Side, result: Config) -> dict[str, Any]:
    """The result's names, the bridge's switch, who is in which VLAN, and what the gateway's link has."""
    shown = Shown(side.node)
    interfaces = [each["name"] for each in result["interfaces"]]
    vlans = {
        each["ifname"]: {str(vlan): sorted(entry.get("flags", ())) for entry in each["vlans"] for vlan in spread(entry)}
        for each in json.loads(shown.run("bridge -j vlan show"))
    }
    found: dict[str, Any] = {
        "names": [interfaces[0], *interfaces[2:]],
        "filtering": shown.link("cni0")["linkinfo"]["info_data"]["vlan_filtering"],
        "bridge": vlans["cni0"],
        "port": vlans[interfaces[1]],
        "routes": result.get("routes", []) and [route["dst"] for route in result["routes"]],
    }
    if len(interfaces) > 3:
        gateway = shown.link(interfaces[3])
        found["gateway"] = [gateway["linkinfo"]["info_kind"], "UP" in gateway["flags"], gateway["mtu"]]
        found["gateway's port"] = vlans[gateway["link"]]
        found["addresses"] = shown.addresses(interfaces[3])
    return found


def spread(entry: dict[str, int]) -> range:
    return range(entry["vlan"], entry.get("vlanEnd", entry["vlan"]) + 1)


def links(side: Side) -> set[str]:
    """The node's links, the random ones by what they start with."""
    names = Shown(side.node).links() - {"up0", "up1"}
    return {"veth" if name.startswith("veth") else name for name in names}


def test_a_bridge_that_mixes_vlans(pair: Pair) -> None:
    """BUG of the reference: it takes the bridge as it is, and its pods are in no VLAN at all."""
    first = {"cniVersion": "1.0.0", "name": "net", "type": "bridge"}
    for answer in pair.call("ADD", first, environment={"CNI_CONTAINERID": "first", "CNI_IFNAME": "eth1"}):
        answer.succeeded()
    ours, theirs = pair.call("ADD", {**first, "vlan": 100})
    assert ours.status == 1
    assert ours.document["code"] == 7
    assert theirs.status == 0
    switched = Shown(pair.theirs.node).link("cni0")["linkinfo"]["info_data"]["vlan_filtering"]
    assert switched == 0
