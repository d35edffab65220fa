"""A plugin that changes what an earlier one of its list made."""

from __future__ import annotations

from cni_multus.cni.errors import InvalidNetworkConfig
from cni_multus.cni.verbs import Plugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Result


class ChainedPlugin(Plugin):
    """A plugin that changes what an earlier one of the list made: sbr, tuning, portmap."""

    def add(self, request: Request) -> Result:
        if request.previous is None:
            raise InvalidNetworkConfig("prevResult: this plugin must follow another one in a list")
        request.previous.to_json(request.version)  # raises, before anything is changed, where it cannot be told
        return self.apply(request, request.previous)

    def delete(self, request: Request) -> None:
        self.revert(request)

    def apply(self, request: Request, previous: Result) -> Result:
        """Change the attachment, and return its result as it is then."""
        raise NotImplementedError

    def revert(self, request: Request) -> None:
        """Take it back, with or without namespace and prevResult."""
        raise NotImplementedError
