"""An attachment's ports taken, all or none, while nobody else has them; and whether it still has them."""

from __future__ import annotations

import errno

from cni_multus.cni.addressing import Ip
from cni_multus.cni.errors import NetlinkFailure, NotAvailable, TryAgainLater
from cni_multus.cni.request import Attachment
from cni_multus.linux.addresses import list_addresses
from cni_multus.linux.exclusion import Exclusion
from cni_multus.linux.nftables import JUMP, Changes
from cni_multus.linux.nftlists import find_element, list_elements, list_rules
from cni_multus.marks import chain_name, comment
from cni_multus.portmaps.hostport import HELD, NAME, ONE, Hostport
from cni_multus.portmaps.release import push_release
from cni_multus.portmaps.rules import FIXED, MASQUERADING, TABLE, masquerading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace
    from cni_multus.linux.nftlists import Element

Rules = list[tuple[bytes, str]]

_ATTEMPTS = 5
_MANY = 256
"""Look-ups that are worth more than reading all elements once."""


def addresses_of(host: Namespace, ports: list[Hostport]) -> list[Ip]:
    """The node's own addresses of the families of `ports`."""
    families = {port.family for port in ports}
    found = list_addresses(host, family=families.pop() if len(families) == 1 else 0)
    return list(dict.fromkeys([Ip(each.family, int.from_bytes(each.packed, "big")) for each in found]))


def take(
    host: Namespace, attachment: Attachment, ports: list[Hostport], rules: Rules, bit: int | None, local: list[Ip]
) -> list[Hostport]:
    """One transaction: the attachment's chain with `rules`, and its ports, which lead there from now on.

    `bit` marks what is to be masqueraded. What an ADD that was killed has left goes; returns it.
    TryAgainLater, with nothing changed, where somebody else has one of the ports.
    """
    chain, whose = chain_name(attachment), comment(attachment)
    with Exclusion(host, NAME):
        for _ in range(_ATTEMPTS):
            _refuse_overlaps(host, chain, ports, local)
            changes = Changes(TABLE)
            freed = push_release(host, changes, chain)
            _push(host, changes, chain, whose, ports, rules, bit)
            try:
                changes.commit(host)
            except NetlinkFailure as failure:
                if failure.errno not in (errno.EEXIST, errno.ENOENT):
                    raise
                _refuse_taken(host, chain, ports)
            else:
                return freed
    raise TryAgainLater(f"cannot change {TABLE}: others change it, {_ATTEMPTS} times in a row")


def _push(
    host: Namespace, changes: Changes, chain: str, whose: str, ports: list[Hostport], rules: Rules, bit: int | None
) -> None:
    if bit is not None:
        rule, mark = masquerading(bit)
        if mark not in [rule.comment for rule in list_rules(host, HELD, MASQUERADING)]:
            changes.add_rule(MASQUERADING, rule, comment=mark)
    changes.add_chain(chain, whose)
    for expressions, why in rules:
        changes.add_rule(chain, expressions, comment=why)
    for port in ports:
        changes.add_element(*port.place, verdict=JUMP, chain=chain, comment=whose)


def _refuse_overlaps(host: Namespace, chain: str, ports: list[Hostport], local: list[Ip]) -> None:
    """Raise where a port of all addresses is somebody's of a single one, or the reverse.

    That exactly the same is not somebody else's, the kernel itself sees to.
    """
    single = [port for port in ports if not port.everywhere]
    found = [(port, find_element(host, HELD, *port.place_at(Ip(port.family, 0)))) for port in single]
    for family in (4, 6):
        spread = [port for port in ports if port.everywhere and port.family == family]
        found += _singles(host, spread, [ip for ip in local if ip.family == family], ONE[family])
    _refuse(chain, found)


def _singles(
    host: Namespace, ports: list[Hostport], local: list[Ip], name: str
) -> list[tuple[Hostport, Element | None]]:
    places = [(port, port.place_at(ip)[1]) for port in ports for ip in local]
    if len(places) <= _MANY:
        return [(port, find_element(host, HELD, name, key)) for port, key in places]
    held = {element.key: element for element in list_elements(host, HELD, name)}
    return [(port, held.get(key)) for port, key in places]


def _refuse_taken(host: Namespace, chain: str, ports: list[Hostport]) -> None:
    _refuse(chain, [(port, find_element(host, HELD, *port.place)) for port in ports])


def _refuse(chain: str, found: list[tuple[Hostport, Element | None]]) -> None:
    for port, element in found:
        if element is not None and element.chain != chain:
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
    host: Namespace, attachment: Attachment, ports: list[Hostport], rules: Rules, bit: int | None
) -> list[str]:
    """What is not as `take` left it."""
    wrong = [
        f"chain {name} of {TABLE} is not as it was made" for name, count in FIXED.items() if _count(host, name) < count
    ]
    if bit is not None and masquerading(bit)[1] not in [rule.comment for rule in list_rules(host, HELD, MASQUERADING)]:
        wrong.append(f"what is marked with bit {bit} is not masqueraded")
    chain = chain_name(attachment)
    if [rule.comment for rule in list_rules(host, HELD, chain)] != [why for _, why in rules]:
        wrong.append(f"chain {chain} of {TABLE} is not as it was made")
    for port in ports:
        element = find_element(host, HELD, *port.place)
        if element is None:
            wrong.append(f"port {port.source} of the node leads nowhere")
        elif element.chain != chain:
            wrong.append(f"port {port.source} of the node leads to {_holder(element)}")
    return wrong


def require_nftables(host: Namespace) -> None:
    """Raise NotAvailable where the kernel lacks what the table is made of; one that was not there is not there then."""
    try:
        if not TABLE.exists(host):
            trial = Changes(TABLE)
            trial.remove_table()
            trial.commit(host)
    except NetlinkFailure as failure:
        raise NotAvailable(f"nftables does not serve on this node: {failure.message}", failure.details) from failure


def _count(host: Namespace, chain: str) -> int:
    return len(list_rules(host, HELD, chain))
