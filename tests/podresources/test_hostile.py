"""Servers that are no kubelet, or a broken one: the answer or one error, in bounded time and memory."""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cni_multus.cni.errors import ApiFailure, CniError, TryAgainLater
from cni_multus.podresources import wire
from cni_multus.podresources.faults import Malformed
from cni_multus.podresources.kubelet import ask
from cni_multus.podresources.messages import devices_of
from cni_multus.podresources.wire import frame
from tests.podresources.api import message, pod
from tests.podresources.lying import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    RESET,
    SETTINGS,
    LyingKubelet,
    answer,
    ended,
    headers,
    prefixed,
)

if TYPE_CHECKING:
    from pathlib import Path

WEB = pod("web", {"a/b": ["1", "2"]})
HAS = {"a/b": {"1", "2"}}
OK = headers(status="200")
GREETING = frame(SETTINGS, 0, 0, b"\0\3\0\0\0\1")
MESSAGE = prefixed(message("GetPodResourcesResponse")(pod_resources=WEB).SerializeToString())
BLOCK = headers(status="200", x_filler="y" * 50)[9:]


def padded(content: bytes, flags: int = 0) -> bytes:
    return bytes((7,)) + (b"\0\0\0\0\1" if flags & PRIORITY else b"") + content + bytes(7)


@pytest.mark.parametrize(
    "said",
    [
        GREETING + answer(WEB),
        answer(WEB, chunk=1),
        GREETING
        + frame(PING, 0, 0, b"12345678")
        + frame(SETTINGS, 1, 0)
        + answer(WEB)
        + frame(PING, 0, 0, b"87654321"),
        frame(8, 0, 0, b"\0\0\1\0") + frame(0xFA, 0xFF, 0, b"grease") + frame(2, 0, 1, b"\0\0\0\0\1") + answer(WEB),
        frame(GOAWAY, 0, 0, b"\x7f\xff\xff\xff" + b"\0\0\0\0" + b"graceful") + answer(WEB),
        frame(HEADERS, END_HEADERS | PADDED | PRIORITY, 1, padded(BLOCK, PRIORITY))
        + frame(DATA, PADDED, 1, padded(MESSAGE))
        + ended(),
        frame(HEADERS, 0, 1, BLOCK[:3])
        + frame(CONTINUATION, 0, 1, BLOCK[3:5])
        + frame(CONTINUATION, 0, 1)
        + frame(CONTINUATION, END_HEADERS, 1, BLOCK[5:])
        + frame(DATA, 0, 1, MESSAGE)
        + ended(),
        OK + frame(DATA, 0, 1, MESSAGE) + frame(DATA, 0, 1) + ended(),
        OK + frame(DATA, 0, 1, MESSAGE) + headers(1, END_STREAM | END_HEADERS, huffman=False, grpc_status="0"),
    ],
    ids=["settings", "bytes", "ping", "unknown", "goaway", "padding", "continuation", "empty", "plain"],
)
def test_what_a_server_may_do_is_understood(place: Path, said: bytes) -> None:
    with LyingKubelet(place, said, hangs=True):
        assert ask(str(place), "blue", "web") == HAS


def test_what_is_sent_is_answered(place: Path) -> None:
    ping = frame(PING, 0, 0, b"12345678")
    with LyingKubelet(place, GREETING, ping, answer(WEB), hangs=True) as server:
        assert ask(str(place), "blue", "web") == HAS
    assert server.heard[1:] == [frame(SETTINGS, 1, 0), frame(PING, 1, 0, b"12345678")]


def test_a_second_call_uses_the_same_connection(place: Path) -> None:
    refused = headers(1, END_STREAM | END_HEADERS, status="200", grpc_status="12", grpc_message="unknown method Get")
    with LyingKubelet(place, refused + frame(RESET, 0, 1, bytes(4)), answer(WEB, stream=3), hangs=True) as server:
        assert ask(str(place), "blue", "web") == HAS
    assert len(server.heard) == 2


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no frame of HTTP/2"),
        (b"\x15\x03\x01\x00\x02\x02\x46" * 4, "no frame of HTTP/2"),
        (frame(DATA, 0, 1, bytes(5)) + ended(), "no gRPC server: HTTP status b'none'"),
        (headers(status="503", content_type="text/plain") + ended(), "HTTP status b'503'"),
        (headers(1, END_STREAM | END_HEADERS, status="200"), "gRPC status b''"),
        (headers(1, END_STREAM | END_HEADERS, status="200", grpc_status="0"), "cut off"),
        (headers(1, END_STREAM | END_HEADERS, status="200", grpc_status="-1"), "gRPC status b'-1'"),
        (OK + frame(DATA, 0, 1, MESSAGE[:-1]) + ended(), "cut off"),
        (OK + frame(DATA, 0, 1, MESSAGE + MESSAGE) + ended(), "more than one message"),
        (OK + frame(DATA, 0, 1, bytes(5) + b"x") + ended(), "more than one message"),
        (OK + frame(DATA, 0, 1, b"\1" + MESSAGE[1:]) + ended(), "compressed"),
        (OK + frame(DATA, 0, 1, b"\0\x01\x00\x00\x01"), "larger than 16 MiB"),
        (OK + frame(DATA, END_STREAM, 1, MESSAGE), "gRPC status b''"),
        (OK + frame(DATA, PADDED, 1, b"\x05abc"), "padding"),
        (OK + frame(DATA, PADDED, 1), "padding"),
        (headers(3, status="200"), "nobody asked for"),
        (frame(DATA, 0, 2, MESSAGE), "nobody asked for"),
        (frame(5, END_HEADERS, 1, b"\0\0\0\2\x88"), "no place in a call"),
        (frame(SETTINGS, 0, 1), "no place in a call"),
        (frame(CONTINUATION, END_HEADERS, 1, BLOCK), "no place in a call"),
        (frame(HEADERS, 0, 1, BLOCK) + frame(DATA, 0, 1, MESSAGE), "between the parts"),
        (frame(HEADERS, 0, 1, BLOCK) + frame(CONTINUATION, END_HEADERS, 3), "between the parts"),
        (frame(HEADERS, 0, 1, BLOCK) + frame(CONTINUATION, 0, 1, bytes(1 << 14)) * 3, "32 KiB of header fields"),
        (frame(HEADERS, END_HEADERS, 1, b"\xbe"), "entry 62"),
        (frame(PING, 0, 0, bytes(8))[:5] + b"\0" * 4 + b"\xff" * 50, "no frame of HTTP/2"),
        (OK + frame(DATA, 0, 1, prefixed(b"\x0a\xff")) + ended(), "no end"),
        (OK + frame(DATA, 0, 1, prefixed(b"\x0a\x05abc")) + ended(), "longer than the answer"),
        (OK + frame(DATA, 0, 1, prefixed(b"\x0b")) + ended(), "the type 3"),
        (OK + frame(DATA, 0, 1, prefixed(b"\x09abc")) + ended(), "ends within a field"),
    ],
)
def test_what_no_kubelet_says_is_one_error(place: Path, said: bytes, why: str) -> None:
    with LyingKubelet(place, said, hangs=True), pytest.raises(ApiFailure, match="that is no kubelet") as raised:
        ask(str(place), "blue", "web")
    assert why in raised.value.message
    assert len(raised.value.message) < 500


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "it closed the connection"),
        (answer(WEB)[:30], "it closed the connection"),
        (OK + frame(DATA, 0, 1, MESSAGE), "it closed the connection"),
        (OK + frame(RESET, 0, 1, b"\0\0\0\7"), "HTTP/2's error 7"),
        (frame(GOAWAY, 0, 0, bytes(8)), "goes away (HTTP/2's error 0)"),
        (frame(GOAWAY, 0, 0, b"\0\0\0\1\0\0\0\x0btoo\nmuch"), "goes away (HTTP/2's error 11: too much)"),
    ],
)
def test_a_kubelet_that_breaks_off_is_asked_another_time(place: Path, said: bytes, why: str) -> None:
    with LyingKubelet(place, said), pytest.raises(TryAgainLater) as raised:
        ask(str(place), "blue", "web")
    assert why in raised.value.message


@pytest.mark.parametrize("said", [b"", GREETING, OK, OK + frame(DATA, 0, 1, MESSAGE)])
def test_a_silent_kubelet_is_not_waited_for(place: Path, said: bytes) -> None:
    began = time.monotonic()
    with LyingKubelet(place, said, hangs=True), pytest.raises(TryAgainLater, match="no answer within"):
        ask(str(place), "blue", "web", patience=0.3)
    assert time.monotonic() - began < 5


def test_a_kubelet_that_talks_without_end_is_not_listened_to(place: Path) -> None:
    pings = frame(SETTINGS, 1, 0) * (wire.MOST_FRAMES + 1)
    with LyingKubelet(place, pings, hangs=True), pytest.raises(ApiFailure, match="more than 65536 frames"):
        ask(str(place), "blue", "web")


def test_an_answer_without_end_takes_no_memory(place: Path) -> None:
    said = OK + frame(DATA, 0, 1, b"\0\1\0\0\0") + frame(DATA, 0, 1, bytes(1 << 14)) * 1500
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with LyingKubelet(place, said, hangs=True), pytest.raises(ApiFailure, match="more than one message"):
        ask(str(place), "blue", "web")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10


def test_header_fields_that_blow_up_take_no_memory(place: Path) -> None:
    bomb = b"\x40\x01n\x7f\xa1\x1e" + b"v" * 4000 + b"\xbe" * 12000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = frame(HEADERS, END_HEADERS, 1, bomb) * 50
    with LyingKubelet(place, said), pytest.raises(CniError):
        ask(str(place), "blue", "web")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 << 10


def test_strings_that_come_twice_count_once(place: Path) -> None:
    twice = b"\x0a\x05wrong" + WEB.SerializeToString() + b"\x12\x04blue"
    data = prefixed(b"\x0a" + bytes((len(twice),)) + twice)
    with LyingKubelet(place, OK + frame(DATA, 0, 1, data) + ended(), hangs=True):
        assert ask(str(place), "blue", "web") == HAS


FRAMES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.builds(
            frame,
            st.integers(0, 10),
            st.integers(0, 255),
            st.sampled_from([0, 1, 2, 3]),
            st.one_of(st.binary(max_size=60), st.just(BLOCK), st.just(MESSAGE)),
        ),
        st.sampled_from([GREETING, OK, ended(), ended(status=12), frame(DATA, 0, 1, MESSAGE), answer(WEB)]),
    ),
    max_size=8,
).map(b"".join)
FEW = settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FEW
@given(FRAMES)
def test_any_frames_are_an_answer_or_an_error(place: Path, said: bytes) -> None:
    with LyingKubelet(place, said):
        try:
            found, told = ask(str(place), "blue", "web", patience=5), ""
        except (ApiFailure, TryAgainLater) as error:
            found, told = {}, error.message
    assert isinstance(found, dict)
    assert len(told) < 800


@FEW
@given(st.data())
def test_a_broken_answer_is_an_answer_or_an_error(data: st.DataObject) -> None:
    whole = message("ListPodResourcesResponse")(pod_resources=[pod("x", {"q": ["w"]}), WEB]).SerializeToString()
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 4))):
        broken[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(whole)))
    try:
        found = devices_of(memoryview(bytes(broken[:end])), "blue", "web")
    except Malformed:
        return
    assert found is None or all(isinstance(ids, set) for ids in found.values())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_none(data: bytes) -> None:
    try:
        devices_of(memoryview(data), "blue", "web")
    except Malformed:
        pass
