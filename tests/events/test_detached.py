"""The process that delivers, and the request that does not wait for it."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cni_multus.events.spool import Spool
from tests.cluster.cluster import Cluster
from tests.events.spooling import ROOT, delivered, request, within
from tools import modules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.apiserver import ApiServer
    from tests.cluster.messages import Call
    from tests.events.orphans import Orphans


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(str(tmp_path / "cni"))


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig of an API server that is reached, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        path = tmp_path / "hanging"
        server = f"https://127.0.0.1:{listener.getsockname()[1]}"
        path.write_text(
            '{"current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "x"}}], "clusters": '
            f'[{{"name": "x", "cluster": {{"server": "{server}", "insecure-skip-tls-verify": true}}}}]}}'
        )
        yield path


def status(pid: int, key: str) -> str:
    """A line of what the kernel says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{key}:"))


def descriptors(pid: int) -> dict[int, str]:
    found = {}
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[int(descriptor.name)] = os.readlink(descriptor)
        except FileNotFoundError:
            continue  # closed by now
    return found


def is_dead(pid: int) -> bool:
    """Whether it only waits for somebody to ask how it ended."""
    return status(pid, "State").startswith("Z")


def hangs(pid: int) -> bool:
    """Whether it has its connection, in which nothing comes."""
    return any(target.startswith("socket:") for target in descriptors(pid).values())


def test_fifty_requests_and_fifty_events(cluster: Cluster, spool: Spool, orphans: Orphans) -> None:
    kubeconfig = cluster.kubeconfig(style="json")
    messages = [f"Add net1 [10.0.0.{at}/24] from net" for at in range(50)]
    for message in messages:
        answer, said = request(spool, kubeconfig, cluster.namespace, message).communicate()
        assert (answer, said) == (b"answer", b"")
    within(20, spool.is_empty)
    assert delivered(cluster) == sorted(messages)
    assert set(orphans.wait()) == {0}


def test_sixteen_requests_at_once(cluster: Cluster, spool: Spool, orphans: Orphans) -> None:
    road = cluster.road()
    kubeconfig = cluster.kubeconfig(server=road.url, style="json")
    messages = [[f"{pod} {interface}" for interface in range(3)] for pod in range(16)]
    requests = [request(spool, kubeconfig, cluster.namespace, *each) for each in messages]
    assert [each.communicate() for each in requests] == [(b"answer", b"")] * 16
    assert set(orphans.wait()) == {0}
    assert spool.is_empty()
    assert delivered(cluster) == sorted(message for each in messages for message in each)
    assert road.count() == 48


PACKED = """
sys._MEIPASS = {directory!r}
exec(open({hook!r}).read())
"""
"""As the built program has its modules."""


def test_it_finds_its_modules_in_the_built_program(cluster: Cluster, spool: Spool, orphans: Orphans) -> None:
    packed = Path(spool.directory).parent / modules.NAME
    modules.pack(Path(ROOT), packed)
    find = PACKED.format(directory=str(packed.parent), hook=f"{ROOT}/tools/modules_hook.py")
    kubeconfig = cluster.kubeconfig(style="json")
    asked = request(spool, kubeconfig, cluster.namespace, "message", find=find, before="sys.argv[1] = None")
    assert asked.communicate() == (b"answer", b"")
    assert orphans.wait() == [0]
    assert delivered(cluster) == ["message"]


def test_the_request_imports_nothing_that_only_a_delivery_needs(hanging: Path, spool: Spool, orphans: Orphans) -> None:
    after = 'os.write(1, b" " + " ".join(sorted(set(sys.modules) - before)).encode())'
    answer, _ = request(spool, hanging, "x", "message", after=after).communicate()
    imported = set(answer.decode().split()[1:])
    assert {name for name in imported if not name.startswith("cni_multus")} == {
        "__future__",
        "_json",
        "_sha512",
        "_socket",
        "errno",
    }
    assert not {name for name in imported if name.startswith("cni_multus.kube")} - {
        "cni_multus.kube",
        "cni_multus.kube.errors",
        "cni_multus.kube.objects",
    }
    assert "cni_multus.events.delivery" not in imported


# The request does not wait.


def test_the_runtime_waits_for_nothing(hanging: Path, spool: Spool, orphans: Orphans) -> None:
    """What it waits for is the end of the process, and of both pipes."""
    asked = request(spool, hanging, "x", "message", before='os.write(2, b"told")')
    assert asked.stdout
    assert asked.stderr
    assert os.read(asked.stderr.fileno(), 100) == b"told"
    assert os.read(asked.stdout.fileno(), 100) == b"answer"
    began = time.monotonic()
    assert asked.stdout.read() == asked.stderr.read() == b""
    assert asked.wait() == 0
    assert time.monotonic() - began < 0.3
    pid = orphans.one()
    within(5, lambda: hangs(pid))
    assert not spool.is_empty()
    asked.communicate()


def test_it_keeps_nothing_of_the_request(hanging: Path, spool: Spool, tmp_path: Path, orphans: Orphans) -> None:
    """A lock is held by whoever has the descriptor, an abstract name as well, and a directory by whoever is in it."""
    before = f"""
import fcntl, socket
os.chdir({str(tmp_path)!r})
lock = open("lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
taken = socket.socket(socket.AF_UNIX)
taken.bind("\\0multus-{os.getpid()}")
netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
os.set_inheritable(os.open("/proc/self/ns/net", os.O_RDONLY), True)
os.dup2(1, 200)
"""
    request(spool, hanging, "x", "message", before=before).communicate()
    pid = orphans.one()
    with (tmp_path / "lock").open() as lock, socket.socket(socket.AF_UNIX) as name:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        name.bind(f"\0multus-{os.getpid()}")
    within(5, lambda: hangs(pid))
    found = descriptors(pid)
    assert [found.pop(stream) for stream in range(3)] == ["/dev/null"] * 3
    assert min(found.values()) == spool.lock
    assert len(found) == 2
    assert os.readlink(f"/proc/{pid}/cwd") == "/"


def test_it_stands_by_itself(hanging: Path, spool: Spool, orphans: Orphans) -> None:
    before = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGALRM])
signal.signal(signal.SIGHUP, signal.SIG_IGN)
"""
    asked = request(spool, hanging, "x", "message", before=before, start_new_session=True)
    asked.communicate()
    pid = orphans.one()
    within(5, lambda: hangs(pid))
    assert os.getsid(pid) == os.getpgid(pid) == pid
    assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0) + 10
    assert int(status(pid, "SigBlk"), 16) == 0
    assert not int(status(pid, "SigIgn"), 16) & (1 << signal.SIGHUP - 1)
    os.kill(pid, signal.SIGTERM)
    assert orphans.wait(1) == [-signal.SIGTERM]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_outlives_the_requests_group(cluster: Cluster, spool: Spool, orphans: Orphans, number: int) -> None:
    road = cluster.road()
    road.delay_request = 0.5
    kubeconfig = cluster.kubeconfig(server=road.url, style="json")
    asked = request(
        spool,
        kubeconfig,
        cluster.namespace,
        "message",
        after="import time; os.write(1, b'.'); time.sleep(60)",
        start_new_session=True,
    )
    assert asked.stdout
    assert asked.stdout.read(7) == b"answer."
    within(5, road.count)
    os.killpg(asked.pid, number)
    asked.communicate()
    assert asked.returncode in (-number, 1)
    assert orphans.wait() == [0]
    assert delivered(cluster) == ["message"]


def test_it_ends_in_time_whatever_it_waits_for(hanging: Path, spool: Spool, orphans: Orphans) -> None:
    began = time.monotonic()
    request(spool, hanging, "x", "message", before="options = {'seconds': 1}").communicate()
    assert orphans.wait(4) == [0]
    assert 0.8 < time.monotonic() - began < 4


def test_it_is_ended_where_it_does_not_end(hanging: Path, spool: Spool, orphans: Orphans) -> None:
    before = """
from cni_multus.events import detached
detached.GRACE = 0.5
options = {"seconds": 0.5}
def access():
    while True:
        pass
"""
    request(spool, hanging, "x", "message", before=before).communicate()
    assert orphans.wait(5) == [-signal.SIGALRM]
    assert not spool.is_empty()


def test_what_nobody_foresaw_is_said(hanging: Path, spool: Spool, orphans: Orphans, tmp_path: Path) -> None:
    asked = request(spool, hanging, "x", "message", before="access = None")
    assert asked.communicate() == (b"answer", b"")
    assert orphans.wait() == [0]
    assert (tmp_path / "cni/said").read_text().startswith("Events wait for the next request: internal error: TypeError")
    assert not spool.is_empty()


def test_without_another_process_the_events_wait(cluster: Cluster, spool: Spool, orphans: Orphans) -> None:
    before = """
import resource
def say(text):
    os.write(2, text.encode())
os.setuid(54321)
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
"""
    kubeconfig = cluster.kubeconfig(style="json")
    asked = request(spool, kubeconfig, cluster.namespace, "waits", before=before)
    answer, said = asked.communicate()
    assert (answer, asked.returncode) == (b"answer", 3)
    assert said.startswith(
        b"Events wait for the next request: cannot start a process that delivers them: Resource temp"
    )
    assert len(spool.waiting()) == 1
    request(spool, kubeconfig, cluster.namespace, "next").communicate()
    assert orphans.wait() == [0]
    assert delivered(cluster) == ["next", "waits"]


# The connection that there is.

OPENED = """
from cni_multus.kube.kubeconfig import load_kubeconfig
from cni_multus.kube.client import Client
from cni_multus.kube.deadline import Deadline
client = Client(load_kubeconfig(sys.argv[3]), Deadline(5))
client.get("/api/v1/namespaces/" + sys.argv[4])
def access():
    raise AssertionError("nobody needs it")
"""


def test_the_requests_connection_is_used(cluster: Cluster, spool: Spool, orphans: Orphans) -> None:
    road = cluster.road()
    ways: list[set[object]] = []
    road.disturb(times=2, before=lambda _: ways.append(set(road._travellers)))
    asked = request(spool, cluster.kubeconfig(server=road.url, style="json"), cluster.namespace, "one", before=OPENED)
    assert asked.communicate() == (b"answer", b"")
    assert orphans.wait() == [0]
    assert delivered(cluster) == ["one"]
    assert [call.method for call in road.calls] == ["GET", "POST"]
    assert len(ways[0]) == 1
    assert ways[0] == ways[1]


def test_the_request_may_go_on_with_another(cluster: Cluster, spool: Spool, orphans: Orphans) -> None:
    road = cluster.road()
    asked = request(
        spool,
        cluster.kubeconfig(server=road.url, style="json"),
        cluster.namespace,
        *("one", "two", "three"),
        before=OPENED,
        after='assert client.descriptor == -1\nfor _ in range(20): client.get("/api/v1/namespaces/" + sys.argv[4])',
    )
    assert asked.communicate() == (b"answer", b"")
    assert (asked.returncode, orphans.wait()) == (0, [0])
    assert delivered(cluster) == ["one", "three", "two"]
    assert (road.count("GET"), road.count("POST")) == (21, 3)


def test_a_connection_that_is_dead_is_replaced(cluster: Cluster, spool: Spool, orphans: Orphans) -> None:
    road = cluster.road()
    kubeconfig = cluster.kubeconfig(server=road.url, style="json")
    before = f"{OPENED}\nos.write(2, b'.')\nos.read(0, 1)"
    there, ours = os.pipe()
    with request(spool, kubeconfig, cluster.namespace, "one", before=before, stdin=there) as asked:
        assert asked.stderr
        assert asked.stderr.read(1) == b"."
        road.cut()
        os.write(ours, b".")
        asked.communicate()
    os.close(there)
    os.close(ours)
    assert orphans.wait() == [0]
    assert delivered(cluster) == ["one"]


# The server is away.


def test_an_outage_ends_with_the_next_request(cluster: Cluster, spool: Spool, orphans: Orphans) -> None:
    road = cluster.road()
    kubeconfig = cluster.kubeconfig(server=road.url, style="json")
    road.close()
    for message in "abc":
        began = time.monotonic()
        asked = request(spool, kubeconfig, cluster.namespace, message, before="options = {'seconds': 1}")
        assert asked.communicate() == (b"answer", b"")
        assert time.monotonic() - began < 5
    assert set(orphans.wait()) == {0}
    said = (Path(spool.directory).parent / "said").read_text()
    assert "Events wait for the next request: " in said
    assert len(spool.waiting()) == 3
    road.open()
    request(spool, kubeconfig, cluster.namespace, "d").communicate()
    assert orphans.wait() == [0]
    assert delivered(cluster) == ["a", "b", "c", "d"]


def test_a_server_that_stands_still_keeps_one_process_waiting(
    own_api_server: ApiServer, tmp_path: Path, spool: Spool, orphans: Orphans
) -> None:
    cluster = Cluster(own_api_server.address, tmp_path)
    kubeconfig = cluster.kubeconfig(style="json")
    own_api_server.pause()
    for message in "abcd":
        assert request(spool, kubeconfig, cluster.namespace, message).communicate() == (b"answer", b"")
    within(5, lambda: sum(not is_dead(pid) for pid in orphans.now) == 1)
    own_api_server.resume()
    assert set(orphans.wait()) == {0}
    assert delivered(cluster) == ["a", "b", "c", "d"]
    assert spool.is_empty()
    cluster.close()


# It is killed.


def test_killed_while_the_server_works_it_loses_nothing(cluster: Cluster, spool: Spool, orphans: Orphans) -> None:
    """First before the server sees the event, then when it has it and has not answered."""
    road = cluster.road()
    kubeconfig = cluster.kubeconfig(server=road.url, style="json")

    def kill(_: Call) -> None:
        os.kill(orphans.one(), signal.SIGKILL)

    road.disturb("POST", before=kill, delay=0.2)
    request(spool, kubeconfig, cluster.namespace, "first").communicate()
    assert orphans.wait() == [-signal.SIGKILL]
    road.delay_answer = 30
    request(spool, kubeconfig, cluster.namespace, "second").communicate()
    within(10, lambda: delivered(cluster))
    kill(road.calls[-1])
    assert orphans.wait() == [-signal.SIGKILL]
    assert len(spool.waiting()) == 2
    road.delay_answer = 0
    request(spool, kubeconfig, cluster.namespace, "third").communicate()
    assert orphans.wait() == [0]
    assert delivered(cluster) == ["first", "second", "third"]
    assert spool.is_empty()
