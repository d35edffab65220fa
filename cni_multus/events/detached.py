"""A process that delivers what is in the spool, and that nobody waits for: neither the runtime, nor a lock's next user.

A runtime reads our pipes to their end, so whoever holds an end of one holds up the pod.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from cni_multus.events.spool import Spool
    from cni_multus.kube.client import Client
    from cni_multus.kube.credentials import Access

    Say = Callable[[str], None]

LIFE = 30.0
"""Seconds that the process has for its delivery."""
GRACE = 5.0
"""Seconds after those until the kernel ends it, whatever it waits for."""
NICENESS = 10
"""Pods that start meanwhile come first."""


def start_delivery(
    spool: Spool,
    access: Callable[[], Access],
    client: Client | None = None,
    say: Say = lambda _: None,
    *,
    seconds: float = LIFE,
) -> bool:
    """Begin to deliver in a process of its own; False where there can be none, and the events wait.

    Call it when the answer is out. `client` and its connection are that process's from then on: ours opens another one
    where it needs one. `say` is called there, and must not raise: standard error leads nowhere by then.
    """
    try:
        child = os.fork()
    except OSError as error:
        say(f"Events wait for the next request: cannot start a process that delivers them: {error.strerror}")
        return False
    if child:
        if client is not None:
            client.close()  # without a word to the server, and so without the other process noticing
        return True
    try:
        _detach(client)
        _limit(seconds + GRACE)
        from cni_multus.events.delivery import deliver
        from cni_multus.kube.deadline import Deadline

        deliver(spool, access, client, Deadline(seconds), say)
    finally:
        _end(say)


def _end(say: Say) -> NoReturn:
    """There is nobody to return to; what nobody foresaw is said, if it can be."""
    try:
        error = sys.exc_info()[1]
        if error is not None:
            say(f"Events wait for the next request: internal error: {type(error).__name__}: {error}")
    finally:
        os._exit(0)


def _detach(client: Client | None) -> None:
    """Keep nothing of what the request had, except the connection."""
    os.setsid()
    _let_go_of_streams()
    _close_others({client.descriptor if client else -1, *_modules()})
    os.chdir("/")


def _let_go_of_streams() -> None:
    nowhere = os.open("/dev/null", os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)


def _close_others(kept: set[int]) -> None:
    """A lock is held by every process that has the descriptor; so is a pipe."""
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor > 2 and descriptor not in kept:
            try:
                os.close(descriptor)
            except OSError:
                continue  # the list's own


def _modules() -> set[int]:
    """Where the built program's modules come from (`tools/modules_hook.py`)."""
    return {getattr(finder, "fd", -1) for finder in sys.meta_path}


def _limit(seconds: float) -> None:
    """Die of what kills others, and in time whatever happens."""
    import gc
    from _signal import (  # type: ignore[import-not-found]
        ITIMER_REAL,
        SIG_DFL,
        SIG_SETMASK,
        SIGALRM,
        SIGHUP,
        SIGINT,
        SIGQUIT,
        SIGTERM,
        pthread_sigmask,
        setitimer,
        signal,
    )

    gc.disable()  # an object that is thrown away now may close a descriptor that is another one's by then
    for number in (SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM):
        signal(number, SIG_DFL)
    pthread_sigmask(SIG_SETMASK, ())
    setitimer(ITIMER_REAL, seconds)
    os.nice(NICENESS)
