"""An Event about a pod, as it waits on disk and as the API server takes it; it knows neither of them.

Its name is fixed when it is made: however often it is delivered, there is one of it in the API. A warning is called
after what it says, so that a runtime's next attempt is counted instead of told once more.
"""

from __future__ import annotations

import os
import time

from cni_multus.cni.config import Section
from cni_multus.cni.errors import DecodingFailure
from cni_multus.hashes import digest
from cni_multus.kube.objects import Resource

EVENTS = Resource("v1", "events", "Event")
COMPONENT = "multus"
"""Who reports, as the Go Multus says it."""

NORMAL = "Normal"
WARNING = "Warning"

LONGEST_MESSAGE = 1024
LONGEST_REASON = 128
"""Bytes, also of the reporting host (events.k8s.io/v1, which serves the same objects)."""
LONGEST_NAME = 253
"""Of any object (a DNS subdomain)."""

_MARK = 16
_HEXADECIMAL = frozenset("0123456789abcdef")
_LATEST = 253402300799 * 10**9
"""The last second that has four digits for its year."""


class Event:
    """`kind` is NORMAL or WARNING; `moment` is in nanoseconds since 1970, now where it is 0.

    No secret may stand in `message`; it is cut to what the API takes. `host` is the node's name.
    """

    __slots__ = ("host", "kind", "mark", "message", "moment", "namespace", "pod", "reason", "uid")

    def __init__(
        self,
        kind: str,
        reason: str,
        message: str,
        *,
        namespace: str,
        pod: str,
        uid: str,
        host: str = "",
        moment: int = 0,
    ) -> None:
        self.kind = kind
        self.reason = _cut(reason, LONGEST_REASON)
        self.message = _cut(message, LONGEST_MESSAGE)
        self.namespace = namespace
        self.pod = pod
        self.uid = uid
        self.host = _cut(host, LONGEST_REASON)
        self.moment = moment or time.time_ns()
        self.mark = os.urandom(_MARK // 2).hex()
        """What its name ends in, and nobody else's: of a warning, only those of the same words have it."""
        if kind == WARNING:
            self.mark = digest("\0".join((namespace, pod, uid, self.reason, self.message)), _MARK)

    @staticmethod
    def parse(section: Section) -> Event:
        """Read what `to_json` wrote; raises DecodingFailure or InvalidNetworkConfig."""
        event = Event(
            section.text("kind"),
            section.text("reason"),
            section.text("message"),
            namespace=section.text("namespace"),
            pod=section.text("pod"),
            uid=section.text("uid"),
            host=section.text("host"),
            moment=section.number("moment", low=1, high=_LATEST),
        )
        event.mark = section.text("mark")
        for key in ("namespace", "pod", "reason"):
            if not section.text(key):
                raise DecodingFailure(f"{section.where(key)} is missing")
        if event.kind not in (NORMAL, WARNING):
            raise DecodingFailure(f"{section.where('kind')} is neither {NORMAL} nor {WARNING}")
        if len(event.mark) != _MARK or not _HEXADECIMAL.issuperset(event.mark):
            raise DecodingFailure(f"{section.where('mark')} is not of {_MARK} hexadecimal digits")
        return event

    def to_json(self) -> dict[str, object]:
        """The inverse of `parse`."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def name(self) -> str:
        """The object's: the pod's, as far as there is room, and the mark."""
        return f"{self.pod[: LONGEST_NAME - _MARK - 1].rstrip('-.')}.{self.mark}"

    @property
    def when(self) -> str:
        """The moment, as the API has times: to the second."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.moment // 10**9))

    def document(self) -> dict[str, object]:
        """The object as core/v1 has it."""
        when = self.when
        about = {"kind": "Pod", "apiVersion": "v1", "namespace": self.namespace, "name": self.pod}
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": self.name, "namespace": self.namespace},
            "involvedObject": {**about, "uid": self.uid} if self.uid else about,
            "type": self.kind,
            "reason": self.reason,
            "message": self.message,
            "firstTimestamp": when,
            "lastTimestamp": when,
            "count": 1,
            "source": {"component": COMPONENT, "host": self.host} if self.host else {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": self.host,
        }


def _cut(text: str, most: int) -> str:
    """At most `most` bytes of UTF-8; what is cut ends in an ellipsis, what is no text is replaced."""
    data = text.replace("\0", " ").encode("utf-8", "replace")
    if len(data) > most:
        data = data[: most - 3] + b"..."
    return data.decode("utf-8", "ignore")
