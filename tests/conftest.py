"""Network namespaces that a test makes and takes away again, and pyroute2 as the witness of what is in them."""

from __future__ import annotations

import ctypes
import os
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from hypothesis import HealthCheck, settings
from pyroute2 import IPRoute

from cni_multus.linux.netns import Namespace
from tests.differential.tally import LookBack
from tests.proved import Proving
from tests.vm.host import Host, plugin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# How long a generated example takes depends on what else the machine does.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MNT_DETACH = 2

LIBC = ctypes.CDLL(None, use_errno=True)


class MakeNamespace(Protocol):
    def __call__(self, name: str = ...) -> str: ...


def checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def make_namespace(path: Path) -> None:
    """A new network namespace, bound to `path` as a runtime does it; made in a thread, which then ends."""
    failures: list[OSError] = []

    def make() -> None:
        try:
            checked(LIBC.unshare(CLONE_NEWNET))
            checked(LIBC.mount(b"/proc/thread-self/ns/net", bytes(path), b"none", MS_BIND, None))
        except OSError as failure:
            failures.append(failure)

    path.touch()
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


@contextmanager
def entered(path: str) -> Iterator[None]:
    """The calling thread inside a namespace, by other means than the product's."""
    with open("/proc/thread-self/ns/net", "rb") as home, open(path, "rb") as target:
        checked(LIBC.setns(target.fileno(), CLONE_NEWNET))
        try:
            yield
        finally:
            checked(LIBC.setns(home.fileno(), CLONE_NEWNET))


def pytest_configure(config: pytest.Config) -> None:
    """Let tests marked `vm` run where they belong, sum up where all of them report, and know the API server."""
    from tests.cluster import fixtures

    config.pluginmanager.register(fixtures)
    chosen = plugin(config)
    config.pluginmanager.register(chosen)
    if isinstance(chosen, Host):
        config.pluginmanager.register(LookBack(config))
        config.pluginmanager.register(Proving(config))


@pytest.fixture
def netns(tmp_path: Path) -> Iterator[MakeNamespace]:
    """Make a namespace and return its path; all of them go with the test."""
    made: list[Path] = []

    def make(name: str = "") -> str:
        path = tmp_path / (name or f"netns{len(made)}")
        make_namespace(path)
        made.append(path)
        return str(path)

    yield make
    for path in made:
        LIBC.umount2(bytes(path), MNT_DETACH)
        path.unlink(missing_ok=True)


@pytest.fixture
def host(netns: MakeNamespace) -> Iterator[Namespace]:
    """A namespace that stands for the node."""
    with Namespace.open(netns("host")) as namespace:
        yield namespace


@pytest.fixture
def container(netns: MakeNamespace) -> Iterator[Namespace]:
    """A namespace that stands for the pod."""
    with Namespace.open(netns("container")) as namespace:
        yield namespace


@pytest.fixture
def kernel() -> Iterator[Callable[[Namespace | str], Any]]:
    """pyroute2's IPRoute in a namespace: what the kernel has, read by somebody else's code."""
    with ExitStack() as opened:

        def witness(where: Namespace | str) -> Any:
            with entered(where if isinstance(where, str) else where.path):
                return opened.enter_context(IPRoute())

        yield witness
