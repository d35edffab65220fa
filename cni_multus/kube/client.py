"""A request's client of the API server: each verb once, with its path, its query and what it sends.

How one is sent, and sent again, stands in `session`.
"""

from __future__ import annotations

import time

from cni_multus import spent
from cni_multus.kube.answers import Call
from cni_multus.kube.errors import BadAnswer, Expired
from cni_multus.kube.objects import escape
from cni_multus.kube.session import ATTEMPT, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from cni_multus.kube.credentials import Access
    from cni_multus.kube.deadline import Deadline

    Document = dict[str, object]

LARGEST_LIST = 32 << 20
"""The most bytes of a part of a list."""

_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_JSON = "application/json"
_JSON_PATCH = "application/json-patch+json"
_MERGE_PATCH = "application/merge-patch+json"


class Client:
    """`with Client(access, deadline) as client:` nothing is connected before the first call.

    It belongs to one request and one thread. `attempt` is the time for one answer, in seconds, and `renewal` that for
    which another token is waited for where the server does not take the one in the file.
    """

    def __init__(self, access: Access, deadline: Deadline, *, attempt: float = ATTEMPT, renewal: float = 0.0) -> None:
        self._session = Session(access, deadline, attempt, renewal)
        self._attempt = attempt
        self._deadline = deadline

    @property
    def access(self) -> Access:
        """Where the server is and who we are there, as last read."""
        return self._session.access

    @property
    def calls(self) -> int:
        """How many requests were sent, repeats included."""
        return self._session.calls

    @property
    def descriptor(self) -> int:
        """That of the open connection, -1 where there is none."""
        return self._session.descriptor

    def go_on(self, deadline: Deadline) -> None:
        """Do what comes now by another deadline: the same connection for another piece of work."""
        self._deadline = deadline
        self._session.go_on(deadline)

    def get(self, path: str, *, resource_version: str = "", metadata_only: bool = False) -> Document:
        """An object; `resource_version` "0" takes the server's cache, which may be a little behind."""
        query = f"?resourceVersion={escape(resource_version)}" if resource_version else ""
        return self._perform(Call("get", path, query, accept=_METADATA if metadata_only else _JSON))

    def list(
        self, path: str, *, labels: str = "", fields: str = "", metadata_only: bool = False, limit: int = 500
    ) -> Iterator[Document]:
        """The objects of a collection, asked for `limit` at a time; raises Expired where that took too long."""
        selection = f"?limit={limit}"
        selection += f"&labelSelector={escape(labels)}" if labels else ""
        selection += f"&fieldSelector={escape(fields)}" if fields else ""
        accept = _METADATA_LIST if metadata_only else _JSON
        position = ""
        while True:
            query = selection + (f"&continue={escape(position)}" if position else "")
            call = Call("list", path, query, accept=accept, largest=LARGEST_LIST)
            try:
                part = self._perform(call)
            except Expired as expired:
                # The rest as it is now, where the server offers that: nothing is twice in it, nor missing for long.
                if not position or expired.report.continue_at in {"", position}:
                    raise
                position = expired.report.continue_at
                continue
            items, position = _items(call, part, position)
            yield from items
            if not position:
                return

    def create(self, path: str, content: object, *, metadata_only: bool = False, repeatable: bool = False) -> Document:
        """Make an object of a collection; raises AlreadyExists."""
        return self._change("create", path, content, _JSON, metadata_only, repeatable)

    def patch(
        self, path: str, operations: object, *, metadata_only: bool = False, repeatable: bool = False
    ) -> Document:
        """Change an object by the operations of a JSON patch (RFC 6902); raises Unprocessable where a test fails."""
        return self._change("patch", path, operations, _JSON_PATCH, metadata_only, repeatable)

    def merge_patch(
        self, path: str, content: object, *, subresource: str = "", metadata_only: bool = False, repeatable: bool = True
    ) -> Document:
        """Lay a part of an object over it (RFC 7396)."""
        path += f"/{subresource}" if subresource else ""
        return self._change("patch", path, content, _MERGE_PATCH, metadata_only, repeatable)

    def delete(self, path: str, *, uid: str = "", resource_version: str = "", repeatable: bool = False) -> Document:
        """Remove an object, only if it has this UID, and is as it was, where that is given; NotFound, Conflict."""
        options: Document = {"apiVersion": "v1", "kind": "DeleteOptions"}
        given = {"uid": uid, "resourceVersion": resource_version}
        if preconditions := {name: value for name, value in given.items() if value}:
            options["preconditions"] = preconditions
        return self._change("delete", path, options, _JSON, metadata_only=False, repeatable=repeatable)

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        self._session.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _change(
        self, verb: str, path: str, content: object, content_type: str, metadata_only: bool, repeatable: bool
    ) -> Document:
        # The server gives up no later than we do: what we stop waiting for does not happen long after.
        seconds = max(1, int(min(self._attempt, self._deadline.left())))
        accept = _METADATA if metadata_only else _JSON
        call = Call(verb, path, f"?timeout={seconds}s", accept=accept, repeatable=repeatable)
        call.carry(content, content_type)
        answer = self._perform(call)
        if not _is_about(answer, verb, path, content):
            raise BadAnswer(f"{call}: the answer is about another object", ambiguous=True)
        return answer

    def _perform(self, call: Call) -> Document:
        begun = time.monotonic()
        try:
            return self._session.perform(call)
        finally:
            spent.note(spent.API, begun)


def _is_about(answer: Document, verb: str, path: str, content: object) -> bool:
    """Whether the answer to a change tells of the object that was to be changed: else nobody knows what was done."""
    metadata = answer["metadata"]
    told = metadata.get("name") if isinstance(metadata, dict) else None
    if verb != "create":
        return told in path.split("/") or (verb == "delete" and answer["kind"] == "Status")
    sent = content.get("metadata") if isinstance(content, dict) else None
    return not isinstance(sent, dict) or sent.get("name") in (None, told)


def _items(call: Call, part: Document, position: str) -> tuple[list[Document], str]:
    """The objects of a part of a list, and where the next part begins."""
    items = part.get("items")
    metadata = part["metadata"]
    following = metadata.get("continue") if isinstance(metadata, dict) else None
    if items is None:
        items = []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise BadAnswer(f"{call}: the answer is no list of objects")
    if following and (not isinstance(following, str) or following == position):
        raise BadAnswer(f"{call}: the list does not go on")
    return items, following or ""
