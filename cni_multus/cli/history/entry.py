"""One line of the meta-plugin's log, read back: what a request came to (`multus.log.Summary`), or chatter around it.

Both of its formats are known; a line may be torn by a crash, or be anybody's.
"""

from __future__ import annotations

import calendar
import json
import re
import time
from dataclasses import dataclass, field

from cni_multus.cni.request import VERBS
from cni_multus.spent import API, IPAM, PROGRAMS, WAITING

OWN = "own"
"""What no other part explains: the kernel, the journal, and thinking."""
WAITED = (API, PROGRAMS, WAITING, IPAM)
PARTS = (*WAITED, OWN)
_LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) \[(\w+)\] \[([^\]]*)\] (.*)", re.DOTALL)
_SUMMARY = re.compile(
    rf"({'|'.join(VERBS)}) (ok|failed) in (\d+(?:\.\d+)?) ms(?: \((.*?)\)(?=, |: code |$))?(.*)", re.DOTALL
)
_CODE = re.compile(r": code (\d+): (.*)", re.DOTALL)
_CONTAINER = "container "


@dataclass(slots=True)
class Entry:
    """A request. `at` is its end, in seconds of the epoch; `ms` is None where nobody took the time."""

    at: float
    pod: str
    verb: str
    outcome: str
    ms: float | None
    parts: dict[str, float] = field(default_factory=dict)
    container: str = ""
    networks: list[dict[str, object]] = field(default_factory=list)
    code: int = 0
    message: str = ""

    @property
    def time(self) -> str:
        """Its end, as logs write it."""
        return clock(self.at)

    @property
    def failed(self) -> bool:
        """Whether it failed."""
        return self.outcome == "failed"

    @property
    def shares(self) -> dict[str, float]:
        """The milliseconds of each part; what ran side by side may add up to more than the request took."""
        if self.ms is None:
            return {}
        return {**self.parts, OWN: max(0.0, round(self.ms - sum(self.parts.values()), 1))}

    @property
    def slowest(self) -> str:
        """The part that took the most, "" where nothing is known."""
        shares = self.shares
        return max(shares, key=lambda part: shares[part]) if shares else ""

    def is_of(self, wanted: str) -> bool:
        """Whether it is of the pod NAME, NAMESPACE/NAME or UID, or of the container whose ID begins so."""
        words = self.pod.split("/")
        if wanted in words[1:] or "/".join(words[:2]) == wanted or self.pod == wanted:
            return True
        # A line of text has the first twelve characters of an ID.
        return len(wanted) >= 4 and bool(self.container) and self.container.startswith(wanted[: len(self.container)])

    def to_json(self) -> dict[str, object]:
        """Everything, for programs."""
        return {
            "time": self.time,
            "pod": self.pod,
            "verb": self.verb,
            "container": self.container,
            "networks": self.networks,
            "outcome": self.outcome,
            **({"code": self.code, "message": self.message} if self.code or self.message else {}),
            **({"ms": self.ms, "parts": self.shares, "slowest": self.slowest} if self.ms is not None else {}),
        }


@dataclass(slots=True)
class Chatter:
    """A line of ours that sums no request up."""

    at: float
    level: str
    pod: str
    message: str


def clock(at: float) -> str:
    """A time of the epoch as the log writes it."""
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    except (OverflowError, ValueError, OSError):
        return "-"


def read_clock(text: str) -> float:
    """The reverse; raises ValueError."""
    return float(calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")))


def read_line(line: bytes) -> Entry | Chatter | None:
    """What a line says; None for one that is torn, or not ours."""
    line = line.strip(b"\0\r\n\t ")  # a power cut leaves zeroes
    try:
        if line.startswith(b"{"):
            return _of_json(json.loads(line))
        return _of_text(line.decode(errors="replace"))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _of_json(document: dict[str, object]) -> Entry | Chatter | None:
    at, pod = read_clock(str(document["time"])), str(document.get("pod", ""))
    if document.get("verb") not in VERBS or document.get("outcome") not in ("ok", "failed"):
        return Chatter(at, str(document["level"]), pod, str(document["message"]))
    networks = document.get("networks", [])
    members = [one for one in networks if isinstance(one, dict)] if isinstance(networks, list) else []
    return Entry(
        at,
        pod,
        str(document["verb"]),
        str(document["outcome"]),
        _number(document["ms"]),
        {part: _number(document[f"{part}Ms"]) for part in WAITED if f"{part}Ms" in document},
        str(document.get("container", "")),
        [_network(one) for one in members],
        int(_number(document.get("code", 0))),
        str(document.get("message", "")),
    )


def _network(member: dict[str, object]) -> dict[str, object]:
    ips = member.get("ips")
    network: dict[str, object] = {
        "name": str(member.get("name", "")),
        "interface": str(member.get("interface", "")),
        "ips": [str(ip) for ip in ips] if isinstance(ips, list) else [],
    }
    return network | {"ms": _number(member["ms"])} if "ms" in member else network


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _of_text(line: str) -> Entry | Chatter | None:
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    at, pod = read_clock(match[1]), "" if match[3] == "-" else match[3]
    summary = _SUMMARY.fullmatch(match[4])
    if summary is None:
        return Chatter(at, match[2], pod, match[4])
    entry = Entry(at, pod, summary[1], summary[2], float(summary[3]))
    rest = summary[5]
    if entry.failed and (code := _CODE.search(rest)):
        rest, entry.code, entry.message = rest[: code.start()], int(code[1]), code[2]
    items = [item for item in rest.split(", ") if item]
    if items and items[0].startswith(_CONTAINER):
        entry.container = items.pop(0).removeprefix(_CONTAINER)
    took = _took(summary[4] or "", entry)
    for item in items:
        interface, name, *ips = [*item.split(" "), ""][: max(2, item.count(" ") + 1)]
        network: dict[str, object] = {"name": name, "interface": interface, "ips": ips}
        entry.networks.append(network | ({"ms": took[interface]} if interface in took else {}))
    return entry


def _took(text: str, entry: Entry) -> dict[str, float]:
    """Of `api 4.1, eth0=12.9` the interfaces; the parts go to the entry."""
    took = {}
    for item in text.split(", "):
        part, _, number = item.partition(" ")
        if part in WAITED:
            entry.parts[part] = float(number)
        elif "=" in item:
            interface, _, number = item.rpartition("=")
            took[interface] = float(number)
    return took
