"""A look at a sandbox while no other request works for it, which changes nothing: CHECK."""

from __future__ import annotations

from cni_multus.cni.errors import IoFailure
from cni_multus.multus.records import TURN_WAIT
from cni_multus.state.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from cni_multus.state.journal import Journal


class Look:
    """`with Look(journal, container_id, ifname):` as `Turn`, but no file is made; without one nobody is waited for."""

    __slots__ = ("_is_held", "_lock")

    def __init__(self, journal: Journal, container_id: str, ifname: str) -> None:
        attempt = f"another request for container {container_id} is under way"
        self._lock = Lock(journal.path(container_id, ifname), attempt, wait=TURN_WAIT, flags=0)
        self._is_held = False

    def __enter__(self) -> None:
        try:
            self._lock.__enter__()
        except IoFailure:
            return  # there is no record (any more); why it cannot be read is told by who reads it
        self._is_held = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_held:
            self._lock.__exit__(kind, error, trace)
