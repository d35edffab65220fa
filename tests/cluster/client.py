"""Requests to an API server by the standard library, one connection each: what the tests say, and what they see."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    document: Document
    headers: Mapping[str, str]
    size: int

    def expect(self, status: int) -> Document:
        """The document, which must have come with this status."""
        assert self.status == status, (self.status, self.document)
        return self.document

    @property
    def message(self) -> str:
        """What the server says about a failure."""
        return str(self.document.get("message", ""))


class Client:
    """Requests in somebody's name."""

    def __init__(self, url: str, ca: Path, token: str) -> None:
        self._place = urlsplit(url).netloc
        self._context = ssl.create_default_context(cafile=ca)
        self._token = token

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = JSON,
        accept: str = JSON,
        token: str | None = None,
        timeout: float = 100,
    ) -> Reply:
        """One request; `body` becomes JSON unless it is bytes already."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token or self._token}", "Content-Type": content_type, "Accept": accept}
        connection = http.client.HTTPSConnection(self._place, context=self._context, timeout=timeout)
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        return Reply(response.status, parsed(answer), dict(response.headers), len(answer))

    def get(self, path: str, **options: Any) -> Reply:
        """One object, or a list."""
        return self.call("GET", path, **options)

    def post(self, path: str, body: object, **options: Any) -> Reply:
        """Create an object; the path is the collection's."""
        return self.call("POST", path, body, **options)

    def put(self, path: str, body: object, **options: Any) -> Reply:
        """Replace an object."""
        return self.call("PUT", path, body, **options)

    def delete(self, path: str, body: object = None, **options: Any) -> Reply:
        """Remove an object; the body may be a DeleteOptions."""
        return self.call("DELETE", path, body, **options)

    def json_patch(self, path: str, operations: Sequence[Document], **options: Any) -> Reply:
        """Change an object by operations, all of them or none."""
        return self.call("PATCH", path, list(operations), content_type=JSON_PATCH, **options)

    def merge_patch(self, path: str, body: object, **options: Any) -> Reply:
        """Change the members that are named."""
        return self.call("PATCH", path, body, content_type=MERGE_PATCH, **options)


def parsed(answer: bytes) -> Document:
    """A JSON object, or the text of what is none."""
    try:
        document = json.loads(answer)
    except ValueError:
        return {"message": answer.decode(errors="replace")}
    return document if isinstance(document, dict) else {"value": document}
