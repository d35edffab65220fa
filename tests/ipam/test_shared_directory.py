"""Our host-local and the Go program in one directory, in turn and at once: neither gives what the other has given."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.ipam.runtime import PATH, Answer, in_processes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ipam.runtime import Ipam

DUAL = ([{"subnet": "10.0.0.0/28"}], [{"subnet": "2001:db8::/120"}])


class Go:
    """The Go program with the configuration of ours."""

    def __init__(self, program: Path, ipam: Ipam) -> None:
        self._program = program
        self._ipam = ipam

    def __call__(self, command: str, container: str = "dummy", **keys: object) -> Answer:
        environment = {
            "PATH": PATH,
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": container,
            "CNI_IFNAME": "eth0",
            "CNI_NETNS": "/some/where",
            "CNI_PATH": "/nonexistent",
        }
        result = subprocess.run(
            [self._program],
            env=environment,
            input=json.dumps({**self._ipam.config, "cniVersion": "1.0.0", **keys}).encode(),
            capture_output=True,
            check=False,
        )
        return Answer(result.returncode, result.stdout, b"")


@pytest.fixture
def ours(host_local: Callable[..., Ipam]) -> Ipam:
    return host_local(*DUAL, version="1.0.0")


@pytest.fixture
def go(go_host_local: Path, ours: Ipam) -> Go:
    return Go(go_host_local, ours)


def snapshot(ipam: Ipam) -> dict[str, tuple[str, bytes]]:
    """Everything in the network's directory: modes and contents."""
    return {
        entry.name: (oct(entry.stat().st_mode), (ipam.network / entry.name).read_bytes())
        for entry in os.scandir(ipam.network)
    }


def test_both_leave_the_same_files(host_local: Callable[..., Ipam], go_host_local: Path) -> None:
    one, other = (host_local(*DUAL, name=name, version="1.0.0") for name in ("one", "other"))
    go = Go(go_host_local, other)
    for container in ("a", "b", "c"):
        assert one.add(container).ips == go("ADD", container).ips
        assert snapshot(one) == snapshot(other)
    one.delete("b").succeeded()
    go("DEL", "b").succeeded()
    assert snapshot(one) == snapshot(other)


def test_what_the_go_program_adds_ours_deletes(ours: Ipam, go: Go) -> None:
    given = go("ADD").ips
    assert len(ours.addresses()) == len(given) == 2
    ours.check(go("ADD", "other"), "other").succeeded()
    ours.add().failed(4, "already")
    ours.delete().succeeded()
    assert set(ours.addresses().values()) == {"other\r\neth0"}


def test_what_ours_adds_the_go_program_checks_and_deletes(ours: Ipam, go: Go) -> None:
    added = ours.add().succeeded()
    go("CHECK", prevResult=added.document).succeeded()
    go("ADD").failed(999, "duplicate")
    go("DEL").succeeded()
    assert ours.addresses() == {}
    ours.delete().succeeded()


def test_both_allocate_in_turn_and_the_index_follows(ours: Ipam, go: Go) -> None:
    """Without a pause: a change directly after one of ours must be seen, whatever the clock's tick."""
    holders: dict[str, str] = {}
    for turn in range(60):
        add = go if turn % 3 else ours.call
        container = f"c{turn}"
        for ip in add("ADD", container).ips:
            assert ip not in holders, f"{ip} is {holders.get(ip)}'s"
            holders[ip] = container
        if turn >= 6:
            gone = f"c{turn - 6}"
            delete = ours.call if turn % 2 else go
            delete("DEL", gone).succeeded()
            holders = {ip: holder for ip, holder in holders.items() if holder != gone}
        assert ours.addresses() == {ip.partition("/")[0]: f"{holder}\r\neth0" for ip, holder in holders.items()}
    for turn in range(54, 60):
        ours.delete(f"c{turn}").succeeded()
    assert ours.addresses() == {}


def test_an_exhausted_pool_is_exhausted_for_both(ours: Ipam, go: Go) -> None:
    for turn in range(13):
        (go if turn % 2 else ours.call)("ADD", f"c{turn}").succeeded()
    ours.add("more").failed(11, "all 13 are reserved")
    go("ADD", "more").failed(999, "no IP addresses available")
    go("DEL", "c5").succeeded()
    assert ours.add("more").ips[0] == "10.0.0.7/28"


def test_both_at_once_never_give_the_same_address(ours: Ipam, go: Go, tmp_path: Path) -> None:
    claims = tmp_path / "claims"
    claims.mkdir()

    def work(number: int) -> None:
        for turn in range(10):
            container = f"c{number}-{turn}"
            given = (go if (number + turn) % 2 else ours.call)("ADD", container).ips
            for ip in given:
                os.close(os.open(claims / ip.replace("/", "_"), os.O_CREAT | os.O_EXCL))
            for ip in given:
                (claims / ip.replace("/", "_")).unlink()
            (ours.call if turn % 3 else go)("DEL", container).succeeded()

    in_processes(8, work)
    assert ours.addresses() == {}


def test_the_lock_is_one_lock(ours: Ipam, go: Go) -> None:
    """While the Go program waits for the lock that ours holds, it changes nothing."""
    ours.add("first").succeeded()
    before = snapshot(ours)
    with subprocess.Popen(
        ["flock", str(ours.network / "lock"), "sh", "-c", "echo locked; read line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        pid = os.fork()
        if pid == 0:
            os._exit(go("ADD", "second").status)
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
        assert snapshot(ours) == before
        holder.communicate(b"\n")
        assert os.waitpid(pid, 0)[1] == 0
    assert len(ours.addresses()) == 4
