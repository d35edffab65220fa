"""A plugin that gives addresses."""

from __future__ import annotations

from cni_multus.cni.verbs import Plugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Result


class IpamPlugin(Plugin):
    """A plugin that gives addresses; it sees no namespace."""

    def add(self, request: Request) -> Result:
        return self.reserve(request, request.config.section("ipam"))

    def delete(self, request: Request) -> None:
        self.release(request, request.config.section("ipam"))

    def check(self, request: Request) -> None:
        self.verify(request, request.config.section("ipam"))

    def reserve(self, request: Request, ipam: Section) -> Result:
        """Reserve, all addresses or none."""
        raise NotImplementedError

    def release(self, request: Request, ipam: Section) -> None:
        """Give back what the attachment has; succeeds where it has nothing."""
        raise NotImplementedError

    def verify(self, request: Request, ipam: Section) -> None:
        """Raise CheckFailed where `request.previous` has an address that is not reserved for the attachment."""
        raise NotImplementedError
