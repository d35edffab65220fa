"""The DaemonSet's process: one of them on a node is at work, others stand by until it ends, however it ends."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from cni_multus.cni.errors import CniError
from cni_multus.node.publish import locked
from cni_multus.node.root import resolved
from cni_multus.state import files

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.node.health import Health, Listener
    from cni_multus.node.herald import Herald
    from cni_multus.node.troubles import Troubles
    from cni_multus.node.wake import Wake
    from cni_multus.node.watch import Watch

OWN = "multus.d"
"""The directory of ours beside the configuration."""
INTERVAL = 1.0
"""Seconds between two looks where nothing wakes us."""


class Seat:
    """The right to be the one: a lock on our own directory, which goes with the process."""

    def __init__(self, root: str, conf_dir: str) -> None:
        self._root = root
        self._conf_dir = conf_dir
        self._fd = -1
        self.is_anothers = False

    @property
    def is_taken(self) -> bool:
        """Whether it is ours."""
        return self._fd >= 0

    def take(self) -> bool:
        """Take it, or keep it, if nobody else has it.

        Raises IoFailure where the node's directory is missing or takes nothing.
        """
        directory = resolved(self._root, self._conf_dir)
        own = os.path.join(directory, OWN)
        try:
            if self.is_taken and _is_at(own, self._fd):
                return True
            self._close()
            os.stat(directory)
            files.make_directory_durably(own)
            self._fd = os.open(own, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            # One that was removed meanwhile, or replaced, is nobody's seat.
            if not locked(self._fd) or not _is_at(own, self._fd):
                self._close()
        except OSError as error:
            raise files.failure(error, f"open the directory {directory}") from error
        self.is_anothers = not self.is_taken
        return self.is_taken

    def leave(self) -> None:
        """Give it back; the directory goes where it is empty."""
        try:
            os.rmdir(os.path.join(resolved(self._root, self._conf_dir), OWN))
        except OSError:  # somebody else's things are in it
            pass
        self._close()

    def _close(self) -> None:
        if self.is_taken:
            os.close(self._fd)
        self._fd = -1


def _is_at(path: str, fd: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(fd))
    except FileNotFoundError:
        return False


class Duty:
    """What is done at each look: `leaving` says why nothing is to be done any more."""

    def __init__(
        self,
        watch: Watch,
        seat: Seat,
        health: Health,
        troubles: Troubles,
        say: Callable[[str], object],
        *,
        listener: Listener | None,
        herald: Herald | None = None,
        leaving: Callable[[], str],
        refresh: Callable[[], bool],
    ) -> None:
        self._watch = watch
        self._seat = seat
        self._health = health
        self._troubles = troubles
        self._say = say
        self._listener = listener
        self._herald = herald
        self._leaving = leaving
        self._refresh = refresh
        self._refreshed = float("-inf")

    def attend(self, wake: Wake) -> None:
        """Until the process is told to end."""
        while not wake.stopped:
            wake.watch(self._watch.directories())
            self.look(time.monotonic())
            wake.wait(INTERVAL)

    def look(self, now: float) -> None:
        """One look, at everything."""
        is_placed = False
        try:
            if self._listener and (why := self._listener.why_not_listening()):
                self._troubles.note("health", why, now, blocking=False)
            if why := self._leaving():
                self._troubles.note("uninstalling", why, now)
            elif self._seat.take():
                self._watch.look(now)
                self._keep_token(now)
                is_placed = self._watch.is_placed()
            else:
                self._troubles.note("standby", "another process keeps this node's configuration; standing by", now)
        except CniError as error:
            self._troubles.note("node", error.message, now)
        self._troubles.look_ended(now)
        lasting = self._troubles.lasting(now)
        self._health.looked(lasting, is_placed=is_placed)
        if self._herald:
            wrong = {kind: message for kind, (message, _) in lasting.items()}
            self._herald.look({**wrong, **self._watch.remarks()}, now)

    def _keep_token(self, now: float) -> None:
        try:
            if now - self._refreshed >= INTERVAL:
                # A failure is tried again at each look, since it is noted at each.
                if self._refresh():
                    self._health.count("tokens")
                    self._say("refreshed the service account's token")
                self._refreshed = now
        except CniError as error:
            self._troubles.note("token", error.message, now, blocking=False)
