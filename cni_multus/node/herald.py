"""What is wrong with a node's configuration, told to the cluster: Events about the node.

One when something is wrong for as long as the log says it, one when that changes, and one when it is over; while it
lasts, the same Event is counted up before the API server forgets it. It knows nothing of what can be wrong.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from cni_multus.cni.errors import CniError
from cni_multus.events.event import COMPONENT, EVENTS, LONGEST_MESSAGE, NORMAL, WARNING
from cni_multus.hashes import digest
from cni_multus.kube.client import Client
from cni_multus.kube.deadline import Deadline
from cni_multus.kube.errors import AlreadyExists

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cni_multus.kube.credentials import Access

REASONS = {
    "primary": "PrimaryUnusable",
    "several": "SeveralPrimaries",
    "taken": "ConfigurationTaken",
    "file": "ConfigurationNotOurs",
    "publish": "ConfigurationFailed",
    "directory": "ConfigurationFailed",
    "node": "ConfigurationFailed",
    "order": "ConfigurationPassedOver",
    "readiness": "PrimaryNotReady",
    "token": "TokenNotRenewed",
}
"""Of what kinds of trouble the cluster is told, and by which reason."""
HARMLESS = frozenset(("several",))
OVER = "ConfigurationGood"
REPEAT = 1800.0
"""Seconds after which what lasts is counted once more; the API server forgets an Event after an hour (--event-ttl)."""
APART = 60.0
"""Seconds between two Events of one kind: what comes and goes all the time is told as it is then."""
PATIENCE = 10.0
"""Seconds that the API server has to take one."""
TELLING = "telling"
"""The thread that delivers."""
NAMESPACE = "default"
"""Where Events about what is in no namespace are."""

_MARK = 16
_LONGEST_NAME = 253


class Herald:
    """Delivers in threads that end with the process; the watch waits for none.

    `settle` is how long, in seconds, something must be wrong: a node that boots has no primary at first.
    """

    def __init__(self, node: str, access: Callable[[], Access], say: Callable[[str], object], settle: float) -> None:
        self._node = node
        self._access = access
        self._say = say
        self._settle = settle
        self._since: dict[str, float] = {}
        self._tried: dict[str, float] = {}
        self._told: dict[str, tuple[str, float]] = {}
        """What the cluster knows: written by the one thread that delivers."""
        self._busy = threading.Lock()
        self._failure = ""

    def look(self, wrong: Mapping[str, str], now: float) -> None:
        """`wrong` is what is now, by kind; at most one Event is begun to be delivered."""
        self._since = {kind: self._since.get(kind, now) for kind in wrong if kind in REASONS}
        for kind, begun in self._since.items():
            message, told = self._told.get(kind, ("", now))
            if now - begun >= self._settle and (message != wrong[kind] or now - told >= REPEAT):
                self._tell(kind, wrong[kind], now)
        for kind in self._told.keys() - self._since.keys():
            self._tell(kind, "", now)

    def _tell(self, kind: str, message: str, now: float) -> None:
        """Of a kind that has no message any more, that it is over."""
        if now - self._tried.get(kind, float("-inf")) < APART or not self._busy.acquire(blocking=False):
            return
        self._tried[kind] = now
        threading.Thread(target=self._deliver, args=(kind, message, now), name=TELLING, daemon=True).start()

    def _deliver(self, kind: str, message: str, now: float) -> None:
        try:
            with Client(self._access(), Deadline(PATIENCE)) as client:
                _create_or_count(client, self._document(kind, message))
        except CniError as error:
            if error.message != self._failure:
                self._say(f"cannot tell the cluster of it by an Event: {error.message}")
            self._failure = error.message
        else:
            self._failure = ""
            if message:
                self._told[kind] = message, now
            else:
                del self._told[kind]
        finally:
            self._busy.release()

    def _document(self, kind: str, message: str) -> dict[str, object]:
        if message:
            return _document(self._node, NORMAL if kind in HARMLESS else WARNING, REASONS[kind], message)
        return _document(self._node, NORMAL, OVER, f"over: {self._told[kind][0]}")


def _create_or_count(client: Client, document: dict[str, object]) -> None:
    try:
        client.create(EVENTS.path(NAMESPACE), document, metadata_only=True)
    except AlreadyExists:
        path = EVENTS.path(NAMESPACE, str(document["metadata"]["name"]))  # type: ignore[index]
        count = client.get(path).get("count")
        counted = count + 1 if isinstance(count, int) else 2
        client.merge_patch(path, {"lastTimestamp": document["lastTimestamp"], "count": counted}, metadata_only=True)


def _document(node: str, severity: str, reason: str, message: str) -> dict[str, object]:
    """The object as core/v1 has it; the node's UID is its name, as the kubelet says it."""
    message = message.encode()[:LONGEST_MESSAGE].decode(errors="ignore")
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    mark = digest("\0".join((node, severity, reason, message)), _MARK)
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": f"{node[: _LONGEST_NAME - _MARK - 1].rstrip('-.')}.{mark}", "namespace": NAMESPACE},
        "involvedObject": {"apiVersion": "v1", "kind": "Node", "name": node, "uid": node},
        "type": severity,
        "reason": reason,
        "message": message,
        "firstTimestamp": when,
        "lastTimestamp": when,
        "count": 1,
        "source": {"component": COMPONENT, "host": node},
        "reportingComponent": COMPONENT,
        "reportingInstance": node,
    }
