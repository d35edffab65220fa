"""Requests that are made without a pause while something else happens."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Load:
    """Something done again and again in threads until it is stopped: how often, and what failed."""

    def __init__(self, *work: Callable[[int], object]) -> None:
        self.done = [0] * len(work)
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(at, one)) for at, one in enumerate(work)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, at: int, work: Callable[[int], object]) -> None:
        while not self._stop.is_set():
            try:
                work(self.done[at])
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure of a request
                self.failures.append(repr(error))
            self.done[at] += 1
