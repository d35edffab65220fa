"""The connection of a request: kept, replaced, not to be had; and credentials that change meanwhile."""

import socket
import threading
import time
from pathlib import Path

import pytest

from cni_multus.kube.errors import (
    Unauthorized,
    Unreachable,
)
from tests.kube.configs import TOKEN, config, write
from tests.kube.lying import POOL, answer, raw, refusal
from tests.kube.talking import OK, POOL_PATH, Talk, at_most

OBJECT = b'{"kind":"x","metadata":{}}'
SMALL = b"HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n" + OBJECT


def test_one_connection_serves_all_calls_of_a_request(talk: Talk) -> None:
    client, server = talk(OK)
    for _ in range(3):
        assert client.get(POOL_PATH) == POOL
    assert (client.calls, server.connections) == (3, 1)


def test_nobody_listening_is_told_soon(talk: Talk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = talk.client(f"https://127.0.0.1:{port}", seconds=100)
    with at_most(10), pytest.raises(Unreachable, match="connection refused") as caught:
        client.patch(POOL_PATH, [])
    assert (caught.value.code, caught.value.ambiguous, client.calls) == (11, False, 0)
    assert not caught.value.details.startswith("tried 1 ")


def test_a_black_hole_is_told_soon(talk: Talk) -> None:
    """Who has no room for another connection lets it wait without a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        where = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(where)
        client = talk.client(f"https://127.0.0.1:{where[1]}", seconds=100)
        with at_most(20), pytest.raises(Unreachable, match="no answer within 4 s") as caught:
            client.patch(POOL_PATH, [])
        for each in waiting:
            each.close()
    assert (caught.value.ambiguous, client.calls) == (False, 0)


def test_a_name_that_nobody_knows_is_told_soon(talk: Talk) -> None:
    client = talk.client("https://nobody.invalid", seconds=100)
    with at_most(20), pytest.raises(Unreachable, match="cannot look up the name"):
        client.get(POOL_PATH)


def test_a_name_is_looked_up(talk: Talk) -> None:
    _, server = talk(OK)
    assert talk.client(f"http://localhost:{server.port}").get(POOL_PATH) == POOL


def test_a_connection_that_was_closed_meanwhile_is_replaced(talk: Talk) -> None:
    client, server = talk(OK, raw(SMALL), OK)
    client.get(POOL_PATH)
    client.get(POOL_PATH)
    time.sleep(0.2)
    assert client.patch(POOL_PATH, []) == POOL
    assert (client.calls, server.connections) == (3, 2)


def test_what_comes_after_an_answer_is_not_the_next_one(talk: Talk) -> None:
    evil = b'HTTP/1.1 200 OK\r\nContent-Length: 33\r\n\r\n{"kind":"evil","metadata":{"a":1}}'
    client, server = talk(raw(SMALL + evil, keep=True), OK)
    assert client.get(POOL_PATH)["kind"] == "x"
    assert client.get(POOL_PATH) == POOL
    assert server.connections == 2


def test_connection_close_is_honoured(talk: Talk) -> None:
    client, server = talk(answer(200, POOL, Connection="close"))
    client.get(POOL_PATH)
    client.get(POOL_PATH)
    assert server.connections == 2


def test_a_rotated_token_is_read_again_once(talk: Talk, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")

    def rotate(connection: socket.socket, stopped: threading.Event) -> bool:
        token.write_text("new")
        return refusal(401, "Unauthorized")(connection, stopped)

    client, server = talk(rotate, OK, tokenFile=str(token))
    assert client.patch(POOL_PATH, []) == POOL
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer old", "Bearer new"]


def test_credentials_that_stay_what_they_are_are_not_tried_twice(talk: Talk) -> None:
    client, _ = talk(refusal(401, "Unauthorized"))
    with pytest.raises(Unauthorized, match="have expired"):
        client.get(POOL_PATH)
    assert client.calls == 1


def test_a_rewritten_kubeconfig_is_read_again(talk: Talk, tmp_path: Path) -> None:
    def rewrite(connection: socket.socket, stopped: threading.Event) -> bool:
        write(tmp_path, config(server.url, token="new"))
        return refusal(401, "Unauthorized")(connection, stopped)

    client, server = talk(OK)
    server.lie(rewrite, refusal(401, "Unauthorized"))
    with pytest.raises(Unauthorized):
        client.get(POOL_PATH)
    assert [request.headers["authorization"] for request in server.requests] == [f"Bearer {TOKEN}", "Bearer new"]
