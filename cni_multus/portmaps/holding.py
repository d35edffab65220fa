"""An attachment's ports taken, all or none, while nobody else has them; and whether it still has them."""

from __future__ import annotations

import errno

from cni_multus.cni.addressing import Ip
from cni_multus.cni.errors import IoFailure, NetlinkFailure, TryAgainLater
from cni_multus.cni.request import Attachment
from cni_multus.linux.addresses import list_addresses
from cni_multus.linux.exclusion import Exclusion
from cni_multus.linux.nftables import Changes
from cni_multus.linux.nftdata import JUMP
from cni_multus.linux.nftlists import emptied_chains, find_element, has_chain, list_elements, list_rules, push_emptied
from cni_multus.marks import chain_name, comment
from cni_multus.portmaps.hostport import HELD, NAME, ONE, TO, Hostport
from cni_multus.portmaps.release import is_there, push_release
from cni_multus.portmaps.rules import ENTRANCE, MASQUERADING, TABLE, leading, masquerading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace
    from cni_multus.linux.nftlists import Element
    from cni_multus.portmaps.rules import Way

_ATTEMPTS = 5
_MANY = 256
"""Look-ups that are worth more than reading all elements once."""


def addresses_of(host: Namespace, ports: list[Hostport]) -> list[Ip]:
    """The node's own addresses of the families of `ports`."""
    families = {port.family for port in ports}
    found = list_addresses(host, family=families.pop() if len(families) == 1 else 0)
    return list(dict.fromkeys([Ip(each.family, int.from_bytes(each.packed, "big")) for each in found]))


def take(
    host: Namespace,
    attachment: Attachment,
    ports: list[Hostport],
    ways: dict[int, Way],
    bit: int | None,
    local: list[Ip],
) -> list[Hostport]:
    """One transaction: the ports lead to the container from now on, by the way of their family.

    `bit` marks what is to be masqueraded. What an ADD that was killed has left goes; returns it.
    TryAgainLater, with nothing changed, where somebody else has one of the ports.
    """
    whose = comment(attachment)
    with Exclusion(host, NAME):
        for _ in range(_ATTEMPTS):
            _refuse_overlaps(host, whose, ports, local)
            changes = Changes(TABLE)
            push_emptied(host, TABLE, changes)
            former = push_release(host, changes, attachment)
            _push_shared(host, changes, {ways[port.family] for port in ports}, bit)
            _push(changes, attachment, ports, ways)
            try:
                changes.commit(host)
            except NetlinkFailure as failure:
                if failure.errno not in (errno.EEXIST, errno.ENOENT):
                    raise
                _refuse(whose, [(port, find_element(host, HELD, *port.place)) for port in ports])
            else:
                return former
    raise TryAgainLater(f"cannot change {TABLE}: others change it, {_ATTEMPTS} times in a row")


def _push_shared(host: Namespace, changes: Changes, ways: set[Way], bit: int | None) -> None:
    """What others may have brought about: ways, and the rule for a mark."""
    for way in ways:
        if _comments(host, way.name) == way.comments:
            continue
        if has_chain(host, HELD, way.name):
            changes.flush_chain(way.name)
        else:
            changes.add_chain(way.name)
        for expressions, why in way.rules:
            changes.add_rule(way.name, expressions, comment=why)
    if bit is not None:
        rule, mark = masquerading(bit)
        if mark not in _comments(host, MASQUERADING):
            changes.add_rule(MASQUERADING, rule, comment=mark)


def _push(changes: Changes, attachment: Attachment, ports: list[Hostport], ways: dict[int, Way]) -> None:
    chain, whose = chain_name(attachment), comment(attachment)
    changes.add_chain(chain, whose)
    for port in ports:
        name, key = port.place
        changes.add_rule(chain, comment=str(port))
        changes.add_element(name + TO, key, value=port.value)
        changes.add_element(name, key, verdict=JUMP, chain=ways[port.family].name, comment=whose)


def _refuse_overlaps(host: Namespace, whose: str, ports: list[Hostport], local: list[Ip]) -> None:
    """Raise where a port of all addresses is somebody's of a single one, or the reverse.

    That exactly the same is not somebody else's, the kernel itself sees to.
    """
    single = [port for port in ports if not port.everywhere]
    found = [(port, find_element(host, HELD, *port.place_at(Ip(port.family, 0)))) for port in single]
    for family in (4, 6):
        spread = [port for port in ports if port.everywhere and port.family == family]
        found += _singles(host, spread, [ip for ip in local if ip.family == family], ONE[family])
    _refuse(whose, found)


def _singles(
    host: Namespace, ports: list[Hostport], local: list[Ip], name: str
) -> list[tuple[Hostport, Element | None]]:
    places = [(port, port.place_at(ip)[1]) for port in ports for ip in local]
    if len(places) <= _MANY:
        return [(port, find_element(host, HELD, name, key)) for port, key in places]
    held = {element.key: element for element in list_elements(host, HELD, name)}
    return [(port, held.get(key)) for port, key in places]


def _refuse(whose: str, found: list[tuple[Hostport, Element | None]]) -> None:
    for port, element in found:
        if element is not None and element.comment != whose:
            raise TryAgainLater(
                f"runtimeConfig.portMappings: port {port.source} of the node is taken: "
                f"{_holder(element)} has {_written(port, element)}"
            )


def _holder(element: Element) -> str:
    parts = element.comment.split(":")
    if len(parts) != 4 or parts[0] != "multus":
        return element.comment or f"chain {element.chain}"
    return f"{parts[3]} of container {parts[2]} in network {parts[1]}"


def _written(port: Hostport, element: Element) -> str:
    packed = element.key[8:]
    address = Ip(port.family, int.from_bytes(packed, "big")) if packed else Ip(port.family, 0)
    return Hostport(port.protocol, address, port.port, port.target, port.target_port).source


def differences(
    host: Namespace, attachment: Attachment, ports: list[Hostport], ways: dict[int, Way], bit: int | None
) -> list[str]:
    """What is not as `take` left it."""
    own = chain_name(attachment)
    wanted = {ways[port.family].name: ways[port.family].comments for port in ports}
    wanted[own] = [str(port) for port in ports]
    changed = emptied_chains(host, TABLE)
    changed += [name for name, told in wanted.items() if _comments(host, name) != told]
    wrong = [f"chain {name} of {TABLE} is not as it was made" for name in changed]
    if bit is not None and masquerading(bit)[1] not in _comments(host, MASQUERADING):
        wrong.append(f"what is marked with bit {bit} is not masqueraded")
    for port in ports:
        name, key = port.place
        element, target = find_element(host, HELD, name, key), find_element(host, HELD, name + TO, key)
        if element is None or target is None:
            wrong.append(f"port {port.source} of the node leads nowhere")
        elif element.comment != comment(attachment):
            wrong.append(f"port {port.source} of the node leads to {_holder(element)}")
        elif (element.chain, target.value) != (ways[port.family].name, port.value):
            wrong.append(f"port {port.source} of the node leads somewhere else")
    return wrong


def why_not(host: Namespace) -> str:
    """Why nftables does not serve on this node, "" if it does; a table that was not there is not there then."""
    if is_there(host):
        return ""
    try:
        TABLE.try_out(host, _translate)
    except (NetlinkFailure, IoFailure) as failure:
        return f"nftables does not serve on this node: {failure.message}"
    return ""


def _translate(changes: Changes) -> None:
    """What addresses are translated by: ways, and the rule for a mark."""
    for family in ONE:
        for expressions, _ in leading(family):
            changes.add_rule(ENTRANCE, expressions)
    changes.add_rule(MASQUERADING, masquerading(0)[0])


def _comments(host: Namespace, chain: str) -> list[str]:
    return [rule.comment for rule in list_rules(host, HELD, chain)]
