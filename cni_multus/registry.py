"""Plugin type to the class that serves it, as strings: imported on demand, read by build.spec and by a test."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.verbs import Plugin

PLUGINS = {
    "bandwidth": "plugins.bandwidth:Bandwidth",
    "bridge": "plugins.bridge:Bridge",
    "dummy": "plugins.dummy:Dummy",
    "firewall": "plugins.firewall:Firewall",
    "host-device": "plugins.host_device:HostDevice",
    "ipvlan": "plugins.ipvlan:Ipvlan",
    "loopback": "plugins.loopback:Loopback",
    "macvlan": "plugins.macvlan:Macvlan",
    "multus": "cni_multus.multus.verbs:Multus",
    "portmap": "plugins.portmap:Portmap",
    "ptp": "plugins.ptp:Ptp",
    "sbr": "plugins.sbr:Sbr",
    "tap": "plugins.tap:Tap",
    "tuning": "plugins.tuning:Tuning",
    "vlan": "plugins.vlan:Vlan",
    "vrf": "plugins.vrf:Vrf",
}

IPAM = {
    "host-local": "ipam.host_local.plugin:HostLocal",
    "static": "ipam.static:Static",
    "whereabouts": "ipam.whereabouts.plugin:Whereabouts",
}

MODULES = {**PLUGINS, **IPAM}


def load(kind: str) -> Plugin | None:
    """The plugin of type `kind`, None where it is not one of ours."""
    where = MODULES.get(kind)
    if where is None:
        return None
    module, _, name = where.partition(":")
    found = getattr(__import__(module, fromlist=[name]), name)
    plugin: Plugin = found()
    return plugin
