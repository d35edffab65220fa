"""An attachment's ports given back, whatever is known of it: the comments in its chain tell which."""

from __future__ import annotations

import errno

from cni_multus.cni.errors import IoFailure, NetlinkFailure, TryAgainLater
from cni_multus.cni.request import Attachment
from cni_multus.linux.exclusion import Exclusion
from cni_multus.linux.nftables import Changes
from cni_multus.linux.nftlists import find_element, has_chain, list_chains, list_elements, list_rules
from cni_multus.marks import chain_name, comment, labels_start
from cni_multus.portmaps.hostport import ANY, HELD, NAME, ONE, TO, WAY, Hostport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cni_multus.linux.netns import Namespace
    from cni_multus.linux.nftables import Table

_ATTEMPTS = 5
_UNKNOWN = (errno.EINVAL, errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)
"""How a kernel says that it does not know nftables."""

_CHANGED = (errno.ENOENT, errno.EBUSY)
"""How the kernel says that somebody else removed a part meanwhile, or goes by a way that nobody went."""


def is_there(host: Namespace, table: Table = HELD) -> bool:
    """Whether there is the table; there is none in a kernel that does not know nftables."""
    try:
        return table.exists(host)
    except (NetlinkFailure, IoFailure) as failure:
        cause = failure.__cause__
        code = failure.errno if isinstance(failure, NetlinkFailure) else getattr(cause, "errno", 0)
        if code not in _UNKNOWN:
            raise
        return False


def push_release(host: Namespace, changes: Changes, attachment: Attachment) -> list[Hostport]:
    """Push the removal of an attachment's chain and of its ports; returns them, none where there is no such chain."""
    chain, whose = chain_name(attachment), comment(attachment)
    if not has_chain(host, HELD, chain):
        return []
    ports = _told(host, chain)
    if not ports:
        return _push_all(host, changes, {chain: whose})
    for port in ports:
        name, key = port.place
        element = find_element(host, HELD, name, key)
        if element is not None and element.comment == whose:
            changes.remove_element(name, key)
            changes.remove_element(name + TO, key)
    changes.remove_chain(chain)
    return ports


def release(host: Namespace, attachment: Attachment) -> list[Hostport]:
    """Remove an attachment's ports in one transaction; returns them."""
    if not is_there(host):
        return []
    return _in_turn(host, lambda changes: push_release(host, changes, attachment))


def collect(host: Namespace, network: str, valid: set[tuple[str, str]]) -> list[Hostport]:
    """Remove the ports of a network's attachments that are not valid, in one transaction; returns them."""
    if not is_there(host):
        return []
    told = {comment(Attachment(network, *each)) for each in valid}
    start = labels_start(network)

    def push(changes: Changes) -> list[Hostport]:
        chains = list_chains(host, HELD)
        stale = {name: whose for name, whose in chains.items() if whose.startswith(start) and whose not in told}
        return _push_all(host, changes, stale, [name for name in chains if name.startswith(WAY)])

    return _in_turn(host, push)


def _in_turn(host: Namespace, push: Callable[[Changes], list[Hostport]]) -> list[Hostport]:
    with Exclusion(host, NAME):
        for _ in range(_ATTEMPTS):
            changes = Changes(HELD)
            ports = push(changes)
            try:
                changes.commit(host)
            except NetlinkFailure as failure:
                if failure.errno not in _CHANGED:
                    raise
            else:
                return ports
    raise TryAgainLater(f"cannot change {HELD}: others change it, {_ATTEMPTS} times in a row")


def _push_all(host: Namespace, changes: Changes, chains: dict[str, str], ways: Iterable[str] = ()) -> list[Hostport]:
    """The same for several, whatever they tell of their ports: every key is looked at. Ways that nobody goes go too."""
    owners = set(chains.values())
    used = set()
    for name in (*ANY.values(), *ONE.values()):
        targets = {element.key for element in list_elements(host, HELD, name + TO)}
        for element in list_elements(host, HELD, name):
            if element.comment not in owners:
                used.add(element.chain)
                continue
            changes.remove_element(name, element.key)
            if element.key in targets:
                changes.remove_element(name + TO, element.key)
    ports = [port for chain in sorted(chains) for port in _told(host, chain)]
    for chain in (*sorted(chains), *(way for way in ways if way not in used)):
        changes.remove_chain(chain)
    return ports


def _told(host: Namespace, chain: str) -> list[Hostport]:
    return [port for rule in list_rules(host, HELD, chain) if (port := Hostport.parse(rule.comment))]
