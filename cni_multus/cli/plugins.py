"""`multus plugins`: the plugin types that this program is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.command import Command
from cni_multus.registry import IPAM, MODULES

if TYPE_CHECKING:
    import argparse

PURPOSES = {
    "bandwidth": "limits for what an interface that is there sends and gets",
    "bridge": "a veth pair to a bridge of the node",
    "dummy": "a link that leads nowhere",
    "firewall": "the pod's packets pass the node's filters; bridges kept apart",
    "host-device": "a device of the node, moved into the pod",
    "host-local": "addresses from ranges, reserved in files of the node",
    "ipvlan": "a link with the MAC of the node's link that it stands on",
    "loopback": "lo, up",
    "macvlan": "a link with a MAC of its own over a link of the node",
    "multus": "several networks for one pod",
    "portmap": "ports of the node that lead to the pod",
    "ptp": "a veth pair to the node, which routes",
    "sbr": "what comes from an address of the interface leaves by it",
    "static": "the addresses that the configuration names",
    "tap": "a TAP device, for a virtual machine",
    "tuning": "kernel settings, MAC, MTU and modes of an interface that is there",
    "vlan": "one VLAN of a link of the node",
    "vrf": "a routing table that only the interfaces in it use",
    "whereabouts": "addresses that a node, or a whole cluster, gives once",
}

_CHAINED = ("bandwidth", "firewall", "portmap", "sbr", "tuning", "vrf")


class Plugins(Command):
    """One line for each type; any other type is a program in CNI_PATH."""

    name = "plugins"
    summary = "list the plugin types that are built in"

    def run(self, arguments: argparse.Namespace) -> int:
        print(f"{'TYPE':<12} {'KIND':<10} PURPOSE")
        for kind in sorted(MODULES):
            print(f"{kind:<12} {_role(kind):<10} {PURPOSES[kind]}")
        return 0


def _role(kind: str) -> str:
    if kind in IPAM:
        return "ipam"
    if kind in _CHAINED:
        return "chained"
    return "meta" if kind == "multus" else "interface"
