"""What is sent again, and what not: the deadline, the server's wishes, and changes that may have been made."""

import socket
import threading
from collections.abc import Callable

import pytest

from cni_multus.cni.errors import CniError
from cni_multus.kube.deadline import LONGEST_WAIT, backoff
from cni_multus.kube.errors import (
    Busy,
    Lost,
    ServerFailed,
    TimedOut,
    Unavailable,
    Unreachable,
)
from cni_multus.kube.objects import IP_POOLS
from tests.kube.lying import POOL, Lie, answer, drip, raw, refusal, reset, silence
from tests.kube.talking import OK, POOL_PATH, Talk, at_most

CHANGES = [
    pytest.param(lambda client, **how: client.create(IP_POOLS.path("kube-system"), POOL, **how), id="create"),
    pytest.param(lambda client, **how: client.patch(POOL_PATH, [], **how), id="patch"),
    pytest.param(lambda client, **how: client.merge_patch(POOL_PATH, {}, **how), id="merge patch"),
    pytest.param(lambda client, **how: client.delete(POOL_PATH, **how), id="delete"),
]


BROKEN = [
    pytest.param(raw(b""), Lost, id="closed"),
    pytest.param(reset(), Lost, id="reset"),
    pytest.param(reset(b"HTTP/1.1 200 OK\r\nContent-"), Lost, id="reset amid the headers"),
    pytest.param(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"), Lost, id="cut off"),
    pytest.param(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"), Lost, id="cut off in a chunk"),
    pytest.param(refusal(500, "InternalError"), ServerFailed, id="500"),
    pytest.param(answer(502, b"bad gateway"), ServerFailed, id="502"),
    pytest.param(refusal(503, "ServiceUnavailable"), ServerFailed, id="503"),
    pytest.param(refusal(504, "Timeout"), ServerFailed, id="504"),
    pytest.param(silence(), TimedOut, id="silence"),
    pytest.param(silence(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"), TimedOut, id="silence amid the answer"),
]


@pytest.mark.parametrize(("lie", "error"), BROKEN)
def test_reading_is_repeated(talk: Talk, lie: Lie, error: type[CniError]) -> None:
    client, _ = talk(lie, lie, OK, attempt=0.5)
    assert client.get(POOL_PATH) == POOL
    assert client.calls == 3


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("lie", "error"), BROKEN)
def test_a_change_in_doubt_is_not_repeated_unless_that_is_safe(
    talk: Talk, change: Callable[..., object], lie: Lie, error: type[Unavailable]
) -> None:
    client, _ = talk(lie, OK, attempt=0.5)
    with pytest.raises(Unavailable) as caught:
        change(client, repeatable=False)
    assert type(caught.value) is error
    assert (caught.value.ambiguous, caught.value.code, client.calls) == (True, 11, 1)


@pytest.mark.parametrize(("lie", "error"), BROKEN)
def test_a_change_that_may_be_made_twice_is_repeated(talk: Talk, lie: Lie, error: type[CniError]) -> None:
    client, server = talk(lie, OK, attempt=0.5)
    assert client.patch(POOL_PATH, [{"op": "x"}], repeatable=True) == POOL
    assert server.requests[0].body == server.requests[1].body


@pytest.mark.parametrize(("lie", "error"), BROKEN)
def test_repeating_ends_with_the_deadline(talk: Talk, lie: Lie, error: type[CniError]) -> None:
    client, _ = talk(lie, seconds=1.2, attempt=0.5)
    with at_most(5), pytest.raises(error) as caught:
        client.get(POOL_PATH)
    assert caught.value.code == 11
    assert caught.value.details.startswith("tried ")


def test_doubt_outlives_a_server_that_is_gone_at_last(talk: Talk) -> None:
    client, server = talk(OK, seconds=4)

    def go(connection: socket.socket, stopped: threading.Event) -> bool:
        server.go()
        return reset()(connection, stopped)

    server.lie(go)
    with pytest.raises(Unreachable) as caught:
        client.patch(POOL_PATH, [], repeatable=True)
    assert caught.value.ambiguous


@pytest.mark.parametrize("change", CHANGES)
def test_busy_is_never_in_doubt(talk: Talk, change: Callable[..., object]) -> None:
    client, _ = talk(answer(429, b"Too many requests, please try again later.\n"), OK)
    assert change(client, repeatable=False) == POOL
    assert client.calls == 2


def test_a_server_says_how_long_it_wants_to_be_left_alone(talk: Talk) -> None:
    client, server = talk(answer(429, b"", Retry_After="1"), OK)
    client.get(POOL_PATH)
    assert server.requests[1].at - server.requests[0].at >= 1


@pytest.mark.parametrize("after", ["60", "999999999", "Wed, 21 Oct 2015 07:28:00 GMT", "-1", "9" * 400])
def test_the_deadline_goes_before_what_the_server_wants(talk: Talk, after: str) -> None:
    client, _ = talk(answer(503, b"", Retry_After=after), seconds=1)
    with at_most(5), pytest.raises(ServerFailed):
        client.get(POOL_PATH)


def test_busy_until_the_deadline_is_an_error(talk: Talk) -> None:
    client, _ = talk(answer(429, b"", Retry_After="0"), seconds=0.5)
    with at_most(5), pytest.raises(Busy) as caught:
        client.patch(POOL_PATH, [])
    assert (caught.value.code, caught.value.ambiguous) == (11, False)


def test_a_drip_does_not_prolong_an_attempt(talk: Talk) -> None:
    client, _ = talk(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b" " * 500, 0.05), seconds=1)
    with at_most(4), pytest.raises(TimedOut):
        client.get(POOL_PATH)


def test_a_deadline_that_is_over_sends_nothing(talk: Talk) -> None:
    client, server = talk(OK, seconds=0)
    with pytest.raises(TimedOut, match="are over") as caught:
        client.patch(POOL_PATH, [])
    assert (caught.value.ambiguous, client.calls, server.connections) == (False, 0, 0)


def test_waits_are_spread_over_the_whole_interval_and_bounded() -> None:
    waits = [backoff(3) for _ in range(200)]
    assert min(waits) < 0.2
    assert 0.6 < max(waits) <= 0.8
    assert backoff(10_000) <= LONGEST_WAIT
