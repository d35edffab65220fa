"""What a case promises, held against a pod, whoever runs it and however its status came to be known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.plugins.shown import Shown

Case = dict[str, Any]

OUTSIDE = {"ipv4": "198.51.100.1", "ipv6": "2001:db8::1"}
"""Addresses to which only a default route leads."""

BRIDGE = "case0"
"""What the cases' own primary makes on a node."""


@dataclass(frozen=True)
class Seen:
    """A pod: its namespace, its network-status, and what the node's first uplink is."""

    inside: Shown
    entries: list[Case]
    uplink: Case

    def keeps(self, promised: Case) -> None:
        """Everything is as it was promised, and as the status says."""
        self._is_as_told()
        if "interfaces" in promised:
            assert self.inside.links() | {"lo"} == set(promised["interfaces"])
        for wanted in promised.get("status", []):
            self._has_entry(wanted)
        for family, device in promised.get("default_route_device", {}).items():
            assert self.inside.ip(f"route get {OUTSIDE[family]}")[0]["dev"] == device
        for rule in promised.get("rules", []):
            assert rule in self.inside.run("ip rule")
        for table, routes in promised.get("routes", {}).items():
            devices = {route.split(" dev ")[1].split()[0] for route in routes}
            shown = [route for route in self.inside.ip(f"route show table {table}") if route["dev"] in devices]
            assert sorted(map(spelled, shown)) == sorted(routes)
        for interface, addresses in promised.get("reach", {}).items():
            for address in addresses:
                assert self.inside.reaches(address, f"-I {interface}")

    def _is_as_told(self) -> None:
        """There is an entry for each interface, and it says what the kernel does."""
        assert {entry["interface"] for entry in self.entries} == self.inside.links()
        for entry in self.entries:
            link = self.inside.link(entry["interface"])
            assert (entry["mac"], entry["mtu"]) == (link["address"], link["mtu"])
            addresses = self.inside.addresses(entry["interface"])
            assert set(entry["ips"]) == {address.partition("/")[0] for address in addresses}
        assert [entry["interface"] for entry in self.entries if entry.get("default")] == ["eth0"]

    def _has_entry(self, wanted: Case) -> None:
        """One entry of network-status."""
        [entry] = [entry for entry in self.entries if entry["interface"] == wanted["interface"]]
        for key, value in wanted.items():
            if key == "mac" and value == "same-as-uplink":
                assert entry["mac"] == self.uplink["address"]
            elif value in ("any", ["any"]):
                assert entry[key]
            else:
                assert entry[key] == value


def primary_of(case: Case) -> Case:
    """The network that a case's pods have first, as a delegate; one without a name has none in the status either."""
    primary = case.get("primary", {"type": "bridge", "subnet": "10.244.0.0/24"})
    if primary["type"] == "external":
        return {"cniVersion": "1.0.0", "name": primary["name"], "type": primary["name"]}
    ipam = {"type": "host-local", "subnet": primary["subnet"]}
    return {"type": "bridge", "bridge": BRIDGE, "isDefaultGateway": True, "ipam": ipam}


def spelled(route: Case) -> str:
    """A route as the cases write it."""
    words = [route["dst"]]
    for word, key in (("via", "gateway"), ("dev", "dev"), ("src", "prefsrc")):
        words += [word, route[key]] if key in route else []
    return " ".join(words)
