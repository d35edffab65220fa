"""The meta-plugin's log: lines to standard error and to a file, of which one sums a request up.

`logging` costs 12 ms to import; this is what a program that lives for 10 ms needs of it.
"""

from __future__ import annotations

import os
import time

from cni_multus import spent
from cni_multus.cni.document import print_compact
from cni_multus.multus.settings import Settings, pod_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cni_multus.cni.errors import CniError
    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Result
    from cni_multus.multus.logfile import LogFile
    from cni_multus.multus.plan import Planned
    from cni_multus.state.journal import Attachment

LEVELS = ("panic", "error", "info", "verbose", "debug")
"""Multus's, and `info`: what every request came to, and no more."""

FORMATS = ("text", "json")
TO_STDERR, TO_FILE = "error", "info"
"""The levels where none is given: a runtime's journal is for what failed; a log file that was asked for has it all."""

LONGEST = 4096
"""The most characters of an error's message in a line."""

_SHORT = 12


class Log:
    """Writes what is at or above the configured level; never raises: a full disk must not stop a pod."""

    __slots__ = ("_file", "_file_level", "_json", "_pod", "_stderr_level")

    def __init__(self, settings: Settings, pod: str) -> None:
        """`pod` stands in every line; "" where a request is about none."""
        self._stderr_level, self._file_level = _levels(settings)
        self._file = _open(settings) if settings.log_file else None
        self._json = settings.log_format.lower() == "json"
        self._pod = pod
        for key, value, known in (
            ("logLevel", settings.log_level, LEVELS),
            ("logFormat", settings.log_format, FORMATS),
        ):
            if value and value.lower() not in known:
                self.error(f"{key} {value!r} is not one of {', '.join(known)}")

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
        if LEVELS.index("verbose") <= max(self._stderr_level, self._file_level):
            self._log("verbose", f"network-status: {print_compact(entries).decode()}")

    def sum_up(self, level: str, summary: dict[str, object]) -> None:
        """What a request came to."""
        if LEVELS.index(level) <= max(self._stderr_level, self._file_level):
            self._write(level, summary if self._json else {"message": _sentence(summary)})

    def _log(self, level: str, message: str) -> None:
        if LEVELS.index(level) <= max(self._stderr_level, self._file_level):
            self._write(level, {"message": message})

    def _write(self, level: str, members: dict[str, object]) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if self._json:
            pod = {"pod": self._pod} if self._pod else {}
            line = print_compact({"time": now, "level": level, **pod, **members}) + b"\n"
        else:
            text = _one_line(f"{now} [{level}] [{self._pod or '-'}] {members['message']}")
            line = f"{text}\n".encode(errors="replace")
        at = LEVELS.index(level)
        if at <= self._stderr_level:
            _say(line)
        if self._file is not None and at <= self._file_level:
            try:
                self._file.append(line)
            except OSError as error:
                _say(f"cannot write logFile {self._file.path}: {error.strerror}\n".encode(errors="replace"))
                self._file = None


class Summary:
    """What is known of a request in the end; told as one line once the runtime has its answer."""

    __slots__ = ("_begun", "_log", "_networks", "_spent")

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._spent = spent.begin()
        self._log: Log | None = None
        self._networks: list[dict[str, object]] = []

    def open(self, settings: Settings, request: Request) -> Log:
        """The request's log; there is only one."""
        if self._log is None:
            self._log = Log(settings, pod_of(request))
        return self._log

    def planned(self, planned: list[Planned]) -> None:
        """The networks that an ADD is about."""
        self._networks = [_network(one.label or one.name, one.ifname, None) for one in planned]

    def attached(self, results: Iterable[Result]) -> None:
        """What came of them."""
        for network, result in zip(self._networks, results, strict=True):
            network["ips"] = _addresses(result)

    def recorded(self, attachments: list[Attachment]) -> None:
        """The networks that a record lists."""
        self._networks = [
            _network(one.label or str(one.network.get("name", "")), one.ifname, one.result) for one in attachments
        ]

    def tell(self, request: Request, error: CniError | None) -> None:
        """One line: at `error` what failed, at `info` what was done, at `debug` that all is well."""
        level = "error" if error else "debug" if request.command == "STATUS" else "info"
        log = self._log
        if log is None:
            settings = Settings(request, tolerant=True)
            if LEVELS.index(level) > max(_levels(settings)):
                return
            log = self.open(settings, request)
        log.sum_up(level, self._members(request, error))

    def _members(self, request: Request, error: CniError | None) -> dict[str, object]:
        members: dict[str, object] = {"verb": request.command}
        if request.container_id:
            members["container"] = request.container_id
        if self._networks:
            members["networks"] = self._networks
        took = spent.interfaces()
        for network in self._networks:
            if (seconds := took.get(str(network["interface"]))) is not None:
                network["ms"] = _milliseconds(seconds)
        members["outcome"] = "failed" if error else "ok"
        if error:
            members |= {"code": error.code, "message": error.message[:LONGEST]}
        members["ms"] = _milliseconds(time.monotonic() - self._begun)
        parts = {f"{part}Ms": _milliseconds(now - self._spent[part]) for part, now in spent.so_far().items()}
        return members | {part: took for part, took in parts.items() if took}


def _levels(settings: Settings) -> tuple[int, int]:
    """Of standard error and of the file, -1 where there is none."""
    level = settings.log_level.lower()
    known = level in LEVELS
    return (
        LEVELS.index(level if known else TO_STDERR) if settings.log_to_stderr else -1,
        LEVELS.index(level if known else TO_FILE) if settings.log_file else -1,
    )


def _sentence(summary: dict[str, object]) -> str:
    """As people read it: `ADD ok in 23.4 ms (api 4.1, eth0=9.8), container 3fa9c1d2e4b5, eth0 blue 10.1.0.5/24`."""
    networks = summary.get("networks", [])
    assert isinstance(networks, list)
    parts = [
        f"{part} {summary[f'{part}Ms']}"
        for part in (spent.API, spent.PROGRAMS, spent.WAITING, spent.IPAM)
        if f"{part}Ms" in summary
    ]
    parts += [f"{one['interface']}={one['ms']}" for one in networks if "ms" in one]
    text = f"{summary['verb']} {summary['outcome']} in {summary['ms']} ms" + (f" ({', '.join(parts)})" if parts else "")
    if "container" in summary:
        text += f", container {str(summary['container'])[:_SHORT]}"
    for one in networks:
        text += ", " + " ".join([one["interface"], one["name"], *one.get("ips", ())])
    return text + (f": code {summary['code']}: {summary['message']}" if "code" in summary else "")


def _network(name: str, ifname: str, result: Result | None) -> dict[str, object]:
    network: dict[str, object] = {"name": name, "interface": ifname}
    return network | {"ips": _addresses(result)} if result else network


def _addresses(result: Result) -> list[str]:
    return [str(ip.address) for ip in result.ips]


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _one_line(text: str) -> str:
    text = " ".join(text.splitlines())
    return text if text.isprintable() else "".join([letter if letter.isprintable() else "?" for letter in text])


def _say(line: bytes) -> None:
    try:
        os.write(2, line)
    except OSError:
        return  # nobody listens


def _open(settings: Settings) -> LogFile:
    from cni_multus.multus.logfile import LogFile

    return LogFile(settings.log_file, settings.log_options)
