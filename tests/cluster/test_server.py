"""The server that tests share: whom it lets in, how long it lives, and that nothing is left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cluster.client import Client
from tests.cluster.cluster import SUPERUSERS, rule
from tests.cluster.keeper import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.apiserver import ApiServer
    from tests.cluster.cluster import Cluster

USER = """
import sys
from pathlib import Path
from tests.cluster.keeper import shared_server
with shared_server(Path({directory!r})) as address:
    print(address.api.get("/readyz").status, address.url, flush=True)
    sys.stdin.read()
"""


def test_an_account_may_do_what_its_rules_say(cluster: Cluster) -> None:
    cluster.add_pool("some", "10.0.0.0/24")
    token = cluster.token(rule("ippools", "get"))
    assert cluster.api.get(cluster.path("ippools", "some"), token=token).status == 200
    assert cluster.api.get(cluster.path("ippools"), token=token).status == 403
    assert cluster.api.get(cluster.path("ippools", "some", namespace="default"), token=token).status == 403
    everywhere = cluster.token(rule("ippools", "get,list"), cluster_wide=True)
    assert cluster.api.get(cluster.path("ippools", namespace=""), token=everywhere).status == 200
    assert cluster.api.get(cluster.path("ippools"), token="made-up").status == 401


@pytest.mark.parametrize("style", ["json", "yaml"])
@pytest.mark.parametrize("inline", [False, True])
def test_a_kubeconfig_has_it_all(cluster: Cluster, style: str, inline: bool) -> None:
    certificate = cluster.certificate("root", SUPERUSERS)
    path = cluster.kubeconfig(certificate=certificate, style=style, inline=inline)
    document = yaml.safe_load(path.read_text())
    assert path.read_text().startswith("{") == (style == "json")
    assert document["contexts"][0]["context"]["namespace"] == cluster.namespace
    assert ("client-key-data" in document["users"][0]["user"]) == inline
    assert "namespace" not in yaml.safe_load(cluster.kubeconfig(namespace="").read_text())["contexts"][0]["context"]


def test_a_server_of_ones_own_is_paused_and_stopped(own_api_server: ApiServer) -> None:
    api = own_api_server.api
    namespace = {"metadata": {"name": "kept"}}
    api.post("/api/v1/namespaces", namespace).expect(201)
    own_api_server.pause()
    with pytest.raises(TimeoutError):
        api.get("/api/v1/namespaces/kept", timeout=0.3)
    own_api_server.resume()
    api.get("/api/v1/namespaces/kept").expect(200)
    own_api_server.stop()
    with pytest.raises(ConnectionRefusedError):
        api.get("/api/v1/namespaces/kept")
    own_api_server.start()
    api.get("/api/v1/namespaces/kept").expect(200)


def test_a_run_shares_one_server_which_ends_with_the_last(tmp_path: Path) -> None:
    first, second = user(tmp_path), user(tmp_path)
    try:
        url = answers(first)
        assert answers(second) == url
        leave(first)
        assert Client(url, tmp_path / "server/pki/ca.crt", "").get("/readyz").status == 200
        leave(second)
        assert processes(tmp_path) == []
        assert not (tmp_path / "server/etcd").exists()
    finally:
        for process in (first, second):
            process.kill()
            process.communicate()


def test_a_run_that_is_killed_leaves_no_server(tmp_path: Path) -> None:
    only = user(tmp_path)
    answers(only)
    only.send_signal(signal.SIGKILL)
    only.communicate()
    until(lambda: processes(tmp_path) == [])


def test_a_server_whose_keeper_is_killed_is_gone_and_another_takes_its_place(tmp_path: Path) -> None:
    first = user(tmp_path)
    try:
        answers(first)
        [keeper] = [pid for pid in processes(tmp_path) if "tests.cluster.keeper" in command(pid)]
        os.kill(keeper, signal.SIGKILL)
        until(lambda: processes(tmp_path) == [])
    finally:
        leave(first)
    second = user(tmp_path)
    answers(second)
    leave(second)
    assert processes(tmp_path) == []


def user(directory: Path) -> subprocess.Popen[str]:
    """A process that wants the server of a directory, and keeps it until its standard input ends."""
    program = USER.format(directory=str(directory))
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdin=pipe, stdout=pipe, text=True)


def answers(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    status, url = process.stdout.readline().split()
    assert status == "200"
    return url


def leave(process: subprocess.Popen[str]) -> None:
    process.communicate("", timeout=30)
    assert process.returncode == 0


def processes(directory: Path) -> list[int]:
    """The keeper of a directory, and its server."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if str(directory) in command(pid) and "-c" not in command(pid).split("\0")]


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)
