"""Our own nftables rules: addresses that may be forwarded, and bridges whose containers are kept apart.

    table inet multus_firewall      chain admin is the operator's; pods4, pods6: whose traffic is accepted here
    table bridge multus_firewall    ports of isolated containers, which no other port of their bridge reaches

ACCEPT here does not overrule another table's DROP: `firewalld` and `iptables` are there for that.
"""

from __future__ import annotations

import struct

from cni_multus.linux import expressions as say
from cni_multus.linux.nftables import BRIDGE, FORWARD, INET, Changes, Table
from cni_multus.linux.nftdata import ACCEPT, DROP, IFNAME, IPV4_ADDR, IPV6_ADDR, JUMP
from cni_multus.linux.nftlists import emptied_chains, find_element, list_elements, push_emptied
from cni_multus.marks import comment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.addressing import Ip
    from cni_multus.cni.request import Attachment
    from cni_multus.linux.netns import Namespace
    from cni_multus.linux.nftlists import Element

ADMIN = "admin"
"""The chain that operators may fill: it is asked first, and never emptied."""

_FILTER = 0
_PODS = {4: "pods4", 6: "pods6"}
_ISOLATED = "isolated"


def _lay_out(changes: Changes) -> None:
    changes.add_set(_PODS[4], IPV4_ADDR)
    changes.add_set(_PODS[6], IPV6_ADDR)
    changes.add_set("guarded", IFNAME)
    changes.add_set("within", IFNAME, IFNAME)
    changes.add_chain(ADMIN, "yours: asked before our own rules")
    changes.add_base_chain("forward", "filter", FORWARD, _FILTER)
    changes.add_rule("forward", say.verdict(JUMP, ADMIN))
    changes.add_rule(
        "forward",
        say.load_meta(say.META_IIFNAME) + say.look_up("guarded"),
        say.load_meta(say.META_OIFNAME) + say.look_up("guarded"),
        say.load_meta(say.META_IIFNAME) + say.load_meta(say.META_OIFNAME, 4) + say.look_up("within", absent=True),
        say.verdict(DROP),
        comment="ingressPolicy: not from one guarded bridge to another",
    )
    replies = struct.pack("=I", say.STATE_ESTABLISHED | say.STATE_RELATED)
    for family, pods in _PODS.items():
        is_reply = say.load_ct(say.CT_STATE) + say.mask(replies) + say.compare(bytes(4), say.NOT_EQUAL)
        to_pod = say.of_family(family) + say.load_daddr(family) + say.look_up(pods)
        from_pod = say.of_family(family) + say.load_saddr(family) + say.look_up(pods)
        changes.add_rule("forward", is_reply, to_pod, say.verdict(ACCEPT))
        changes.add_rule("forward", from_pod, say.verdict(ACCEPT))


def _lay_out_ports(changes: Changes) -> None:
    changes.add_set(_ISOLATED, IFNAME)
    changes.add_base_chain("forward", "filter", FORWARD, _FILTER)
    for direction in (say.META_IIFNAME, say.META_OIFNAME):
        isolated = say.load_meta(direction) + say.look_up(_ISOLATED)
        changes.add_rule("forward", isolated, say.verdict(DROP), comment="ingressPolicy: isolated")


TABLE = Table(INET, "multus_firewall", _lay_out)
PORTS = Table(BRIDGE, "multus_firewall", _lay_out_ports)


def allow(host: Namespace, attachment: Attachment, ips: list[Ip]) -> None:
    """Accept what is forwarded from the addresses, and what answers them; another owner's elements become ours."""
    changes = Changes(TABLE)
    push_emptied(host, TABLE, changes)
    for ip in ips:
        found = find_element(host, TABLE, _PODS[ip.family], ip.packed)
        if found is not None and found.comment == comment(attachment):
            continue
        if found is not None:
            changes.remove_element(_PODS[ip.family], ip.packed)
        changes.add_element(_PODS[ip.family], ip.packed, comment=comment(attachment))
    changes.commit(host)


def revoke(host: Namespace, attachment: Attachment, ips: list[Ip]) -> None:
    """Forget the addresses that are still the attachment's."""
    changes = Changes(TABLE)
    for ip in ips:
        found = find_element(host, TABLE, _PODS[ip.family], ip.packed)
        if found is not None and found.comment == comment(attachment):
            changes.remove_element(_PODS[ip.family], ip.packed)
    changes.commit(host)


def forget(host: Namespace, unwanted: Callable[[str], bool]) -> None:
    """Remove the addresses and ports whose comments are `unwanted`, whatever else is known of them."""
    for table, names in ((TABLE, tuple(_PODS.values())), (PORTS, (_ISOLATED,))):
        changes = Changes(table)
        for name in names:
            for element in list_elements(host, table, name):
                if unwanted(element.comment):
                    changes.remove_element(name, element.key)
        changes.commit(host)


def not_allowed(host: Namespace, attachment: Attachment, ips: list[Ip]) -> list[str]:
    """What is missing of `allow`."""
    wrong = _emptied(host, TABLE)
    for ip in ips:
        found = find_element(host, TABLE, _PODS[ip.family], ip.packed)
        if found is None or found.comment != comment(attachment):
            wrong.append(f"{ip} is not in set {_PODS[ip.family]} of {TABLE}")
    return wrong


def isolate(host: Namespace, attachment: Attachment, port: str) -> None:
    """Let no frame pass between a port and the others of its bridge; the node itself still reaches it."""
    changes = Changes(PORTS)
    push_emptied(host, PORTS, changes)
    if _is_isolated(host, port) is None:
        changes.add_element(_ISOLATED, _name(port), comment=comment(attachment))
    changes.commit(host)


def join(host: Namespace, port: str) -> None:
    """Take `isolate` back, if it is there."""
    if _is_isolated(host, port) is not None:
        changes = Changes(PORTS)
        changes.remove_element(_ISOLATED, _name(port))
        changes.commit(host)


def not_isolated(host: Namespace, port: str) -> list[str]:
    """What is missing of `isolate`."""
    wrong = _emptied(host, PORTS)
    return wrong if _is_isolated(host, port) else [*wrong, f"port {port} is not in set isolated of {PORTS}"]


def guard(host: Namespace, bridge: str, policies: set[str]) -> None:
    """Enforce on a bridge the strictest of the `policies` (same-bridge, isolated) that its attachments ask for."""
    changes = Changes(TABLE)
    if policies:
        push_emptied(host, TABLE, changes)
    for name, key, wanted in _guards(bridge, policies):
        is_there = find_element(host, TABLE, name, key) is not None
        if wanted and not is_there:
            changes.add_element(name, key)
        if is_there and not wanted:
            changes.remove_element(name, key)
    changes.commit(host)


def not_guarded(host: Namespace, bridge: str, policies: set[str]) -> list[str]:
    """What is not as `guard` left it."""
    return _emptied(host, TABLE) + [
        f"bridge {bridge} is {'not ' if wanted else ''}in set {name} of {TABLE}"
        for name, key, wanted in _guards(bridge, policies)
        if wanted != (find_element(host, TABLE, name, key) is not None)
    ]


def guarded_bridges(host: Namespace) -> set[str]:
    """Every bridge that some policy is enforced on."""
    elements = list_elements(host, TABLE, "guarded")
    return {element.key.rstrip(b"\0").decode("utf-8", "surrogateescape") for element in elements}


def _guards(bridge: str, policies: set[str]) -> tuple[tuple[str, bytes, bool], ...]:
    """Set, key, and whether it must be there; through the node's routes an isolated bridge's do not meet either."""
    key = _name(bridge)
    return (
        ("within", key + key, bool(policies) and "isolated" not in policies),
        ("guarded", key, bool(policies)),
    )


def _emptied(host: Namespace, table: Table) -> list[str]:
    return [f"chain {chain} of {table} is not as it was made" for chain in emptied_chains(host, table)]


def _is_isolated(host: Namespace, port: str) -> Element | None:
    return find_element(host, PORTS, _ISOLATED, _name(port))


def _name(link: str) -> bytes:
    return link.encode("utf-8", "surrogateescape").ljust(16, b"\0")
