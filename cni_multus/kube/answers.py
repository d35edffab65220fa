"""What the API server's answers mean: an object, or one of the errors; it opens no connection.

What a refusal says is believed only where it is a `Status` object, as the API server sends: something between it and us
that says 404 does not know whether the object is there.
"""

from __future__ import annotations

from cni_multus.cni.document import parse_object, print_compact
from cni_multus.cni.errors import CniError, DecodingFailure
from cni_multus.kube.errors import (
    AlreadyExists,
    BadAnswer,
    Busy,
    Conflict,
    Expired,
    Forbidden,
    NotFound,
    NotServed,
    Refused,
    Report,
    ServerFailed,
    TooLarge,
    Unauthorized,
    Unprocessable,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cni_multus.kube.exchange import Answer

LARGEST = 8 << 20
"""The most bytes of an answer with one object: etcd takes objects of 1.5 MiB, or what an operator sets."""

MOST_SAID = 400
"""How much of the server's own words is passed on."""

RETRIED = frozenset({429, 500, 502, 503, 504})
"""What may be otherwise the next time."""

_METHODS = {"get": "GET", "list": "GET", "create": "POST", "patch": "PATCH", "delete": "DELETE"}
_TOO_LARGE = ("request is too large", "larger than max", "entity too large")
"""Of an object that exceeds their limits: what etcd (with status 500), its client and the API server say."""


class Call:
    """What is asked: RBAC's verb, path and query, a body, and whether it may be asked twice."""

    __slots__ = ("accept", "body", "content_type", "largest", "path", "query", "repeatable", "verb")

    def __init__(
        self, verb: str, path: str, query: str, *, accept: str, largest: int = LARGEST, repeatable: bool = True
    ) -> None:
        self.verb = verb
        self.path = path
        self.query = query
        self.accept = accept
        self.largest = largest
        """The most bytes of its answer."""
        self.repeatable = repeatable
        self.body = b""
        self.content_type = ""

    @property
    def method(self) -> str:
        """HTTP's word for the verb."""
        return _METHODS[self.verb]

    @property
    def changes(self) -> bool:
        """Whether something is different afterwards."""
        return self.method != "GET"

    def carry(self, content: object, content_type: str) -> None:
        """Give it a body."""
        self.body = print_compact(content)
        self.content_type = content_type

    def __str__(self) -> str:
        return f"cannot {self.verb} {self.path}"


_SURELY_A_TOKEN = 16
"""Characters from which on nothing else in an object is one by chance."""


def document(call: Call, answer: Answer, attempt: str, token: str) -> dict[str, object]:
    """The object that the server sent, or the error that it means: `attempt` failed. `token` is not shown."""
    if 300 <= answer.status < 400:
        raise BadAnswer(
            f"{attempt}: it answers with a redirect ({answer.status}), which an API server does not",
            "the URL in the kubeconfig has to be the API server's own",
        )
    if answer.status >= 400:
        raise _refusal(call, answer, attempt, token)
    body = answer.body
    if len(token) >= _SURELY_A_TOKEN:
        body = body.replace(token.encode(), b"***")
    try:
        found = parse_object(body, "the answer", call.largest)
    except DecodingFailure as error:
        raise BadAnswer(f"{attempt}: {error.message}", ambiguous=call.changes) from error
    if not isinstance(found.get("metadata"), dict) or not isinstance(found.get("kind"), str):
        raise BadAnswer(f"{attempt}: the answer is no object of Kubernetes", ambiguous=call.changes)
    return found


def _refusal(call: Call, answer: Answer, attempt: str, token: str) -> CniError:
    report = Report(answer.status)
    status = _status(answer)
    if status is None:
        report.said = _shorten(answer.body[:MOST_SAID].decode("ascii", "replace"), token)
    else:
        _fill(report, status, token)
    message = f"{attempt}: {answer.status}"
    if report.reason or report.said:
        message += f" {report.reason}{': ' if report.reason and report.said else ''}{report.said}"
    if answer.status in RETRIED and not any(word in report.said for word in _TOO_LARGE):
        wait = answer.headers.get(b"retry-after", b"")
        patience = float(wait) if wait.isdigit() and len(wait) < 10 else 0.0
        if answer.status == 429:
            return Busy(message, retry_after=patience)
        return ServerFailed(message, ambiguous=call.changes, retry_after=patience)
    return _refused(call, report, message, is_trusted=status is not None)


def _refused(call: Call, report: Report, message: str, *, is_trusted: bool) -> CniError:
    if report.status == 401:
        return Unauthorized(f"{message}; the credentials are wrong, or have expired", report)
    if report.status == 403:
        return Forbidden(f"{message}; the account needs the verb {call.verb!r} on this (RBAC)", report)
    if report.status == 413 or any(word in report.said for word in _TOO_LARGE):
        return TooLarge(message, report)
    if report.status == 404 and not (is_trusted and report.name):
        return NotServed(f"{message}; the kind is not installed in the cluster, or this is no API server", report)
    if not is_trusted:
        return Refused(message, report)
    if report.status == 409 and report.reason != "AlreadyExists":
        return Conflict(message, report)
    kinds = {404: NotFound, 409: AlreadyExists, 410: Expired, 422: Unprocessable}
    return kinds.get(report.status, Refused)(message, report)


def _status(answer: Answer) -> dict[str, object] | None:
    try:
        found = parse_object(answer.body, "the answer")
    except DecodingFailure:
        return None
    return found if found.get("kind") == "Status" and found.get("apiVersion") == "v1" else None


def _fill(report: Report, status: Mapping[str, object], token: str) -> None:
    details = _object(status, "details")
    report.reason = _text(status, "reason")
    report.said = _shorten(_text(status, "message"), token)
    report.kind = _text(details, "kind")
    report.name = _text(details, "name")
    report.continue_at = _text(_object(status, "metadata"), "continue")
    causes = details.get("causes")
    if isinstance(causes, list):
        report.causes = tuple(_text(cause, "message") for cause in causes if isinstance(cause, dict))


def _object(within: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = within.get(key)
    return value if isinstance(value, dict) else {}


def _text(within: Mapping[str, object], key: str) -> str:
    value = within.get(key)
    return value if isinstance(value, str) else ""


def _shorten(text: str, token: str) -> str:
    """One line of at most `MOST_SAID` characters; a server that repeats our token does not make us tell it."""
    if token:
        text = text.replace(token, "***")
    line = " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())
    return line if len(line) <= MOST_SAID else f"{line[:MOST_SAID]} ..."
