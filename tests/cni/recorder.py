"""A conversation held in the test's own process, with a plugin that tells what it was asked."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

from cni_multus.cni.config import Section
from cni_multus.cni.conversation import hold
from cni_multus.cni.result import Result
from cni_multus.cni.verbs import Plugin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from io import FileIO
    from typing import BinaryIO

    from cni_multus.cni.request import Request

    Readable = BinaryIO | FileIO


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
        stdin: bytes | Readable,
        stdout: BytesIO | None = None,
        stderr: BytesIO | None = None,
    ) -> None:
        self._stdout = stdout or BytesIO()
        self._stderr = stderr or BytesIO()
        source = BytesIO(stdin) if isinstance(stdin, bytes) else stdin
        load = (lambda: plugin) if isinstance(plugin, Plugin) else plugin
        self.status = hold(load, environment, source, self._stdout, self._stderr)

    @property
    def stdout(self) -> bytes:
        return self._stdout.getvalue()

    @property
    def stderr(self) -> str:
        return self._stderr.getvalue().decode()

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


VERBS = ["ADD", "DEL", "CHECK", "GC", "STATUS"]
ENVIRONMENT = {"CNI_CONTAINERID": "pod-1", "CNI_NETNS": "/run/netns/pod", "CNI_IFNAME": "eth0"}
CONFIG: dict[str, Any] = {"cniVersion": "1.1.0", "name": "net", "type": "recorder"}
RESULT = Result.parse(Section({"ips": [{"address": "10.0.0.2/24"}]}), "1.1.0")


def say(plugin: Plugin, command: str = "ADD", stdin: bytes | Readable | None = None, **keys: Any) -> Conversation:
    """One complete call; `keys` change the configuration."""
    if stdin is None:
        stdin = json.dumps({**CONFIG, **keys}).encode()
    return Conversation(plugin, {"CNI_COMMAND": command, **ENVIRONMENT}, stdin)
