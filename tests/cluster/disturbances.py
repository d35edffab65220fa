"""What a road does to chosen requests."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.cluster.messages import Call

Answer = tuple[int, object, "Mapping[str, str]"]


@dataclass
class Disturbance:
    """Something that happens to the next requests of one kind, once each."""

    method: str = ""
    path: str = ""
    times: int = 1
    skip: int = 0
    """How many such requests pass first."""
    before: Callable[[Call], object] | None = None
    """Done when the request has left the client and not yet reached the server."""
    delay: float = 0.0
    """Seconds, before the server sees it."""
    answer: Answer | None = None
    """Given instead of the server's, which does not see the request."""
    lose: bool = False
    """The server does it; the client sees its connection reset instead of the answer."""
    cut: bool = False
    """The connection is reset before the server sees anything."""
    truncate: int | None = None
    """How many bytes of the answer's body come, before the connection ends."""

    def wants(self, call: Call) -> bool:
        """Whether this request is one; asked once for each."""
        if self.times == 0 or not call.is_a(self.method, self.path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


def refusal(status: int, message: str = "", headers: Mapping[str, str] | None = None) -> Answer:
    """An answer as an API server gives it: a Status."""
    reason = HTTPStatus(status).phrase
    document = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message or reason,
        "reason": reason.replace(" ", ""),
        "code": status,
    }
    return status, document, headers or {}
