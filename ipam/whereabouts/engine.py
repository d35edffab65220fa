"""What keeps the addresses: the same questions to the files of one node, and to the Kubernetes API."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.addressing import Cidr
    from cni_multus.cni.request import Attachment
    from cni_multus.state.leases.lease import Holder
    from ipam.whereabouts.config import WhereaboutsConfig

DATA_DIR = "/var/lib/cni/whereabouts"
"""Where leases, and the journal of what the API server was asked for, are kept: it outlives the boot."""


class Engine:
    """Addresses, each to one holder at a time.

    What cannot be had now (a full pool, an address that somebody has, an API server that is away) is TryAgainLater.
    """

    def acquire(self, config: WhereaboutsConfig, holder: Holder) -> list[Cidr]:
        """One address of every pool of `config`, in their order, all of them or none.

        A holder that has addresses of these pools gets the same again; from now on they are its present container's.
        """
        raise NotImplementedError

    def release(self, attachment: Attachment) -> bool:
        """Give back what the attachment has; False where nothing is known of it."""
        raise NotImplementedError

    def verify(self, config: WhereaboutsConfig, holder: Holder, addresses: list[Cidr]) -> list[str]:
        """What is wrong with the belief that `holder` has `addresses`, a sentence each."""
        raise NotImplementedError

    def collect(self, network: str, is_valid: Callable[[Attachment], bool]) -> None:
        """Give back what attachments of `network` that are not valid have; all that can be, then the first failure."""
        raise NotImplementedError

    def why_not_available(self, config: WhereaboutsConfig) -> str:
        """Why an `acquire` would fail now, "" where it would not; changes nothing."""
        raise NotImplementedError
