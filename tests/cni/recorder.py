"""A conversation held in the test's own process, with a plugin that tells what it was asked."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

from cni_multus.cni.conversation import hold
from cni_multus.cni.result import Result
from cni_multus.cni.verbs import Plugin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO

    from cni_multus.cni.request import Request


class Recorder(Plugin):
    """A plugin that keeps every request it gets, and answers an ADD with `result`, anything with `failure`."""

    def __init__(self, result: Result | None = None, failure: BaseException | None = None) -> None:
        self.result = result or Result()
        self.failure = failure
        self.asked: list[tuple[str, Request]] = []

    @property
    def verbs(self) -> list[str]:
        return [verb for verb, _ in self.asked]

    def add(self, request: Request) -> Result:
        self._answer("ADD", request)
        return self.result

    def delete(self, request: Request) -> None:
        self._answer("DEL", request)

    def check(self, request: Request) -> None:
        self._answer("CHECK", request)

    def status(self, request: Request) -> None:
        self._answer("STATUS", request)

    def collect_garbage(self, request: Request) -> None:
        self._answer("GC", request)

    def _answer(self, verb: str, request: Request) -> None:
        self.asked.append((verb, request))
        if self.failure is not None:
            raise self.failure


class Conversation:
    """One call of `plugin`: what it printed, and how it ended."""

    def __init__(
        self,
        plugin: Plugin | Callable[[], Plugin],
        environment: Mapping[str, str],
        stdin: bytes | BinaryIO,
        stdout: BytesIO | None = None,
    ) -> None:
        self.streams = BytesIO(), stdout or BytesIO(), BytesIO()
        source = BytesIO(stdin) if isinstance(stdin, bytes) else stdin
        load = (lambda: plugin) if isinstance(plugin, Plugin) else plugin
        self.status = hold(load, environment, source, self.streams[1], self.streams[2])

    @property
    def stdout(self) -> bytes:
        return self.streams[1].getvalue()

    @property
    def stderr(self) -> str:
        return self.streams[2].getvalue().decode()

    @property
    def answer(self) -> dict[str, Any]:
        """The one document on standard output."""
        document = json.loads(self.stdout)
        assert isinstance(document, dict)
        return document

    def failed(self, code: int) -> str:
        """The message of the error, which must be complete and have this code."""
        assert self.status == 1
        assert self.answer["code"] == code, self.answer
        assert {"cniVersion", "code", "msg"} <= set(self.answer) <= {"cniVersion", "code", "msg", "details"}
        return str(self.answer["msg"])
