"""What a runtime passes: standard input, the environment, the result of the plugin before."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING

from cni_multus.cni.config import Section
from cni_multus.cni.conversation import hold
from cni_multus.cni.document import parse_object
from cni_multus.cni.request import VERBS, Request
from cni_multus.cni.result import Result
from cni_multus.cni.verbs import Plugin
from cni_multus.cni.versions import SUPPORTED
from tests.fuzz.seeds import CONFLISTS, MULTUS, PLUGINS, RESULT, printed
from tests.fuzz.target import target

if TYPE_CHECKING:
    from collections.abc import Iterable

NETNS = "/run/netns/nowhere"
ENVIRONMENT = {
    "CNI_CONTAINERID": "c1",
    "CNI_IFNAME": "eth0",
    "CNI_NETNS": NETNS,
    "CNI_PATH": "/run/fuzz/bin",
    "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_UID=u1",
}
REFUSED = frozenset({1, 3, 4, 6, 7})


class Quiet(Plugin):
    """A plugin that does nothing, and says so."""

    def add(self, request: Request) -> Result:
        return request.previous or Result()

    def delete(self, request: Request) -> None: ...

    def check(self, request: Request) -> None: ...

    def status(self, request: Request) -> None: ...

    def collect_garbage(self, request: Request) -> None: ...


def answered(plugin: Plugin, environment: dict[str, str], stdin: bytes) -> int:
    """The code of the answer, 0 without an error; an answer that is not one document is a violation."""
    stdout, stderr = BytesIO(), BytesIO()
    status = hold(lambda: plugin, environment, BytesIO(stdin), stdout, stderr)
    said = stdout.getvalue()
    if status == 0:
        assert not said or isinstance(json.loads(said), dict), said
        return 0
    document = json.loads(said)
    assert {"cniVersion", "code", "msg"} <= document.keys() <= {"cniVersion", "code", "msg", "details"}, document
    assert document["code"] != 999, stderr.getvalue().decode()
    assert document["cniVersion"] in SUPPORTED
    code = document["code"]
    assert isinstance(code, int)
    return code


def configurations() -> Iterable[bytes]:
    yield from CONFLISTS[:6]
    yield from MULTUS
    for plugin in PLUGINS[:8]:
        yield printed({**plugin, "prevResult": RESULT})


@target(seeds=configurations, words=("name", "cniVersion", "prevResult", "cni.dev/valid-attachments"))
def stdin(data: bytes) -> None:
    for verb in VERBS:
        code = answered(Quiet(), {**ENVIRONMENT, "CNI_COMMAND": verb}, data)
        assert code in REFUSED | {0}, code


def environments() -> Iterable[bytes]:
    for verb in VERBS:
        yield printed({**ENVIRONMENT, "CNI_COMMAND": verb})
    yield printed({**ENVIRONMENT, "CNI_COMMAND": "DEL", "CNI_NETNS": "", "CNI_ARGS": "IP=10.0.0.1;MAC=x;a=b"})
    yield printed({**ENVIRONMENT, "CNI_COMMAND": "ADD", "CNI_NETNS_OVERRIDE": "true", "CNI_NETNS": "/proc/self/ns/net"})


@target(seeds=environments, words=(*ENVIRONMENT, "IgnoreUnknown=", ";", "K8S_POD_NAME=", "CNI_COMMAND", *VERBS))
def environment(data: bytes) -> None:
    try:
        given = json.loads(data)
    except (ValueError, RecursionError):
        given = {"CNI_COMMAND": "ADD", "CNI_ARGS": data.decode("utf-8", "surrogateescape").replace("\0", "")}
    if not isinstance(given, dict):
        return
    # What a kernel hands over: bytes without NUL.
    variables = {str(key): str(value).replace("\0", "") for key, value in given.items()}
    soundly = {key: value.encode(errors="replace").decode() for key, value in variables.items()}
    code = answered(Quiet(), soundly, printed({"cniVersion": "1.1.0", "name": "net", "type": "quiet"}))
    assert code in {0, 4, 7, 8}, code


def results() -> Iterable[bytes]:
    yield printed(RESULT)
    yield printed({**RESULT, "cniVersion": "0.4.0", "x": {"y": 1}})
    legacy = {"ip": "10.0.0.5/24", "gateway": "10.0.0.1", "routes": [{"dst": "0.0.0.0/0"}]}
    yield printed({"cniVersion": "0.2.0", "ip4": legacy, "ip6": {"ip": "fd00::5/64"}, "dns": RESULT["dns"]})


@target(1, 6, 7, seeds=results, words=(*SUPPORTED, "ip4", "interface", "gw", "dst", "10.0.0.0/33"))
def prevresult(data: bytes) -> None:
    for version in ("1.1.0", "0.4.0", "0.2.0"):
        result = Result.parse(Section(parse_object(data, "the result")), version)
        for other in SUPPORTED:
            if family_can_tell(result, other):
                again = Result.parse(Section(json.loads(json.dumps(result.to_json(other)))), other)
                assert len(again.ips) <= len(result.ips)
        whole = Result.parse(Section(result.to_json("1.1.0")), "1.1.0")
        assert whole.to_json("1.1.0") == result.to_json("1.1.0")


def family_can_tell(result: Result, version: str) -> bool:
    """The versions before 0.3.0 tell no result without addresses."""
    return bool(result.ips) or not version.startswith(("0.1", "0.2"))
