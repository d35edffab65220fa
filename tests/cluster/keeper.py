"""One API server for all processes of a test run, started by the first that wants it, gone with the last.

users     each process that uses the server holds a lock on this, shared; so the keeper gets it alone when the last
          one has let go of it, or was killed
alive     the keeper holds a lock on this as long as it lives
url       where the server is
lock      held by who joins or leaves
server/   the server's directory

Whatever else takes long to start is kept in the same way: `shared` and `main` do not know what it is.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster.apiserver import Address, ApiServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

ROOT = Path(__file__).parents[2]
PLACE = "api-server"
"""Where in the directory of a test run its server is."""


@contextmanager
def shared_server(directory: Path) -> Iterator[Address]:
    """The server of this directory; it is gone afterwards unless another process uses it."""
    with shared(directory, "tests.cluster.keeper"):
        yield Address((directory / "url").read_text(), directory / "server")


@contextmanager
def shared(directory: Path, module: str, *arguments: str) -> Iterator[None]:
    """What a module keeps in this directory; it calls `main`, below, and the arguments are for it."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "users").open("w") as users:
        with locked(directory / "lock"):
            fcntl.flock(users, fcntl.LOCK_SH)  # waits for a keeper that is about to end
            if not lives(directory):
                start_keeper(directory, module, *arguments)
        try:
            yield
        finally:
            with locked(directory / "lock"):
                leave(users.fileno(), directory)


def start_keeper(directory: Path, module: str, *arguments: str) -> None:
    """Return when what it keeps is ready."""
    log = directory / "keeper.log"
    with log.open("ab") as output:
        command = [sys.executable, "-m", module, str(directory), *arguments]
        started = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False)
    if started.returncode:
        raise RuntimeError(f"{module} has not started: {log.read_text()}")


def lives(directory: Path) -> bool:
    """Whether there is a keeper; one that was killed has left its files."""
    with (directory / "alive").open("w") as alive:
        return not taken(alive.fileno(), fcntl.LOCK_SH)


def leave(users: int, directory: Path) -> None:
    """Let go of the server; where nobody else uses it, wait until it is gone."""
    try:
        fcntl.flock(users, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        last = True
    except BlockingIOError:
        # Others use it, unless the keeper was faster: what was shared is not held while it becomes exclusive.
        last = not taken(users, fcntl.LOCK_SH)
    fcntl.flock(users, fcntl.LOCK_UN)
    if last:
        with (directory / "alive").open("w") as alive:
            fcntl.flock(alive, fcntl.LOCK_EX)


def taken(descriptor: int, kind: int) -> bool:
    """Whether this lock can be had now; it is, then."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def keep(directory: Path, ready: int, kept: AbstractContextManager[object]) -> None:
    """Keep something until nobody uses it; write to a pipe as soon as it is there."""
    # Both are let go of by the kernel, when nothing is left of this process, in the order of their descriptors: who
    # finds `users` free finds `alive` free as well.
    alive, users = (os.open(directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC) for name in ("alive", "users"))
    fcntl.flock(alive, fcntl.LOCK_EX)
    with kept:
        os.write(ready, b"1")
        os.close(ready)
        fcntl.flock(users, fcntl.LOCK_EX)


@contextmanager
def server(directory: Path) -> Iterator[None]:
    """A server, and where it is."""
    with ApiServer(directory / "server") as started:
        (directory / "url").write_text(started.address.url)
        yield


def main(directory: Path, kept: AbstractContextManager[object]) -> int:
    """End when it is ready; the keeper is a child, in a session of its own: an interrupt is for the tests."""
    waiting, ready = os.pipe()
    if os.fork():
        os.close(ready)
        return 0 if os.read(waiting, 1) else 1
    os.close(waiting)
    os.setsid()
    os.chdir("/")
    keep(directory, ready, kept)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), server(Path(sys.argv[1]))))
