"""What talking to the API server can end in: a class per state of the world; it knows nothing of connections."""

from __future__ import annotations

from cni_multus.cni.errors import ApiFailure, CniError, TryAgainLater


class Unavailable(TryAgainLater):
    """No usable answer; `ambiguous`: what was to be changed may have been changed all the same.

    `retry_after`: the seconds that the server wants to be left alone.
    """

    def __init__(self, message: str, details: str = "", *, ambiguous: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(message, details)
        self.ambiguous = ambiguous
        self.retry_after = retry_after


class Unreachable(Unavailable):
    """Nobody listens there, there is no way there, or the name is not known; nothing was sent."""


class TimedOut(Unavailable):
    """No answer within the time of an attempt, or of the request."""


class Lost(Unavailable):
    """The connection broke, or the answer ended before its end."""


class Busy(Unavailable):
    """The server had too much to do (429), each time; nothing was changed."""


class ServerFailed(Unavailable):
    """The server could not do it now (500, 502, 503, 504), each time."""


class BadAnswer(ApiFailure):
    """Not an answer that an API server gives; `ambiguous` as with `Unavailable`."""

    def __init__(self, message: str, details: str = "", *, ambiguous: bool = False) -> None:
        super().__init__(message, details)
        self.ambiguous = ambiguous


class NotTrusted(ApiFailure):
    """The server's certificate is not one that the credentials vouch for, or TLS could not be agreed on."""


class Report:
    """What a refusal says of itself: the status, and what its body says where that is a `Status` object."""

    __slots__ = ("causes", "continue_at", "kind", "name", "reason", "said", "status")

    def __init__(self, status: int) -> None:
        self.status = status
        self.reason = ""
        self.said = ""
        """The server's own words, shortened."""
        self.kind = ""
        self.name = ""
        """The object that it is about."""
        self.causes: tuple[str, ...] = ()
        self.continue_at = ""
        """Where a list that expired may go on."""


class Reported(CniError):
    """What a server said itself; the class beside it says what that is to the runtime."""

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report
        self.status = report.status
        self.reason = report.reason
        self.kind = report.kind
        self.name = report.name
        self.said = report.said


class Refused(Reported, ApiFailure):
    """The server understood, and does not do it."""


class NotFound(Refused):
    """The object that `kind` and `name` name is not there."""


class NotServed(Refused):
    """The server does not know the path at all: the kind is not installed, or this is no API server."""


class AlreadyExists(Refused):
    """An object of that name is there."""


class Unprocessable(Refused):
    """The object would not be valid, or (`test_failed`) it is not as the patch expects; nothing was changed."""

    @property
    def test_failed(self) -> bool:
        """Whether an operation of a JSON patch found something else, or nothing, in its place."""
        if not (self.report.causes or self.name or self.said.startswith("admission webhook")):
            return True  # the server says no more than 422: validation names the object and its members
        return any(word in cause for cause in self.report.causes for word in _PATCH_FAILED)


_PATCH_FAILED = ("test failed", "testing value", "testing path", "missing path", "missing value", "missing key")
"""Of the library that applies them in the API server (evanphx/json-patch)."""


class Forbidden(Refused):
    """The account may not do it."""


class Unauthorized(Refused):
    """The server does not know the account, also after the credentials were read again."""


class NotRenewed(Reported, TryAgainLater):
    """The server does not know the account, and nobody has written another token for as long as one was waited for."""


class TooLarge(Refused):
    """The object would have more bytes than the server, or its store, takes; nothing was changed."""


class Conflict(Reported, TryAgainLater):
    """The object is not the one that was meant, or was changed by others all the time; nothing was changed."""


class Expired(Conflict):
    """A list took longer than the server remembers (410)."""
