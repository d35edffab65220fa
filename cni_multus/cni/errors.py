"""The one table of failures: a class per state of the world, each with its CNI code.

Codes 1-99 are the specification's (https://www.cni.dev/docs/spec/#error), 100 and up are ours.
"""

from __future__ import annotations

LONGEST = 4096
"""Characters of a message, or of its details: a value that it quotes may be as long as a configuration."""


class CniError(Exception):
    """A failure that the runtime is told about: one line of `message`, and `details` where there are any."""

    code = 999
    leftovers = False
    """Whether taking back what was done failed too, so that something is left to be removed by a DEL."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.message = _cut(message)
        self.details = _cut(details)

    def __str__(self) -> str:
        return self.message


class IncompatibleVersion(CniError):
    """The configuration's cniVersion is not one that this program, or this verb, knows."""

    code = 1


class UnsupportedField(CniError):
    """A key that means something elsewhere but cannot be honoured here."""

    code = 2


class UnknownContainer(CniError):
    """The container is unknown: the runtime need not clean anything up."""

    code = 3


class InvalidEnvironment(CniError):
    """A CNI_* variable is missing or malformed."""

    code = 4


class IoFailure(CniError):
    """A stream or a file could not be read or written."""

    code = 5


class DecodingFailure(CniError):
    """Not JSON, or JSON of another type than the field has."""

    code = 6


class InvalidNetworkConfig(CniError):
    """A value of the configuration is wrong; the message carries its JSON path."""

    code = 7


class InvalidNetns(CniError):
    """CNI_NETNS is missing, is not a network namespace, or is the one this program runs in."""

    code = 8


class TryAgainLater(CniError):
    """Nothing is wrong with the request: a lock, a pool or a peer was busy, full or away."""

    code = 11


class PoolExhausted(TryAgainLater):
    """No address of a range is free."""


class NotAvailable(CniError):
    """STATUS: an ADD would fail now."""

    code = 50


class NotAvailableAndDegraded(CniError):
    """STATUS: an ADD would fail now, and containers that are attached may be cut off."""

    code = 51


class NetlinkFailure(CniError):
    """The kernel refused; `errno` is its number, details are its own words (extended ACK)."""

    code = 100

    def __init__(self, message: str, details: str = "", errno: int = 0) -> None:
        super().__init__(message, details)
        self.errno = errno


class DelegateFailure(CniError):
    """Another plugin could not be run, or did not answer as a plugin does."""

    code = 101


class CheckFailed(CniError):
    """CHECK: what the kernel shows is not what ADD left."""

    code = 102


class ApiFailure(CniError):
    """The Kubernetes API refused."""

    code = 103


class ForeignFailure(CniError):
    """Another plugin's own error, passed on with its own code."""

    def __init__(self, code: int, message: str, details: str = "") -> None:
        super().__init__(message, details)
        self.code = code


def _cut(text: str) -> str:
    """The beginning and the end, where the reason stands."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1024]} ... {text[5 - 1024 :]}"


def note_leftovers(error: BaseException, failures: list[str]) -> None:
    """Add to `error` that taking back what had been done failed too."""
    if not failures:
        return
    left = "taking it back failed too: " + "; ".join(failures)
    if isinstance(error, CniError):
        error.leftovers = True
        error.details = f"{error.details}; {left}" if error.details else left
    else:
        error.add_note(left)
