"""Which engine serves: the node's files or the API; and for those who only know an attachment, either of them."""

from __future__ import annotations

from cni_multus.cni.errors import CniError, InvalidNetworkConfig
from cni_multus.state.files import is_directory
from ipam.whereabouts.onnode import NodeEngine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cni_multus.cni.request import Attachment
    from ipam.whereabouts.cluster.engine import ClusterEngine
    from ipam.whereabouts.config import WhereaboutsConfig
    from ipam.whereabouts.engine import Engine


def engine_for(config: WhereaboutsConfig, environment: Mapping[str, str]) -> Engine:
    """The engine that `config` asks for."""
    if config.cluster is None:
        return NodeEngine(config.data_dir)
    from ipam.whereabouts.cluster.engine import ClusterEngine

    return ClusterEngine(config.data_dir, environment)


def refuse_silent_switch(config: WhereaboutsConfig) -> None:
    """Raise where pods of the network have addresses in the other store: those could be given twice.

    A flat file that is not there, or has come, changes the store of a network unasked.
    """
    if config.datastore_told:
        return
    if config.cluster is None:
        if not _has_journal(config.data_dir):
            return
        from ipam.whereabouts.cluster.journal import Journal

        used, other, cause = Journal(config.data_dir).has_records(config.network), "the API", "no kubeconfig is named"
    else:
        from cni_multus.state.leases.store import Store

        used, other, cause = Store(config.data_dir).has_attachments(config.network), "files", "a kubeconfig is named"
    if used:
        raise InvalidNetworkConfig(
            f"ipam.datastore: network {config.network} has addresses on this node from {other}, but {cause} now",
            'the flat file may have gone or come; "datastore" in the network\'s own configuration says what is meant',
        )


def cluster_engine_if_used(data_dir: str, environment: Mapping[str, str]) -> ClusterEngine | None:
    """The API's engine where this node has ever asked the API for an address; it needs no configuration."""
    if not _has_journal(data_dir):
        return None
    from ipam.whereabouts.cluster.engine import ClusterEngine

    return ClusterEngine(data_dir, environment)


def release(
    attachment: Attachment,
    data_dir: str,
    environment: Mapping[str, str],
    parse: Callable[[], WhereaboutsConfig],
) -> None:
    """Give back whatever the attachment has, in either store; `parse` is asked only where no record tells."""
    found = NodeEngine(data_dir).release(attachment)
    engine = cluster_engine_if_used(data_dir, environment)
    if engine is not None:
        found = engine.release(attachment) or found
    if found:
        return
    try:
        config = parse()
    except CniError:
        return  # an ADD was refused with it, by whichever program
    if config.cluster is not None:
        from ipam.whereabouts.cluster.engine import ClusterEngine

        ClusterEngine(data_dir, environment).release_unknown(config, attachment)


def _has_journal(data_dir: str) -> bool:
    return is_directory(f"{data_dir}/journal")
