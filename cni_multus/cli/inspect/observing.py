"""What is seen of one attachment: its link, what that stands on, and all that the node has for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.inspect import kernel
from cni_multus.cli.inspect.attachment import Observed, Set, ipam_of, network_name, plugins_of
from cni_multus.cli.inspect.compare import compare
from cni_multus.cli.inspect.notes import Note, note
from cni_multus.cli.inspect.owners import owned
from cni_multus.cli.inspect.records import JOURNAL
from cni_multus.cni.errors import CniError
from cni_multus.linux.addresses import written as address_text
from cni_multus.linux.bridgevlans import PVID
from cni_multus.linux.bridgevlans import written as written_vlans
from cni_multus.linux.routes import RT_TABLE_MAIN
from cni_multus.linux.settings import parse_settings, same_value
from cni_multus.marks import label

if TYPE_CHECKING:
    from cni_multus.cli.inspect.gather import Node
    from cni_multus.cli.inspect.kernel import Space
    from cni_multus.cli.inspect.policy import Policy
    from cni_multus.cli.inspect.records import Known
    from cni_multus.linux.links import Link
    from cni_multus.state.journal import Attachment


def observe(node: Node, known: Known, attachment: Attachment, space: Space | None, *, primary: bool) -> Observed:
    """Everything of one attachment; `space` is None where its namespace could not be read."""
    types = [text for plugin in plugins_of(attachment) if isinstance(text := plugin.raw.get("type"), str)]
    network = attachment.label or network_name(attachment)
    one = Observed(known, attachment, network, types, primary)
    one.filters = node.filters.of(one.key)
    _look_up_owners(node, one)
    if space is not None:
        _see(node, one, space)
        _see_settings(one, space)
        one.wrong += compare(one, space, node.host)
    one.wrong += [each.wrong for each in one.owned if each.wrong]
    one.wrong += [each.difference for each in one.settings if each.wrong]
    return one


def _look_up_owners(node: Node, one: Observed) -> None:
    ips = [ip.address.ip for ip in one.result.ips] if one.result else []
    if ips:
        found = owned(node.site, one.key, ipam_of(one.attachment), ips)
        # Others' programs may have had the addresses from elsewhere.
        one.owned = found if one.known.origin == JOURNAL else [each for each in found if not each.wrong]


def _see(node: Node, one: Observed, space: Space) -> None:
    link = one.link = space.named(one.ifname)
    if link is None:
        return
    one.addresses = space.addresses.get(link.index, [])
    one.routes = space.routes.get(link.index, [])
    one.queueing = [(link.name, each) for each in space.queueing.get(link.index, []) if not each.usual]
    one.policies = _policies(one, space)
    one.port = _node_end(node, one, link)
    one.master = _below(node, one, link, space)
    related = [one.port] if one.port else []
    related += [
        each for each in node.aliases.get(label(one.key), []) if one.port is None or each.index != one.port.index
    ]
    for each in related:
        found = node.host.queueing.get(each.index, [])
        one.queueing += [(f"node:{each.name}", queueing) for queueing in found if not queueing.usual]


def _policies(one: Observed, space: Space) -> list[Policy]:
    """The rules that look at the interface or at one of its addresses, or lead to a table with a route by it."""
    addresses = {address_text(address.packed) for address in one.addresses}
    tables = {route.table for route in one.routes} - {RT_TABLE_MAIN}
    return [
        each
        for each in space.policies
        if one.ifname in (each.iif, each.oif) or each.source in addresses or each.table in tables
    ]


def _node_end(node: Node, one: Observed, link: Link) -> Link | None:
    """The other end of a veth pair, if it is on the node: an index may be another link's there."""
    if link.kind != "veth" or link.parent_nsid is None:
        return None
    port = node.host.links.get(link.parent)
    if port is None or port.kind != "veth" or port.parent != link.index:
        return None
    return port if port.alias in ("", label(one.key)) or not port.alias.startswith("multus:") else None


def _below(node: Node, one: Observed, link: Link, space: Space) -> str:
    host = node.host
    if one.port is not None:
        bridge = host.links.get(one.port.master)
        if bridge is None:
            return ""
        one.vlans = _vlans(host.vlans.get(one.port.index, {})) if bridge.data.get("vlan_filtering") else ""
        return bridge.name
    if link.kind == "veth" or not link.parent:
        return link.parent_device
    if link.parent_nsid is None:
        inside = space.links.get(link.parent)
        return f"{inside.name} (in the pod)" if inside else f"link {link.parent} (in the pod)"
    below = host.links.get(link.parent)
    return below.name if below else f"link {link.parent}"


def _vlans(found: dict[int, int]) -> str:
    """VLANs of a port: the untagged one first, then the others."""
    native = next((vlan for vlan, flags in found.items() if flags & PVID), 0)
    tagged = written_vlans(vlan for vlan in found if vlan != native)
    return ", ".join(filter(None, [str(native) if native else "", f"tagged {tagged}" if tagged else ""]))


def _see_settings(one: Observed, space: Space) -> None:
    """What the network's tuning has set, and what the kernel has now."""
    wanted = []
    for plugin in plugins_of(one.attachment):
        if plugin.raw.get("type") != "tuning":
            continue
        try:
            asked = plugin.section("args").section("cni").section("sysctl")
            wanted += parse_settings(plugin.section("sysctl"), asked, one.ifname)
        except CniError as error:
            space.notes.append(Note(space.path, f"{one.network}: {error.message}"))
    if not wanted:
        return
    try:
        found = kernel.settings(space.path, [each.name for each in wanted])
    except CniError as error:
        space.notes.append(note(space.path, error))
        return
    for each in wanted:
        value = found.get(each.name)
        if value is None:  # gone, or one that the kernel never shows
            one.settings.append(Set(each.key, each.name, each.value, None, each.name not in found))
        else:
            one.settings.append(Set(each.key, each.name, each.value, value, not same_value(value, each.value)))
