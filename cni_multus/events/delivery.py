"""Everything in the spool to the API server, oldest first, by one process at a time; it knows nothing of processes.

Each ends in one of three ways: delivered (or there already: an earlier delivery was not heard of), dropped, since the
server will never take it, or kept for the next delivery.
"""

from __future__ import annotations

import time

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError, TryAgainLater
from cni_multus.events.event import EVENTS, WARNING
from cni_multus.kube.client import Client
from cni_multus.kube.deadline import Deadline, backoff
from cni_multus.kube.errors import (
    AlreadyExists,
    Forbidden,
    NotFound,
    NotServed,
    Refused,
    TooLarge,
    Unauthorized,
    Unprocessable,
)
from cni_multus.state.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.events.event import Event
    from cni_multus.events.spool import Spool
    from cni_multus.kube.credentials import Access

    Say = Callable[[str], None]

EACH = 10.0
"""Seconds for one event: what the server cannot take now must not keep the others waiting."""
SEVERAL = 3
"""So many namespaces for which the server fails, or which it refuses, are the server's fault, or the account's."""
MOST_NAMED = 5
"""So many files are named that are in the way."""
LEAST = 0.2
"""Seconds that must be left for another attempt."""


def deliver(
    spool: Spool, access: Callable[[], Access], client: Client | None, deadline: Deadline, say: Say = lambda _: None
) -> None:
    """Deliver what is in the spool, and what comes meanwhile, until the deadline; `say` hears what is not delivered.

    A `client` that is given is used in place of a new one; it is closed. Raises nothing that is foreseen.
    """
    _Delivery(spool, access, client, deadline, say).run()


class _Delivery:
    """One process's."""

    def __init__(
        self, spool: Spool, access: Callable[[], Access], client: Client | None, deadline: Deadline, say: Say
    ) -> None:
        self._spool = spool
        self._access = access
        self._client = client
        self._deadline = deadline
        self._say = say
        self._each = Deadline(0)
        self._kept: set[str] = set()
        """Events that are not tried again in this delivery."""
        self._refusing: set[str] = set()
        """Namespaces in which we may not make any."""
        self._failed = ""
        """The last that the server could not take."""

    def run(self) -> None:
        """Until nothing is left to do; whatever came while the lock was being given back is not left to chance."""
        try:
            while self._to_do() and self._take_turn():
                pass
        except CniError as error:
            self._say(f"Events wait for the next request: {error}")
        finally:
            if self._client:
                self._client.close()

    def _to_do(self) -> list[str]:
        return [name for name in self._spool.waiting() if name not in self._kept]

    def _take_turn(self) -> bool:
        """Deliver until nothing is left; False where another process does, which will see what we see."""
        turn = Lock(self._spool.lock, "deliver Events", wait=0)
        try:
            turn.__enter__()
        except TryAgainLater:
            return False
        try:
            if strangers := self._spool.sweep():
                self._say(f"{self._spool.directory}: passed over what is no Event: {', '.join(strangers[:MOST_NAMED])}")
            self._empty()
        finally:
            turn.__exit__(None, None, None)
        return True

    def _empty(self) -> None:
        """Deliver until nothing is left; raises what the server says where the time is over before."""
        attempts = 0
        while names := self._to_do():
            failure = self._go_round(names)
            if failure is None:
                attempts = 0
                continue
            wait = getattr(failure, "retry_after", 0.0) + backoff(attempts)
            if wait >= self._deadline.left() - LEAST:
                raise failure
            time.sleep(wait)
            attempts += 1

    def _go_round(self, names: list[str]) -> TryAgainLater | None:
        """Each of them once, those behind the last failure first; what the server could not take now, if anything."""
        failure: TryAgainLater | None = None
        failing: set[str] = set()
        for name in sorted(names, key=lambda name: (name <= self._failed, name)):
            event = self._event(name)
            if event is None or event.namespace in failing:
                continue
            if self._deadline.left() < LEAST:
                return failure or TryAgainLater("there are more than can be delivered in time")
            try:
                self._hand_in(name, event)
            except TryAgainLater as error:
                self._failed = name
                failure = error
                failing.add(event.namespace)
                if len(failing) == SEVERAL:
                    break
        return failure

    def _hand_in(self, name: str, event: Event) -> None:
        """Raises TryAgainLater where it may be taken later, CniError where nothing will be taken."""
        if event.namespace in self._refusing:
            self._kept.add(name)
            return
        try:
            self._create(event)
        except AlreadyExists:
            if event.kind == WARNING:
                self._count(event)
        except (Unauthorized, NotServed):
            raise
        except Refused as error:
            if not _is_final(error):
                self._keep(name, event, error)
                return
            self._say(f"the Event {event.reason} is lost: {error}")
        self._forget(name)

    def _count(self, event: Event) -> None:
        """One more of a warning that is there, unless this one is counted already."""
        assert self._client is not None
        path = EVENTS.path(event.namespace, event.name)
        try:
            found = Section(self._client.get(path))
            if found.text("lastTimestamp") >= event.when:
                return
            change = {
                "metadata": {"resourceVersion": found.section("metadata").text("resourceVersion")},
                "lastTimestamp": event.when,
                "count": found.number("count", 1) + 1,
            }
            self._client.merge_patch(path, change, metadata_only=True)
        except NotFound as error:
            raise TryAgainLater(f"the Event {event.name} went as its time was over: {error.message}") from error
        except Refused:
            return  # it is there, and that is what matters

    def _keep(self, name: str, event: Event, error: Refused) -> None:
        """For the next delivery, with all of its namespace; raises `error` where that goes on and on."""
        self._kept.add(name)
        self._refusing.add(event.namespace)
        if len(self._refusing) == SEVERAL:
            raise error
        self._say(f"the Event {event.reason} waits for the next request: {error}")

    def _event(self, name: str) -> Event | None:
        """The event, if the file holds one that can be asked for; if not, the file goes."""
        try:
            event = self._spool.read(name)
            if event:
                EVENTS.path(event.namespace)
            return event
        except CniError as error:
            self._say(f"dropped: {error}")
        self._forget(name)
        return None

    def _forget(self, name: str) -> None:
        """Remove the file; one that cannot be removed is not looked at again."""
        self._kept.add(name)
        try:
            self._spool.remove(name)
        except CniError as error:
            self._say(str(error))

    def _create(self, event: Event) -> None:
        if self._client is None:
            self._client = Client(self._access(), self._each)
        else:
            self._client.go_on(self._each)
        self._each.seconds = min(EACH, self._deadline.left())
        self._each.begin_again()
        # What may have been done is not repeated here but with the next round: the others come first.
        self._client.create(EVENTS.path(event.namespace), event.document(), metadata_only=True)


def _is_final(error: Refused) -> bool:
    """Whether the server will never take this one: it is wrong, or its namespace is gone, or going."""
    return (
        isinstance(error, (NotFound, TooLarge, Unprocessable))
        or error.reason == "BadRequest"
        or (isinstance(error, Forbidden) and "is being terminated" in error.said)
    )
