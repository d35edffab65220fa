"""ipMasq as the Go plugins have made it: known, so that their attachments pass CHECK, and are detached cleanly.

With nftables, rules whose comments begin with hashes of the network, and of interface and container; with iptables, a
chain whose name is a hash of network and container.
"""

from __future__ import annotations

from cni_multus.hashes import digest
from cni_multus.iptables import may_have, read_rules
from cni_multus.linux.nftables import INET, Changes, Table
from cni_multus.linux.nftlists import list_rules
from cni_multus.masquerade.iptables import FAMILIES, OF_OTHERS, TABLE, remove_chain
from cni_multus.masquerade.nftables import is_there

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Attachment
    from cni_multus.linux.netns import Namespace

_NFTABLES = Table(INET, "cni_plugins_masquerade")
_RULES = "masq_checks"


def is_foreign(host: Namespace, attachment: Attachment) -> bool:
    """Whether the Go plugins masquerade an attachment."""
    if _handles(host, attachment):
        return True
    chain = _chain(attachment)
    families = [family for family in FAMILIES if may_have(host, family, TABLE, chain)]
    return any(rule.chain == chain for family in families for rule in read_rules(host, family, TABLE))


def remove(host: Namespace, attachment: Attachment) -> None:
    """Remove what the Go plugins have for an attachment; of iptables, for its container."""
    changes = Changes(_NFTABLES)
    for handle in _handles(host, attachment):
        changes.remove_rule(_RULES, handle)
    changes.commit(host)
    remove_chain(host, _chain(attachment))


def _chain(attachment: Attachment) -> str:
    return OF_OTHERS + digest(attachment.network + attachment.container_id, 24)


def _handles(host: Namespace, attachment: Attachment) -> list[int]:
    if not is_there(host, _NFTABLES):
        return []
    start = f"{digest(attachment.network, 16)}-{digest(f'{attachment.ifname}:{attachment.container_id}', 16)}"
    return [rule.handle for rule in list_rules(host, _NFTABLES, _RULES) if rule.comment.startswith(start)]
