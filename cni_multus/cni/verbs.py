"""What every plugin answers to: the specification's verbs as methods."""

from __future__ import annotations

from cni_multus.cni.errors import InvalidEnvironment
from cni_multus.cni.versions import SUPPORTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.errors import CniError
    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Result


class Plugin:
    """A plugin: `add` and `delete` are its work; CHECK, STATUS and GC find nothing to do unless it says so."""

    versions: tuple[str, ...] = SUPPORTED
    """The cniVersions it speaks."""
    gives_addresses = False
    """Whether it may stand at `ipam.type`."""

    def add(self, request: Request) -> Result:
        """Attach, and tell what was made; raises CniError with everything taken back."""
        raise InvalidEnvironment(f"{type(self).__name__} has no ADD")

    def delete(self, request: Request) -> None:
        """Detach; succeeds where nothing is left, and does all it can before it raises."""
        raise InvalidEnvironment(f"{type(self).__name__} has no DEL")

    def check(self, request: Request) -> None:
        """Raise CheckFailed where the kernel no longer shows what `add` left."""

    def status(self, request: Request) -> None:
        """Raise NotAvailable where an `add` would fail now."""

    def collect_garbage(self, request: Request) -> None:
        """Remove what belongs to no attachment of `request.valid_attachments()`."""

    def told(self, request: Request, error: CniError | None) -> None:
        """Do what can wait until the runtime has its answer, be it an `error`: it is out, and nothing changes it."""
