"""A client and a lying server that talk to each other, and what many tests say of that."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cni_multus.kube.client import Client
from cni_multus.kube.deadline import Deadline
from cni_multus.kube.kubeconfig import load_kubeconfig
from cni_multus.kube.objects import IP_POOLS
from tests.kube.configs import config, write
from tests.kube.lying import POOL, LyingServer, answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kube.lying import Lie

POOL_PATH = IP_POOLS.path("kube-system", "pool")
OK = answer(200, POOL)


class Talk:
    """`client, server = talk(lie, lie, ...)`; both are closed with the test."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._open: list[Client | LyingServer] = []

    def __call__(self, *lies: Lie, seconds: float = 10, attempt: float = 15, **user: Any) -> tuple[Client, LyingServer]:
        server = LyingServer(*lies)
        self._open.append(server.__enter__())
        return self.client(server.url, seconds=seconds, attempt=attempt, **user), server

    def client(self, url: str, *, seconds: float = 10, attempt: float = 15, **user: Any) -> Client:
        """A client for that server."""
        access = load_kubeconfig(write(self._directory, config(url, **user)))
        client = Client(access, Deadline(seconds), attempt=attempt)
        self._open.append(client)
        return client

    def close(self) -> None:
        for each in reversed(self._open):
            each.__exit__(None, None, None)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Not a measurement, only the difference between waiting and hanging."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds
