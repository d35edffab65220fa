"""The engine that needs nothing but this node: leases in files, under a lock."""

from __future__ import annotations

from cni_multus.cni.errors import CniError
from cni_multus.state.leases.change import Change
from cni_multus.state.leases.store import Store
from ipam.whereabouts.engine import Engine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.addressing import Cidr
    from cni_multus.cni.request import Attachment
    from cni_multus.state.leases.clock import Clock
    from cni_multus.state.leases.lease import Holder
    from ipam.whereabouts.config import WhereaboutsConfig

_AT_ONCE = 64
"""How many attachments GC gives back before it lets others have the lock."""


class NodeEngine(Engine):
    """Addresses kept in files below `data_dir`; who gives back needs no configuration."""

    def __init__(self, data_dir: str, clock: Clock | None = None) -> None:
        self.store = Store(data_dir, clock)

    def acquire(self, config: WhereaboutsConfig, holder: Holder) -> list[Cidr]:
        from ipam.whereabouts.taking import acquire  # DEL needs neither ranges nor policies

        return acquire(self.store, config, holder)

    def release(self, attachment: Attachment) -> bool:
        if self.store.key_of(attachment) is None:
            return False
        attempt = f"cannot give back the addresses of network {attachment.network}"
        with Change(self.store, attempt, giving_back=True) as change:
            return change.give_back(attachment)

    def verify(self, config: WhereaboutsConfig, holder: Holder, addresses: list[Cidr]) -> list[str]:
        from ipam.whereabouts.verifying import differences

        return differences(self.store, config, holder, addresses)

    def collect(self, network: str, is_valid: Callable[[Attachment], bool]) -> None:
        failures: list[CniError] = []
        garbage = [attachment for attachment, _ in self.store.attachments(network) if not is_valid(attachment)]
        attempt = f"cannot collect the garbage of network {network}"
        for at in range(0, len(garbage), _AT_ONCE):
            with Change(self.store, attempt, giving_back=True) as change:
                for attachment in garbage[at : at + _AT_ONCE]:
                    try:
                        change.give_back(attachment)
                    except CniError as failure:
                        failures.append(failure)
        if failures:
            raise failures[0]

    def why_not_available(self, config: WhereaboutsConfig) -> str:
        from ipam.whereabouts.shortage import why_not_available

        return why_not_available(self.store, config)
