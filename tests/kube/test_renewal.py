"""A token that nobody takes until the next one comes, which a request that may wait does wait for."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from cni_multus.kube.client import Client
from cni_multus.kube.deadline import Deadline
from cni_multus.kube.errors import NotRenewed, Unauthorized
from cni_multus.kube.kubeconfig import load_kubeconfig
from tests.kube.configs import config, write
from tests.kube.lying import POOL, LyingServer, refusal
from tests.kube.talking import OK, POOL_PATH, at_most

if TYPE_CHECKING:
    from pathlib import Path

REFUSED = refusal(401, "Unauthorized")


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("old")
    return path


def client(server: LyingServer, token: Path, *, renewal: float = 10.0, seconds: float = 20.0) -> Client:
    path = write(token.parent, config(server.url, tokenFile=str(token)))
    return Client(load_kubeconfig(path), Deadline(seconds), renewal=renewal)


def bearers(server: LyingServer) -> list[str]:
    return [request.headers["authorization"].removeprefix("Bearer ") for request in server.requests]


def test_another_token_is_waited_for(token: Path) -> None:
    """It is away with its directory for a moment, then empty, and then there."""

    def replace(connection: socket.socket, stopped: threading.Event) -> bool:
        token.unlink()
        for content in ("", "new"):
            threading.Timer(0.4 + 0.4 * bool(content), token.write_text, (content,)).start()
        return REFUSED(connection, stopped)

    with LyingServer(replace, OK) as server, client(server, token) as asking:
        assert asking.patch(POOL_PATH, []) == POOL
    assert bearers(server) == ["old", "new"]


def test_a_token_that_the_server_knows_a_moment_later_is_tried_again(token: Path) -> None:
    with LyingServer(REFUSED, REFUSED, OK) as server, client(server, token) as asking:
        assert asking.get(POOL_PATH) == POOL
    assert bearers(server) == ["old"] * 3


def test_the_wait_has_an_end_which_says_what_was_waited_for(token: Path) -> None:
    with LyingServer(REFUSED) as server, client(server, token, renewal=1.5) as asking, at_most(10):
        with pytest.raises(NotRenewed, match="is its pod running on this node") as caught:
            asking.get(POOL_PATH)
    assert caught.value.code == 11
    assert str(token) in caught.value.message
    assert "401 Unauthorized" in caught.value.message


def test_the_request_s_own_time_ends_it_too(token: Path) -> None:
    with LyingServer(REFUSED) as server, client(server, token, renewal=60, seconds=1) as asking, at_most(10):
        with pytest.raises(NotRenewed):
            asking.get(POOL_PATH)


@pytest.mark.parametrize("renewal", [0.0, 60.0])
def test_a_token_of_the_kubeconfig_itself_is_not_waited_for(token: Path, renewal: float) -> None:
    with LyingServer(REFUSED) as server:
        access = load_kubeconfig(write(token.parent, config(server.url)))
        with Client(access, Deadline(20), renewal=renewal) as asking, pytest.raises(Unauthorized):
            asking.get(POOL_PATH)
        assert asking.calls == 1


def test_whoever_may_not_wait_is_told_at_once(token: Path) -> None:
    with LyingServer(REFUSED) as server, client(server, token, renewal=0) as asking:
        with pytest.raises(Unauthorized):
            asking.get(POOL_PATH)
        assert asking.calls == 1
