"""What tests of lint have in common: configurations that every plugin takes, and looking at findings."""

from __future__ import annotations

import json
from typing import Any

from cni_multus.cli.lint.api import Document, Finding, Options, lint

HOST_LOCAL = {"type": "host-local", "subnet": "10.1.0.0/24"}

PLUGINS: dict[str, dict[str, Any]] = {
    "bandwidth": {"ingressRate": 8000, "ingressBurst": 8000},
    "bridge": {"bridge": "br0", "isGateway": True, "mtu": 1400, "vlanTrunk": [{"minID": 2, "maxID": 9}, {"id": 20}]},
    "dummy": {"ipam": HOST_LOCAL},
    "firewall": {"backend": "nftables", "ingressPolicy": "same-bridge"},
    "host-device": {"device": "eth1", "force": True},
    "ipvlan": {"master": "eth0", "mode": "l3", "flag": "vepa", "ipam": HOST_LOCAL},
    "loopback": {},
    "macvlan": {"master": "eth0", "mode": "private", "mtu": 1400, "mac": "02:00:00:00:00:01", "bcqueuelen": 5},
    "portmap": {"snat": True, "markMasqBit": 3, "conditionsV4": ["-s", "10.0.0.0/8"]},
    "ptp": {"mtu": 1400, "ipMasq": True, "ipMasqBackend": "nftables", "ipam": HOST_LOCAL},
    "sbr": {"table": 100, "gateway": "10.1.0.1"},
    "tap": {"owner": 1000, "group": 1000, "multiQueue": True, "bridge": "br0"},
    "tuning": {"sysctl": {"net.ipv4.conf.IFNAME.arp_announce": "2"}, "mtu": 1400, "promisc": True, "txQLen": 5},
    "vlan": {"master": "eth0", "vlanId": 7, "ipam": HOST_LOCAL},
    "vrf": {"vrfname": "blue", "table": 100},
}

IPAMS: dict[str, dict[str, Any]] = {
    "host-local": {
        "ranges": [
            [{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.9", "rangeEnd": "10.1.0.99", "gateway": "10.1.0.1"}]
        ],
        "routes": [{"dst": "10.9.0.0/16", "gw": "10.1.0.1", "mtu": 1400, "scope": 0}],
        "exclude": ["10.1.0.16/28"],
    },
    "static": {
        "addresses": [{"address": "10.1.0.5/24", "gateway": "10.1.0.1"}],
        "routes": [{"dst": "10.9.0.0/16"}],
        "dns": {"nameservers": ["10.1.0.2"], "search": ["example.org"]},
    },
    "whereabouts": {
        "range": "10.1.0.0/24",
        "range_start": "10.1.0.9",
        "range_end": "10.1.0.99",
        "exclude": ["10.1.0.16/28"],
        "gateway": "10.1.0.1",
        "ipRanges": [{"range": "fd00::/64", "exclude": ["fd00::7"]}],
        "network_name": "blue",
        "enable_overlapping_ranges": False,
        "policy": "next",
        "cool_down": 5,
    },
}


def found(*files: tuple[str, str | bytes], options: Options | None = None) -> list[Finding]:
    """The findings of files, as (name, content)."""
    documents = [Document(name, data.encode() if isinstance(data, str) else data) for name, data in files]
    return lint(documents, options)


def errors(config: dict[str, Any], file: str = "x.conflist") -> list[Finding]:
    """The errors of one configuration."""
    return [each for each in found((file, json.dumps(config))) if each.level == "error"]


def as_list(plugin: dict[str, Any], *, behind: bool) -> dict[str, Any]:
    """A network of that plugin, behind one that makes an interface where it only changes one."""
    first = [{"type": "dummy", "ipam": HOST_LOCAL}] if behind else []
    return {"cniVersion": "1.0.0", "name": "n", "plugins": [*first, plugin]}
