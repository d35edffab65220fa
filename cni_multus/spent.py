"""What the time of a request went into, for the log and for nothing else.

Each thread has its own account, as it serves one request at a time; one that works for another hands over what it
spent.
"""

from __future__ import annotations

import time
from _thread import _local

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from cni_multus.cni.request import Request

    T = TypeVar("T")

API, PROGRAMS, WAITING, IPAM = "api", "programs", "waiting", "ipam"
"""No second counts twice: IPAM is what it does itself, without what it waits for."""


class _Account(_local):
    """A thread's."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys((API, PROGRAMS, WAITING, IPAM), 0.0)
        self.interfaces: dict[str, float] = {}


_account = _Account()


def note(what: str, begun: float) -> None:
    """Add the time since `begun`, of the monotonic clock."""
    _account.seconds[what] += time.monotonic() - begun


def add(seconds: dict[str, float]) -> None:
    """Add what another thread spent for this one: what runs side by side is added up."""
    for what, more in seconds.items():
        _account.seconds[what] += more


def so_far() -> dict[str, float]:
    """The seconds of each."""
    return dict(_account.seconds)


def in_ipam(work: Callable[[Request], T], request: Request) -> T:
    """What IPAM's `work` returns; the time is put down to IPAM."""
    seconds = _account.seconds
    begun, before = time.monotonic(), sum(seconds.values())
    try:
        return work(request)
    finally:
        seconds[IPAM] += max(0.0, time.monotonic() - begun - (sum(seconds.values()) - before))


def begin() -> dict[str, float]:
    """A request begins: nothing is known of its interfaces yet; the seconds of each so far."""
    _account.interfaces.clear()
    return so_far()


def note_interface(ifname: str, seconds: float) -> None:
    """What attaching or detaching an interface took, all of it."""
    _account.interfaces[ifname] = seconds


def interfaces() -> dict[str, float]:
    """The seconds of each."""
    return _account.interfaces
