"""What the watch tells of itself, over HTTP on the loopback interface.

/healthz    200 while it looks at the node, 503 where it has not for too long
/readyz     200 while our configuration is in place and good, else 503 and why
/metrics    numbers, in the text format of Prometheus
"""

from __future__ import annotations

import http.server
import socket
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from cni_multus import VERSION
from cni_multus.node.exposition import metric

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STUCK = 30.0
"""Seconds without a look after which the watch counts as hanging."""
_SLOWEST_CLIENT = 5.0

_HELP = {
    "ready": "Whether the configuration is in place and good.",
    "trouble": "What is wrong, by kind.",
    "primary_info": "The primary of which the configuration was made.",
    "primaries": "Configurations that could be the primary's.",
    "looks_total": "Looks at the node.",
    "published_total": "Times that the configuration was written.",
    "restored_total": "Times that it was written because somebody had taken it away or changed it.",
    "tokens_total": "Times that the service account's token or CA was refreshed.",
    "info": "The program.",
}


class Health:
    """What was last seen; the watch writes, the server's threads read. `numbers` are further metrics, as text."""

    def __init__(self, numbers: Callable[[], str] = str) -> None:
        self._numbers = numbers
        self._lock = threading.Lock()
        self._looked = time.monotonic()
        self._troubles: dict[str, tuple[str, bool]] = {}
        self._is_placed = False
        self._primary: dict[str, str] = {}
        self._primaries = 0
        self._counts = {"looks": 0, "published": 0, "restored": 0, "tokens": 0}

    def count(self, what: str) -> None:
        """One more of what happened."""
        with self._lock:
            self._counts[what] += 1

    def saw_primary(self, labels: dict[str, str], count: int) -> None:
        """Which primary there is, and of how many candidates."""
        with self._lock:
            self._primary, self._primaries = labels, count

    def looked(self, troubles: dict[str, tuple[str, bool]], *, is_placed: bool) -> None:
        """A look is over; `is_placed` says whether a configuration of ours is where it belongs."""
        with self._lock:
            self._looked = time.monotonic()
            self._counts["looks"] += 1
            self._troubles, self._is_placed = troubles, is_placed

    def why_not_alive(self) -> str:
        """Why the process should be ended, "" if not."""
        with self._lock:
            idle = time.monotonic() - self._looked
        return f"the node was not looked at for {idle:.0f} s" if idle > STUCK else ""

    def why_not_ready(self) -> list[str]:
        """What keeps pods from getting their networks; nothing where all is well."""
        with self._lock:
            found = [message for message, blocking in self._troubles.values() if blocking]
            return found or ([] if self._is_placed else ["the configuration is not in place yet"])

    def metrics(self) -> str:
        """The numbers."""
        is_ready = not self.why_not_ready()
        with self._lock:
            rows = [
                _row("info", "gauge", [({"version": VERSION}, 1)]),
                _row("ready", "gauge", [({}, int(is_ready))]),
                _row("trouble", "gauge", [({"kind": kind}, 1) for kind in sorted(self._troubles)]),
                _row("primary_info", "gauge", [(self._primary, 1)] if self._primary else []),
                _row("primaries", "gauge", [({}, self._primaries)]),
                *(_row(f"{what}_total", "counter", [({}, count)]) for what, count in self._counts.items()),
            ]
        return "".join(rows) + self._numbers()


def _row(name: str, kind: str, samples: list[tuple[Mapping[str, str], int]]) -> str:
    return metric(f"multus_node_{name}", kind, _HELP[name], samples)


class Listener:
    """Answers at this address, in threads that end with the process, as soon as the address is free."""

    def __init__(self, health: Health, host: str, port: int, say: Callable[[str], object]) -> None:
        self._health = health
        self._address = host, port
        self._say = say
        self._server: _Server | None = None

    def why_not_listening(self) -> str:
        """Begin to answer, unless that was done; why it cannot be, "" where it could."""
        host, port = self._address
        kind, shown = (_Server6, f"[{host}]") if ":" in host else (_Server, host)
        if self._server is None:
            try:
                self._server = kind(self._address, partial(_Handler, self._health))
            except OSError as error:
                return f"cannot answer at {shown}:{port}: {(error.strerror or str(error)).lower()}"
            threading.Thread(target=self._server.serve_forever, daemon=True).start()
            self._say(f"health at http://{shown}:{self._server.server_port}")
        return ""


class _Handler(http.server.BaseHTTPRequestHandler):
    timeout = _SLOWEST_CLIENT
    server_version = f"multus/{VERSION}"
    sys_version = ""

    def __init__(self, health: Health, *arguments: Any) -> None:
        self._health = health
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Answer a probe."""
        status, text = _answer(self._health, self.path.partition("?")[0])
        data = text.encode(errors="replace")
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Probes come every few seconds: nobody wants to read of them."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """As TCPServer's: HTTPServer's would ask a name server for our name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def handle_error(self, *_: object) -> None:
        """A client went away: that is its own business."""


class _Server6(_Server):
    address_family = socket.AF_INET6


def _answer(health: Health, path: str) -> tuple[int, str]:
    if path == "/metrics":
        return 200, health.metrics()
    if path == "/healthz":
        why = health.why_not_alive()
        return (503, why + "\n") if why else (200, "ok\n")
    if path == "/readyz":
        reasons = health.why_not_ready()
        return (503, "".join(f"{reason}\n" for reason in reasons)) if reasons else (200, "ok\n")
    return 404, "there are /healthz, /readyz and /metrics\n"
