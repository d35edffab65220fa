"""One request's way to the API server: a connection that is kept, and calls that are repeated where that is safe.

How often follows from what went wrong: a server that is gone is tried for `GONE` seconds only, since the runtime comes
back anyway; one that is busy or failing until the deadline. Credentials that are not taken are read again, once.

A node's token is that of a pod, and while this is replaced it is nobody's, until the next one writes its own (a server
may know that one a moment later, too). Requests that may wait ask again whenever there is another token, and now and
then; whoever may not is told at once.
"""

from __future__ import annotations

import time

from cni_multus import VERSION
from cni_multus.cni.errors import CniError
from cni_multus.kube.answers import document
from cni_multus.kube.connection import Connection
from cni_multus.kube.deadline import Deadline, backoff
from cni_multus.kube.errors import (
    BadAnswer,
    Lost,
    NotRenewed,
    NotTrusted,
    TimedOut,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from cni_multus.kube.exchange import CutOff, Malformed, head, receive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.kube.answers import Call
    from cni_multus.kube.credentials import Access
    from cni_multus.kube.exchange import Answer

ATTEMPT = 15.0
"""Seconds for one answer: a server that takes two is slow, one that takes these has lost the request."""
LEAST = 0.1
"""Seconds that must be left for another attempt."""
GONE = 1.5
"""Seconds that a server which refuses connections is tried for: its balancer may know another one by then."""
GLANCE = 0.25
"""Seconds between two looks at a token that is to be another one."""
AGAIN = 1.0
"""Seconds after which the same token is tried again."""


class Session:
    """The connection, the token as it is now, and the time that is left."""

    def __init__(self, access: Access, deadline: Deadline, attempt: float, renewal: float = 0.0) -> None:
        self.access = access
        self.calls = 0
        self._deadline = deadline
        self._attempt = attempt
        self._renewal = renewal
        self._bearer: str | None = None
        self._connection: Connection | None = None

    def perform(self, call: Call) -> dict[str, object]:
        """What the server answers, at last; raises what the class of the failure says."""
        if self._deadline.passed():
            raise TimedOut(f"{call}: the {self._deadline.seconds:.0f} s that this request had are over")
        began = time.monotonic()
        gone = Deadline(GONE)
        renewal: Deadline | None = None
        repeats, doubtful, renewed = 0, False, False
        while True:
            try:
                return self._try(call)
            except Unauthorized as error:
                if not renewed and self._try_to_renew():
                    renewed = True
                    continue
                renewal = renewal or Deadline(min(self._renewal, self._deadline.left() - LEAST))
                self._await_renewal(error, renewal)
                continue
            except Unavailable as error:
                doubtful = error.ambiguous = doubtful or error.ambiguous
                is_gone = isinstance(error, Unreachable)
                wait = error.retry_after + backoff(repeats)
                is_over = wait >= self._deadline.left() - LEAST or (is_gone and wait >= gone.left())
                if is_over or (doubtful and not call.repeatable):
                    error.details = f"tried {repeats + 1} times in {time.monotonic() - began:.1f} s"
                    raise
                if not is_gone:
                    gone = Deadline(wait + GONE)
            time.sleep(wait)
            repeats += 1

    @property
    def descriptor(self) -> int:
        """That of the open connection, -1 where there is none."""
        return self._connection.descriptor if self._connection else -1

    def go_on(self, deadline: Deadline) -> None:
        """Do what comes now by another deadline."""
        self._deadline = deadline

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._connection:
            self._connection.close()
        self._connection = None

    def _try(self, call: Call) -> dict[str, object]:
        attempt = f"{call} at {self.access.server}"
        deadline = Deadline(min(self._attempt, self._deadline.left()))
        if self._bearer is None:
            self._bearer = self.access.bearer()
        elif 0 < self.access.expires <= time.time():
            self._renew()
        before = self.calls
        try:
            answer = self._exchange(call, deadline)
        except Unreachable as error:
            raise Unreachable(f"{attempt}: {error.message}") from error
        except (CutOff, Malformed, OSError) as error:
            in_doubt = call.changes and self.calls > before
            raise _failure(error, attempt, deadline, in_doubt=in_doubt) from error
        return document(call, answer, attempt, self._bearer)

    def _exchange(self, call: Call, deadline: Deadline) -> Answer:
        """Raises what the connection does; the connection is not used again then."""
        connection = self._connect(deadline)
        try:
            data = head(call.method, self.access.prefix + call.path + call.query, self._headers(call)) + call.body
            self.calls += 1
            connection.send(data, deadline)
            answer = receive(connection, deadline, call.largest)
        except BaseException:
            self.close()
            raise
        if not answer.keeps:
            self.close()
        return answer

    def _connect(self, deadline: Deadline) -> Connection:
        if self._connection and not self._connection.is_quiet():
            self.close()
        if self._connection is None:
            try:
                self._connection = Connection(self.access, deadline)
            except ConnectionError as error:
                raise Unreachable(f"the connection broke while TLS was agreed on: {error}") from error
        return self._connection

    def _headers(self, call: Call) -> dict[str, str]:
        host = self.access.host.partition("%")[0]
        headers = {
            "Host": f"[{host}]:{self.access.port}" if ":" in host else f"{host}:{self.access.port}",
            "User-Agent": f"multus/{VERSION}",
            "Accept": call.accept,
        }
        if self._bearer:
            headers["Authorization"] = f"Bearer {self._bearer}"
        if call.body:
            headers["Content-Type"] = call.content_type
            headers["Content-Length"] = str(len(call.body))
        return headers

    def _renew(self) -> bool:
        """Read the credentials again; False where they are what they were."""
        before = (self._bearer, self.access.certificate, self.access.key)
        self.access = self.access.read_again()
        self._bearer = self.access.bearer()
        self.close()
        return before != (self._bearer, self.access.certificate, self.access.key)

    def _await_renewal(self, refused: Unauthorized, patience: Deadline) -> None:
        """Until it is worth asking again; raises `refused` where that is not waited for, NotRenewed when it is over."""
        if self._renewal <= 0 or not self.access.token_file:
            raise refused
        again = Deadline(AGAIN)
        time.sleep(GLANCE)
        while not patience.passed():
            if self._try_to_renew() or again.passed():
                return
            time.sleep(GLANCE)
        raise NotRenewed(
            f"{refused.message}; no other token came to {self.access.token_file} within {patience.seconds:.0f} s: "
            "`multus node watch` writes it there, is its pod running on this node?",
            refused.report,
        ) from refused

    def _try_to_renew(self) -> bool:
        """The same; for those who wait for it, a token that cannot be read is one that is just being written."""
        try:
            return self._renew()
        except CniError:
            if self._renewal <= 0:
                raise
            return False


def _failure(error: Exception, attempt: str, deadline: Deadline, *, in_doubt: bool) -> CniError:
    """What it means that there was no answer."""
    if isinstance(error, TimeoutError):
        return TimedOut(f"{attempt}: no answer within {deadline.seconds:.1f} s", ambiguous=in_doubt)
    if isinstance(error, Malformed):
        return BadAnswer(f"{attempt}: the answer is not an API server's: {error}", ambiguous=in_doubt)
    reason = str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error)
    said = reason.replace("_", " ").lower()
    if "alert" in said:
        return NotTrusted(f"{attempt}: the server ends TLS: {said}")
    return Lost(f"{attempt}: {said}", ambiguous=in_doubt)
