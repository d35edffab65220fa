"""A plugin that gives addresses."""

from __future__ import annotations

from cni_multus.cni.errors import InvalidEnvironment
from cni_multus.cni.verbs import Plugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Result

    T = TypeVar("T")


class IpamPlugin(Plugin):
    """A plugin that gives addresses; it sees no namespace."""

    gives_addresses = True

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


def listed_argument(request: Request, key: str) -> list[str]:
    """The members of a list with commas in CNI_ARGS."""
    return [text.strip() for text in request.arguments.get(key, "").split(",") if text.strip()]


def parse_argument(request: Request, key: str, parse: Callable[[str], T]) -> list[T]:
    """The same, each of them read; raises InvalidEnvironment where one cannot be."""
    try:
        return [parse(text) for text in listed_argument(request, key)]
    except ValueError as error:
        raise InvalidEnvironment(f"CNI_ARGS: {key}: {error}") from None
