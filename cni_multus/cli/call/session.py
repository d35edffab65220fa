"""One call from its namespace to what is left of it: everything that is to be told of it."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cni_multus.cli.inspect.kernel import look
from cni_multus.cni.errors import CniError

if TYPE_CHECKING:
    from cni_multus.cli.call.byhand import ByHand, Took
    from cni_multus.cli.runtime import Container

ENDED_BY = (signal.SIGTERM, signal.SIGHUP)


@dataclass
class Told:
    """What came of it; `kernel` has the interfaces of the namespace as they were then."""

    result: dict[str, object] | None = None
    error: CniError | None = None
    undone: CniError | None = None
    """Why it could not be taken apart again."""
    kernel: list[dict[str, object]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Interfaces that were not there before, and are still there once it was taken apart."""
    seconds: float = 0.0


class Session:
    """Calls about one container; whatever ends it, `detach` is called unless all of it is to be kept."""

    def __init__(self, runtime: ByHand, container: Container, *, keep: bool) -> None:
        self.runtime = runtime
        self.container = container
        self.told = Told()
        self._keep = keep
        self._before = set(interfaces(container.netns))

    @property
    def steps(self) -> list[Took]:
        """How long each plugin took."""
        return self.runtime.network.steps

    def add(self, *, check: bool) -> None:
        """ADD, with `check` CHECK, and all of it backwards."""
        try:
            self._try(self._add)
            if check and self.told.error is None:
                self._try(lambda: self.runtime.check(self._name, self.container))
            self.told.kernel = kernel(self.container.netns)
        finally:
            if not self._keep:
                self._detach()

    def check(self) -> None:
        """CHECK of what was attached by an earlier call."""
        self._try(lambda: self.runtime.check(self._name, self.container))
        self.told.kernel = kernel(self.container.netns)

    def delete(self) -> None:
        """DEL of what was attached by an earlier call, or of nothing."""
        self._try(lambda: self.runtime.delete(self._name, self.container))
        self.told.kernel = kernel(self.container.netns)

    @property
    def _name(self) -> str:
        return self.runtime.network.name

    def _add(self) -> None:
        self.told.result = self.runtime.add(self._name, self.container)

    def _try(self, work: object) -> None:
        begun = time.monotonic()
        try:
            assert callable(work)
            work()
        except CniError as error:
            self.told.error = error
        finally:
            self.told.seconds += time.monotonic() - begun

    def _detach(self) -> None:
        """What nobody may stop half-way: a second Ctrl-C waits."""
        before = _ignore()
        try:
            self.runtime.delete(self._name, self.container)
        except CniError as error:
            # What failed before anything was made fails here for the same reason.
            if self.told.error is None or self.told.error.message != error.message:
                self.told.undone = error
        finally:
            self.told.left = [name for name in interfaces(self.container.netns) if name not in self._before]
            _restore(before)


def interfaces(netns: str) -> list[str]:
    """The names of what a namespace has but `lo`."""
    return [link.name for link in look(netns).own]


def kernel(netns: str) -> list[dict[str, object]]:
    """The interfaces of a namespace as the kernel shows them."""
    space = look(netns)
    return [
        {
            "interface": link.name,
            "kind": link.kind,
            "state": "up" if link.up else "down",
            "mac": link.mac,
            "mtu": link.mtu,
            "addresses": [str(each) for each in space.addresses.get(link.index, [])],
            "routes": [str(each) for each in space.routes.get(link.index, [])],
        }
        for link in space.own
    ]


def end_in_order() -> None:
    """Let SIGTERM and SIGHUP end the call as Ctrl-C does: what was made is taken apart first."""
    if threading.current_thread() is threading.main_thread():
        for number in ENDED_BY:
            signal.signal(number, _stop)


def _stop(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def _ignore() -> list[object]:
    if threading.current_thread() is not threading.main_thread():
        return []
    return [signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, *ENDED_BY)]


def _restore(handlers: list[object]) -> None:
    for number, handler in zip((signal.SIGINT, *ENDED_BY), handlers, strict=False):
        signal.signal(number, handler)  # type: ignore[arg-type]
