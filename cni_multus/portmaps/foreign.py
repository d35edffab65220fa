"""What the Go portmap made for a container: a DEL here takes it away, since it would go on leading packets nowhere.

With nftables its rules have the container's ID for a comment, with iptables a container has a chain for each network.
"""

from __future__ import annotations

from cni_multus.hashes import digest
from cni_multus.iptables import change, may_have, read_rules
from cni_multus.linux.exclusion import Exclusion
from cni_multus.linux.nftables import Changes, Table
from cni_multus.linux.nftlists import list_rules
from cni_multus.portmaps.hostport import NAME
from cni_multus.portmaps.release import is_there

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Attachment
    from cni_multus.linux.netns import Namespace

_FAMILIES = {4: 2, 6: 10}
"""nftables' tables of IPv4 alone, and of IPv6 alone."""

_TABLE, _CHAINS = "cni_hostport", ("hostports", "hostip_hostports", "masquerading")
_IPTABLES_TABLE, _ENTRANCE = "nat", "CNI-HOSTPORT-DNAT"


def remove(host: Namespace, attachment: Attachment) -> None:
    """Remove the rules and chains that the Go portmap made for the attachment's container."""
    chain = f"CNI-DN-{digest(attachment.network + attachment.container_id, 21)}"
    for family, number in _FAMILIES.items():
        table = Table(number, _TABLE)
        if is_there(host, table):
            _remove_rules(host, table, attachment.container_id)
        if may_have(host, family, _IPTABLES_TABLE, chain):
            with Exclusion(host, NAME):
                _remove_chain(host, family, chain)


def _remove_rules(host: Namespace, table: Table, container_id: str) -> None:
    changes = Changes(table)
    for chain in _CHAINS:
        for rule in list_rules(host, table, chain):
            if rule.comment == container_id:
                changes.remove_rule(chain, rule.handle)
    changes.commit(host)


def _remove_chain(host: Namespace, family: int, chain: str) -> None:
    rules = read_rules(host, family, _IPTABLES_TABLE)
    if all(chain not in (rule.chain, rule.option("-j")) for rule in rules):
        return
    lines = [f"-D {_ENTRANCE} {rule.text}" for rule in rules if rule.option("-j") == chain]
    attempt = f"cannot remove chain {chain}"
    change(host, family, _IPTABLES_TABLE, [*lines, f"-F {chain}", f"-X {chain}"], attempt)
