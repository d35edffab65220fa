"""Why the Go Multus could not take an attachment of ours apart, by the Go plugins alone: what they do not know of.

Links go with any program, and so do addresses whose files or objects both have. What stays behind are things on the
node that have our names: rules of nftables, records of devices on loan, addresses of a store that only we have.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cni_multus.cni.errors import CniError
from cni_multus.cni.request import Attachment
from cni_multus.multus.plan import Planned, recorded
from cni_multus.node.links import target
from cni_multus.node.program import CURRENT_PROGRAM
from cni_multus.node.root import resolved
from cni_multus.registry import MODULES
from cni_multus.state.datadir import data_dir_if_any
from cni_multus.state.leases.store import Store
from ipam.whereabouts.engine import DATA_DIR as LEASES

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.config import Section
    from cni_multus.state.journal import Record

_KEPT = {
    "ipMasq": "the rules of ipMasq",
    "macspoofchk": "the rules of macspoofchk",
    "mappings": "the ports of the node that lead to it",
    "limits": "the limits of bandwidth",
    "rules": "the rules that let it through",
    "device": "the record of what the device was on the node",
    "gateway": "the gateway of the VLAN",
}


def why_not(record: Record, root: str, bin_dir: str) -> list[str]:
    """What of a sandbox only this program can take apart, or nobody who would be asked; empty if nothing is."""
    pairs, errors = recorded(record)
    found = [error.message for error in errors]
    for planned, _ in pairs:
        who = f"{record.key}: {planned.ifname} of network {planned.name}"
        try:
            found += [f"{who}: {why}" for why in _of_network(planned, record, root, bin_dir)]
        except CniError as error:
            found.append(f"{who}: {error.message}")
    return found


def _of_network(planned: Planned, record: Record, root: str, bin_dir: str) -> list[str]:
    found = []
    for plugin in planned.network.plugins:
        kind, ipam = plugin.text("type"), plugin.section("ipam")
        names = [name for name in (kind, ipam.text("type")) if name]
        found += [f"{bin_dir} has no program {name} but ours" for name in names if not _is_there(root, bin_dir, name)]
        if kind in MODULES and (what := _leaves(plugin, planned.capabilities)):
            found.append(f"only this program knows {_KEPT[what]} ({kind})")
        if ipam.text("type") == "whereabouts":
            place = resolved(root, data_dir_if_any(ipam, LEASES))
            if Store(place).key_of(Attachment(planned.name, record.container_id, planned.ifname)):
                found.append("only this program knows where its addresses are kept (whereabouts, datastore: node)")
    return found


def _is_there(root: str, bin_dir: str, name: str) -> bool:
    """Whether a program has the name that is not a link of ours: those go."""
    path = os.path.join(resolved(root, bin_dir), name)
    return os.path.exists(path) and target(path) != CURRENT_PROGRAM


def _leaves(plugin: Section, capabilities: Section) -> str:
    """What our plugin has made outside of the pod that the Go plugin would not remove, as a key of `_KEPT`."""
    look = LOOKS.get(plugin.text("type"))
    return look(plugin, capabilities) if look else ""


def _of_bridge(plugin: Section, capabilities: Section) -> str:
    is_gateway = plugin.flag("isGateway") or plugin.flag("isDefaultGateway")
    if is_gateway and plugin.has("vlan") and plugin.value("vlan"):
        return "gateway"
    return "macspoofchk" if plugin.flag("macspoofchk") else _of_ptp(plugin, capabilities)


def _of_ptp(plugin: Section, _: Section) -> str:
    return "ipMasq" if plugin.flag("ipMasq") else ""


def _of_portmap(_: Section, capabilities: Section) -> str:
    return "mappings" if capabilities.value("portMappings") else ""


def _of_bandwidth(plugin: Section, capabilities: Section) -> str:
    asked = [*map(plugin.value, ("ingressRate", "egressRate")), capabilities.value("bandwidth")]
    return "limits" if any(asked) else ""


LOOKS: dict[str, Callable[[Section, Section], str]] = {
    "bandwidth": _of_bandwidth,
    "bridge": _of_bridge,
    "firewall": lambda *_: "rules",
    "host-device": lambda *_: "device",
    "portmap": _of_portmap,
    "ptp": _of_ptp,
}
"""Plugins of ours, and what to look for in a configuration."""
