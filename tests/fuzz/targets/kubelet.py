"""What the kubelet's PodResources socket sends: HTTP/2, HPACK, gRPC and protobuf."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from cni_multus.kube.deadline import Deadline
from cni_multus.podresources.faults import Malformed, Refused
from cni_multus.podresources.grpc import _GREETING, Channel
from cni_multus.podresources.hpack import Decoder
from cni_multus.podresources.kubelet import _converse
from cni_multus.podresources.messages import devices_of
from cni_multus.podresources.wire import Wire, frame
from tests.fuzz.target import target
from tests.podresources.api import message, pod
from tests.podresources.lying import (
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    RESET,
    SETTINGS,
    answer,
    ended,
    headers,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

GREETING = frame(SETTINGS, 0, 0, b"\0\3\0\0\0\1")


class Sending:
    """A socket on which these bytes come, a few at a time, whatever is sent."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def settimeout(self, seconds: float) -> None: ...

    def send(self, data: memoryview) -> int:
        return len(data)

    def recv(self, size: int) -> bytes:
        taken, self._left = self._left[:301], self._left[301:]
        return taken


def channel(data: bytes, deadline: Deadline) -> Channel:
    wire = Wire.__new__(Wire)
    wire._deadline, wire._frames, wire._held = deadline, 0, bytearray()
    wire._socket = cast("Any", Sending(data))
    made = Channel.__new__(Channel)
    made._wire, made._greeting, made._decoder, made._stream = wire, _GREETING, Decoder(), -1
    return made


def talks() -> Iterable[bytes]:
    web = pod("web", {"a/b": ["1", "2"]})
    yield GREETING + answer(web)
    yield answer(web, chunk=3) + answer(web, stream=3)
    yield GREETING + ended(status=12, said="unknown%20method") + answer(web, pod("db", {}), stream=3)
    yield frame(PING, 0, 0, b"12345678") + headers(status="200") + frame(RESET, 0, 1, b"\0\0\0\2")
    yield frame(GOAWAY, 0, 0, b"\0\0\0\1\0\0\0\0bye") + answer(web)
    block = headers(status="200", x_filler="y" * 50, huffman=False)[9:]
    yield frame(HEADERS, 0, 1, block[:20]) + frame(CONTINUATION, END_HEADERS, 1, block[20:]) + ended()
    yield frame(HEADERS, END_HEADERS | END_STREAM | 0x28, 1, b"\3\0\0\0\0\1" + block + b"\0\0\0")
    yield b"HTTP/1.1 400 Bad Request\r\n\r\n"


@target(seeds=talks)
def podresources(data: bytes) -> None:
    deadline = Deadline(0.02)
    try:
        found = _converse(channel(data, deadline), "default", "web", deadline)
    except (Malformed, Refused, OSError) as error:  # what `ask` makes errors of
        assert len(str(error)) < 1000, str(error)
        return
    assert all(isinstance(each, str) for resource, ids in found.items() for each in (resource, *ids))


def messages() -> Iterable[bytes]:
    web, other = pod("web", {"a/b": ["1", "2"], "c/d": ["3"]}), pod("db", {"a/b": ["9"]})
    yield message("ListPodResourcesResponse")(pod_resources=[other, web]).SerializeToString()
    yield message("GetPodResourcesResponse")(pod_resources=web).SerializeToString()
    yield b"\x08\x96\x01\x0d\1\2\3\4\x11\1\2\3\4\5\6\7\x08"


@target(seeds=messages)
def protobuf(data: bytes) -> None:
    try:
        found = devices_of(memoryview(data), "default", "web")
    except Malformed:
        return
    assert found is None or all(isinstance(each, str) for ids in found.values() for each in ids)


def blocks() -> Iterable[bytes]:
    yield headers(status="200", content_type="application/grpc", grpc_message="x%20y")[9:]
    yield headers(status="200", x="y" * 200, huffman=False)[9:] + b"\x20\x3f\xe1\x1f\xbe\xbf"


@target(seeds=blocks)
def hpack(data: bytes) -> None:
    decoder = Decoder()
    for part in (data, data):
        try:
            fields = dict(decoder.decode(part))
        except Malformed:
            return
        assert sum(len(name) + len(value) for name, value in fields.items()) <= 1 << 22
