"""ipMasq: what containers send beyond their own networks leaves the node under the node's address.

nftables does it where the kernel has it, iptables where a node has only that, or where the configuration names it.
"""

from __future__ import annotations

from cni_multus.cni.errors import InvalidNetworkConfig, UnsupportedField

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.addressing import Cidr
    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Attachment
    from cni_multus.linux.netns import Namespace
    from cni_multus.undo import Undo

AUTO, IPTABLES, NFTABLES = "auto", "iptables", "nftables"


def parse(config: Section) -> str:
    """Which backend `ipMasq` and `ipMasqBackend` ask for, "" for none."""
    if not config.flag("ipMasq"):
        return ""
    backend = config.text("ipMasqBackend") or AUTO
    if backend not in (AUTO, IPTABLES, NFTABLES):
        raise config.wrong("ipMasqBackend", f"{backend!r} is neither {IPTABLES} nor {NFTABLES}")
    return backend


def require(host: Namespace, backend: str) -> str:
    """The backend that serves, iptables or nftables; nothing is changed, and what an ADD would meet is raised."""
    if backend != IPTABLES:
        from cni_multus.masquerade.nftables import why_not

        why = why_not(host)
        if not why:
            return NFTABLES
        if backend == NFTABLES:
            raise InvalidNetworkConfig(f"ipMasqBackend: this node cannot masquerade with nftables: {why}")
    else:
        why = ""
    from cni_multus.iptables import find_program

    if find_program("iptables-restore"):
        return IPTABLES
    if backend == IPTABLES:
        raise InvalidNetworkConfig("ipMasqBackend: there is no iptables-restore on this node")
    raise UnsupportedField(f"ipMasq: this node has no iptables, and cannot masquerade with nftables: {why}")


def add(host: Namespace, attachment: Attachment, addresses: list[Cidr], backend: str, undo: Undo) -> None:
    """Masquerade what comes from `addresses` and goes beyond their networks, and is no multicast.

    Whoever else had one of the addresses has lost it, unless it is taken back.
    """
    if require(host, backend) == NFTABLES:
        from cni_multus.masquerade import nftables

        nftables.add(host, attachment, addresses, undo)
    else:
        from cni_multus.masquerade import iptables

        iptables.add(host, attachment, addresses, undo)


def remove(host: Namespace, attachment: Attachment) -> None:
    """Forget an attachment, whichever backend it was added by, also by the Go plugins."""
    from cni_multus.masquerade import nftables

    if not nftables.remove(host, attachment):
        from cni_multus.masquerade import foreign, iptables

        iptables.remove(host, attachment)
        foreign.remove(host, attachment)


def collect(host: Namespace, network: str, valid: set[tuple[str, str]]) -> None:
    """Forget the attachments of a network that are not `valid`, as (container ID, interface)."""
    from cni_multus.masquerade import iptables, nftables

    nftables.collect(host, network, valid)
    iptables.collect(host, network, valid)


def differences(host: Namespace, attachment: Attachment, addresses: list[Cidr], backend: str) -> list[str]:
    """What is not there of what `add` made; nothing where the Go plugins made it their way."""
    from cni_multus.masquerade import foreign, iptables, nftables

    if require(host, backend) == NFTABLES:
        wrong = nftables.differences(host, attachment, addresses)
    else:
        wrong = iptables.differences(host, attachment, addresses)
    return wrong if wrong and not foreign.is_foreign(host, attachment) else []
