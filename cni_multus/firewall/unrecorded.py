"""What the firewall has of attachments that are on no record, or on one that cannot be read: found by its comments."""

from __future__ import annotations

from cni_multus.cni.request import Attachment
from cni_multus.firewall import forwarding, rules
from cni_multus.marks import comment, label, labels_start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.addressing import Ip
    from cni_multus.linux.netns import Namespace


def forget(host: Namespace, attachment: Attachment, ips: list[Ip]) -> None:
    """Remove what is an attachment's, and what the Go plugin made for its addresses."""
    whose = comment(attachment)
    rules.forget(host, lambda said: said == whose)
    forwarding.revoke_unrecorded(host, attachment, ips)


def collect(host: Namespace, network: str, valid: set[tuple[str, str]]) -> None:
    """Remove what is a network's, and of none of its `valid` attachments, as (container ID, interface)."""
    start = labels_start(network)
    told = {mark(Attachment(network, *each)) for each in valid for mark in (comment, label)}

    def is_stale(said: str) -> bool:
        return said.startswith(start) and said not in told

    rules.forget(host, is_stale)
    forwarding.collect(host, is_stale)
