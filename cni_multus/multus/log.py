"""The meta-plugin's log: lines to standard error and to a file.

`logging` costs 12 ms to import; this is what a program that lives for 10 ms needs of it.
"""

from __future__ import annotations

import os
import time

from cni_multus.cni.document import print_compact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.multus.logfile import LogFile
    from cni_multus.multus.settings import Settings

LEVELS = ("panic", "error", "verbose", "debug")


class Log:
    """Writes what is at or above the configured level; never raises: a full disk must not stop a pod."""

    __slots__ = ("_file", "_level", "_pod", "_stderr")

    def __init__(self, settings: Settings, pod: str) -> None:
        """`pod` stands in every line."""
        level = settings.log_level.lower()
        self._level = LEVELS.index(level) if level in LEVELS else 0
        self._stderr = settings.log_to_stderr
        self._file = _open(settings) if settings.log_file else None
        self._pod = pod
        if level and level not in LEVELS:
            self._write("error", f"logLevel {settings.log_level!r} is not one of {', '.join(LEVELS)}")

    def error(self, message: str) -> None:
        """Something failed."""
        self._log("error", message)

    def verbose(self, message: str) -> None:
        """Something was done."""
        self._log("verbose", message)

    def debug(self, message: str) -> None:
        """Something that only matters to whoever looks for a fault."""
        self._log("debug", message)

    def status(self, entries: list[dict[str, object]]) -> None:
        """What network-status says of the pod."""
        if LEVELS.index("verbose") <= self._level:
            self._write("verbose", f"network-status: {print_compact(entries).decode()}")

    def _log(self, level: str, message: str) -> None:
        if LEVELS.index(level) <= self._level:
            self._write(level, message)

    def _write(self, level: str, message: str) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        text = " ".join(message.splitlines())
        line = f"{now} [{level}] [{self._pod}] {text}\n".encode(errors="replace")
        if self._stderr:
            _say(line)
        if self._file is not None:
            try:
                self._file.append(line)
            except OSError as error:
                _say(f"cannot write logFile {self._file.path}: {error.strerror}\n".encode(errors="replace"))
                self._file = None


def _say(line: bytes) -> None:
    try:
        os.write(2, line)
    except OSError:
        return  # nobody listens


def _open(settings: Settings) -> LogFile:
    from cni_multus.multus.logfile import LogFile

    return LogFile(settings.log_file, settings.log_options)
