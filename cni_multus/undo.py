"""Reversals of what was done, run backwards unless the work is kept; and work of which all is done that can be.

`contextlib.ExitStack` would serve, but importing it costs 3 ms, and it stops being understood by the runtime when one
reversal fails: here all of them run, and the first failure's text is added to what went wrong in the first place.
"""

from __future__ import annotations

from cni_multus.cni.errors import CniError, note_leftovers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import TypeVar

    T = TypeVar("T")


class Undo:
    """`with Undo() as undo:` take back, in reverse, what was pushed, if the body raises before `keep()`."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: list[tuple[Callable[..., object], tuple[object, ...]]] = []

    def callback(self, step: Callable[..., object], *arguments: object) -> None:
        """Push a reversal; push it before, or directly after, the change it takes back."""
        self._steps.append((step, arguments))

    def keep(self) -> None:
        """The work is complete: forget the reversals."""
        self._steps.clear()

    def __enter__(self) -> Undo:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failures = self._take_back()
        if error is not None:
            note_leftovers(error, failures)

    def _take_back(self) -> list[str]:
        failures = []
        try:
            while self._steps:
                step, arguments = self._steps.pop()
                try:
                    step(*arguments)
                except (CniError, OSError) as failure:
                    failures.append(str(failure))
        finally:  # a reversal that failed as nobody foresaw must not keep the others from running
            if self._steps:
                failures += self._take_back()
        return failures


def do_all(do: Callable[[T], object], things: Iterable[T]) -> None:
    """`do` each of them whatever becomes of the others, then raise the first failure."""
    first: CniError | None = None
    for thing in things:
        try:
            do(thing)
        except CniError as failure:
            first = first or failure
    if first is not None:
        raise first
