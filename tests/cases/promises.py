"""What a case promises, held against a pod, whoever runs it and however its status came to be known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.plugins.shown import Shown

Case = dict[str, Any]

OUTSIDE = {"ipv4": "198.51.100.1", "ipv6": "2001:db8::1"}
"""Addresses to which only a default route leads."""


@dataclass(frozen=True)
class Seen:
    """A pod: its namespace, its network-status, and what the node's first uplink is."""

    inside: Shown
    entries: list[Case]
    uplink: Case
    namespaced: bool = True
    """Whether the names in the status have the namespaces of their definitions."""

    def keeps(self, promised: Case) -> None:
        """Everything is as it was promised."""
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

    def _has_entry(self, wanted: Case) -> None:
        """One entry of network-status."""
        [entry] = [entry for entry in self.entries if entry["interface"] == wanted["interface"]]
        for key, value in wanted.items():
            if key == "name":
                # That of the case's primary tells nothing where it has none.
                assert not value or entry["name"] == (value if self.namespaced else value.rpartition("/")[2])
            elif key == "mac" and value == "same-as-uplink":
                assert entry["mac"] == self.uplink["address"]
            elif key == "mac":
                assert entry["mac"] == self._mac(entry["interface"])
            elif value == ["any"]:
                assert entry[key]
            else:
                assert entry[key] == value

    def _mac(self, interface: str) -> str:
        """That of an interface; of one that a foreign plugin only told of, what it told."""
        return str(self.inside.link(interface)["address"]) if interface in self.inside.links() else FOREIGN_MAC


FOREIGN_MAC = "02:00:00:00:00:01"


def spelled(route: Case) -> str:
    """A route as the cases write it."""
    words = [route["dst"]]
    for word, key in (("via", "gateway"), ("dev", "dev"), ("src", "prefsrc")):
        words += [word, route[key]] if key in route else []
    return " ".join(words)
