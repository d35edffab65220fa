"""Every plugin by itself, one process for each verb, against the Go plugin of its type.

A chained one gets the result of what comes before it in its list, which is not measured. Kinds of links that this
kernel cannot make are left out, and named.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from bench.measure import compare
from bench.row import Bench, Row
from bench.runtime import VERSION, bridge, host_local
from bench.world import UPLINK, entered

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measure import Round
    from bench.runtime import Config, Runtime

DEVICE = "spare0"
"""The node's device that host-device moves."""

WANTED = {"ipvlan": "ipvlan", "vlan": "vlan", "dummy": "dummy", "vrf": "vrf"}
"""Plugins and the kind of link that the kernel must know for them."""

KINDS: dict[str, dict[str, object]] = {
    "ipvlan": {"link": UPLINK},
    "vlan": {"link": UPLINK, "vlan_id": 7},
    "dummy": {},
    "vrf": {"vrf_table": 10},
}


def measure(bench: Bench) -> list[Row]:
    for side in (bench.ours, bench.reference):
        with entered(side.world.node), IPRoute() as kernel:
            kernel.link("add", ifname=DEVICE, kind="veth", peer="spare1")
    rows = []
    for name, chain in chains().items():
        if name in WANTED and not knows(bench.ours, WANTED[name]):
            print(f"bench: {name} is left out: this kernel makes no links of kind {WANTED[name]}", file=sys.stderr)
            continue
        sides = {"ours": turn(bench.ours, chain), "reference": turn(bench.reference, chain)}
        measured = compare(sides, bench.runs, bench.warmups)
        rows += [
            Row(f"{name} {verb}", measured["ours"][verb], measured["reference"][verb])
            for verb in ("ADD", "CHECK", "DEL")
        ]
    return rows


def chains() -> dict[str, Callable[[Runtime], list[Config]]]:
    """What to measure: by its title, a list of which the last plugin is measured."""
    return {
        "bridge": lambda side: [bridge(side)],
        "bridge, ipMasq": lambda side: [{**bridge(side), "ipMasq": True}],
        "bridge, macspoofchk": lambda side: [{**bridge(side), "macspoofchk": True}],
        "macvlan": lambda side: [alone(side, "macvlan", master=UPLINK)],
        "ipvlan": lambda side: [alone(side, "ipvlan", master=UPLINK)],
        "vlan": lambda side: [alone(side, "vlan", master=UPLINK, vlanId=7)],
        "ptp": lambda side: [alone(side, "ptp")],
        "host-device": lambda side: [alone(side, "host-device", device=DEVICE)],
        "dummy": lambda side: [alone(side, "dummy")],
        "tap": lambda side: [alone(side, "tap")],
        "sbr": after_bridge("sbr"),
        "tuning": after_bridge("tuning", sysctl={"net.ipv4.conf.IFNAME.arp_filter": "1"}, mtu=1400),
        "portmap": after_bridge("portmap", runtimeConfig={"portMappings": [PORT]}),
        "bandwidth": after_bridge("bandwidth", **RATES),
        "firewall": after_bridge("firewall"),
        "vrf": after_bridge("vrf", vrfname="blue"),
    }  # fmt: skip


RATES = {"ingressRate": 8_000_000, "ingressBurst": 800_000, "egressRate": 8_000_000, "egressBurst": 800_000}
PORT = {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}


def alone(side: Runtime, kind: str, **keys: object) -> Config:
    """A plugin with an address."""
    ipam = host_local(side, "10.30.0.0/16")
    return {"cniVersion": VERSION, "name": f"bench-{kind}", "type": kind, **keys, "ipam": ipam}


def after_bridge(kind: str, **keys: object) -> Callable[[Runtime], list[Config]]:
    """A plugin that follows the pod's bridge, in the same network."""
    return lambda side: [bridge(side), {"cniVersion": VERSION, "name": "primary", "type": kind, **keys}]


def knows(side: Runtime, kind: str) -> bool:
    """Whether the kernel makes links of a kind; the one that shows it is removed."""
    keys = dict(KINDS[kind])
    with entered(side.world.node), IPRoute() as kernel:
        if "link" in keys:
            keys["link"] = kernel.link_lookup(ifname=UPLINK)[0]
        try:
            kernel.link("add", ifname="probe", kind=kind, **keys)
        except NetlinkError:
            return False
        kernel.link("del", ifname="probe")
    return True


def turn(side: Runtime, chain: Callable[[Runtime], list[Config]]) -> Callable[[], Round]:
    """One attachment from ADD to DEL; the costs are the last plugin's."""

    def attach_and_detach() -> Round:
        *before, measured = chain(side)
        results: list[Config] = []
        for config in before:
            results.append(side.add({**config, **told(results)})[1])
        added, result = side.add({**measured, **told(results)})
        checked = side.check(measured, result)
        deleted = side.delete(measured, result)
        for config in reversed(before):
            side.delete(config, result)
        return {"ADD": added, "CHECK": checked, "DEL": deleted}

    return attach_and_detach


def told(results: list[Config]) -> dict[str, Config]:
    """What a runtime passes on to the next plugin."""
    return {"prevResult": results[-1]} if results else {}
