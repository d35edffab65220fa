"""Something that happened on the node: to which pod and interface, and who says so."""

from __future__ import annotations

from dataclasses import dataclass, field

JOURNAL, LOG, KERNEL = "journal", "log", "kernel"


@dataclass(slots=True)
class Event:
    """`pod` is NAMESPACE/NAME where it is known; `good` tells whether it is a success, None for neither."""

    source: str
    what: str
    pod: str = ""
    container: str = ""
    interface: str = ""
    good: bool | None = None
    more: dict[str, object] = field(default_factory=dict)
    """What programs may want to know besides."""
    names: tuple[str, ...] = ()
    """What else the pod is called by: its UID."""

    def is_of(self, wanted: str) -> bool:
        """Whether it is of the pod NAME, NAMESPACE/NAME or UID, or of the container whose ID begins so."""
        if self.pod and wanted in (self.pod, self.pod.partition("/")[2], *self.names):
            return True
        return len(wanted) >= 4 and bool(self.container) and self.container.startswith(wanted[: len(self.container)])

    def to_json(self, seconds: float, time: str) -> dict[str, object]:
        """What there is to tell, after so many seconds of watching."""
        told = {
            "seconds": round(seconds, 3),
            "time": time,
            "source": self.source,
            "pod": self.pod,
            "container": self.container,
            "interface": self.interface,
            "what": self.what,
        }
        return {key: value for key, value in told.items() if value != ""} | self.more
