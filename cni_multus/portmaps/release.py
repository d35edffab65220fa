"""An attachment's ports given back, whatever is known of it: its chain's comments tell what leads there."""

from __future__ import annotations

import errno

from cni_multus.cni.errors import NetlinkFailure, TryAgainLater
from cni_multus.cni.request import Attachment
from cni_multus.linux.exclusion import Exclusion
from cni_multus.linux.nftables import Changes
from cni_multus.linux.nftlists import find_element, has_chain, list_chains, list_elements, list_rules
from cni_multus.marks import comment, labels_start
from cni_multus.portmaps.hostport import ANY, HELD, NAME, ONE, Hostport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.linux.netns import Namespace

_ATTEMPTS = 5


def push_release(host: Namespace, changes: Changes, chain: str) -> list[Hostport]:
    """Push the removal of a chain, and of what leads there; returns the ports, none where there is no such chain."""
    if not has_chain(host, HELD, chain):
        return []
    ports = _told(host, chain)
    if not ports:
        return _push_all(host, changes, {chain})
    for port in ports:
        element = find_element(host, HELD, *port.place)
        if element is not None and element.chain == chain:
            changes.remove_element(*port.place)
    changes.remove_chain(chain)
    return ports


def release(host: Namespace, chain: str) -> list[Hostport]:
    """Remove a chain, and what leads there, in one transaction; returns the ports."""
    return _in_turn(host, lambda changes: push_release(host, changes, chain))


def collect(host: Namespace, network: str, valid: set[tuple[str, str]]) -> list[Hostport]:
    """Remove the chains of a network's attachments that are not valid, in one transaction; returns their ports."""
    told = {comment(Attachment(network, *each)) for each in valid}
    start = labels_start(network)

    def push(changes: Changes) -> list[Hostport]:
        chains = list_chains(host, HELD).items()
        return _push_all(host, changes, {name for name, of in chains if of.startswith(start) and of not in told})

    return _in_turn(host, push)


def _in_turn(host: Namespace, push: Callable[[Changes], list[Hostport]]) -> list[Hostport]:
    with Exclusion(host, NAME):
        for _ in range(_ATTEMPTS):
            changes = Changes(HELD)
            ports = push(changes)
            try:
                changes.commit(host)
            except NetlinkFailure as failure:
                if failure.errno != errno.ENOENT:
                    raise
            else:
                return ports
    raise TryAgainLater(f"cannot change {HELD}: others change it, {_ATTEMPTS} times in a row")


def _push_all(host: Namespace, changes: Changes, chains: set[str]) -> list[Hostport]:
    """The same for several, whatever their comments say: every key is looked at."""
    for name in (*ANY.values(), *ONE.values()) if chains else ():
        for element in list_elements(host, HELD, name):
            if element.chain in chains:
                changes.remove_element(name, element.key)
    ports = [port for chain in sorted(chains) for port in _told(host, chain)]
    for chain in sorted(chains):
        changes.remove_chain(chain)
    return ports


def _told(host: Namespace, chain: str) -> list[Hostport]:
    return [port for rule in list_rules(host, HELD, chain) if (port := Hostport.parse(rule.comment))]
