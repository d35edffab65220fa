"""host-local and static killed before each system call that changes something: what is left can be worked with."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.request import VALID_ATTACHMENTS
from tests.ipam.runtime import leftovers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ipam.runtime import Ipam

CHANGES = "mkdir,write,link,unlink,utimensat,ftruncate,flock"
CALL = re.compile(r"^\d+ +(\w+)\(", re.MULTILINE)

DUAL = ([{"subnet": "10.0.0.0/29"}], [{"subnet": "2001:db8::/125"}])


def points(ipam: Ipam, log: Path, command: str, container: str) -> list[str]:
    """Every such call of a process that is not killed, as strace names it: the n-th of its kind."""
    ipam.run(command, container, "eth0", "strace", "-f", "-o", str(log), "-e", f"trace={CHANGES}").succeeded()
    calls = CALL.findall(log.read_text())
    assert len(calls) > 5
    return [f"{name}:signal=KILL:when={calls[: at + 1].count(name)}" for at, name in enumerate(calls)]


def kill(ipam: Ipam, point: str, command: str, container: str) -> None:
    """Run it and kill it before that call."""
    tracer = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={point}"]
    assert ipam.run(command, container, "eth0", *tracer).status in (-9, 137)


def verify_and_empty(ipam: Ipam, *containers: str) -> None:
    """Nobody has an address twice, every container can be deleted, and the pool is whole again afterwards."""
    assert all(content for content in ipam.addresses().values()), "an address file without content"
    other = ipam.add("other")
    assert len(set(other.ips)) == 2
    for container in (*containers, "other"):
        ipam.delete(container).succeeded()
        assert not [content for content in ipam.addresses().values() if content.startswith(f"{container}\r\n")]
    assert ipam.addresses() == {}
    assert leftovers(ipam.network) == []
    for at in range(5):
        assert len(ipam.add(f"again{at}").ips) == 2
    ipam.add("one-more").failed(11, "all 5 are reserved")
    for at in range(5):
        ipam.delete(f"again{at}").succeeded()


def apart(ipam: Ipam, at: int) -> Ipam:
    """The same with reservations of its own."""
    ipam.data_dir.mkdir(exist_ok=True)
    data_dir = ipam.data_dir / str(at)
    return replace(ipam.changed(dataDir=str(data_dir)), data_dir=data_dir)


def trial(host_local: Callable[..., Ipam], at: int) -> Ipam:
    return apart(host_local(*DUAL), at)


def test_killed_in_its_first_add(host_local: Callable[..., Ipam], tmp_path: Path) -> None:
    kills = points(trial(host_local, 0), tmp_path / "log", "ADD", "a")
    for at, point in enumerate(kills, 1):
        ipam = trial(host_local, at)
        kill(ipam, point, "ADD", "a")
        verify_and_empty(ipam, "a")


def test_killed_in_an_add_beside_another_container(host_local: Callable[..., Ipam], tmp_path: Path) -> None:
    trial(host_local, 0).add("before").succeeded()
    kills = points(trial(host_local, 0), tmp_path / "log", "ADD", "a")
    for at, point in enumerate(kills, 1):
        ipam = trial(host_local, at)
        before = ipam.add("before").ips
        kill(ipam, point, "ADD", "a")
        assert ipam.addresses()["10.0.0.2"] == "before\r\neth0"
        assert [ip.partition("/")[0] in ipam.addresses() for ip in before] == [True, True]
        verify_and_empty(ipam, "a", "before")


def test_killed_in_a_delete(host_local: Callable[..., Ipam], tmp_path: Path) -> None:
    for container in ("before", "a"):
        trial(host_local, 0).add(container).succeeded()
    kills = points(trial(host_local, 0), tmp_path / "log", "DEL", "a")
    for at, point in enumerate(kills, 1):
        ipam = trial(host_local, at)
        for container in ("before", "a"):
            ipam.add(container).succeeded()
        kill(ipam, point, "DEL", "a")
        assert ipam.addresses()["10.0.0.2"] == "before\r\neth0"
        verify_and_empty(ipam, "a", "before")


def test_killed_while_it_makes_the_index_again(host_local: Callable[..., Ipam], tmp_path: Path) -> None:
    def prepare(at: int) -> Ipam:
        ipam = trial(host_local, at)
        for container in ("before", "a"):
            ipam.add(container).succeeded()
        (ipam.network / "10.0.0.6").write_text("")
        (ipam.network / ".multus-1-1").write_text("a\r\neth0")
        (ipam.network / "2001:db8::6").write_bytes(b"theirs\r\neth0")
        return ipam

    kills = points(prepare(0), tmp_path / "log", "DEL", "a")
    for at, point in enumerate(kills, 1):
        ipam = prepare(at)
        kill(ipam, point, "DEL", "a")
        (ipam.network / "10.0.0.6").unlink(missing_ok=True)
        verify_and_empty(ipam, "a", "before", "theirs")


def test_killed_while_it_collects_garbage(host_local: Callable[..., Ipam], tmp_path: Path) -> None:
    def prepare(at: int) -> Ipam:
        ipam = trial(host_local, at)
        for container in ("before", "a", "b"):
            ipam.add(container).succeeded()
        return ipam.with_keys(**{VALID_ATTACHMENTS: [{"containerID": "before", "ifname": "eth0"}]})

    kills = points(prepare(0), tmp_path / "log", "GC", "")
    for at, point in enumerate(kills, 1):
        ipam = prepare(at)
        kill(ipam, point, "GC", "")
        assert ipam.addresses()["10.0.0.2"] == "before\r\neth0"
        verify_and_empty(ipam, "a", "b", "before")


def test_killed_while_it_looks_for_a_last_address(host_local: Callable[..., Ipam], tmp_path: Path) -> None:
    def prepare(at: int) -> Ipam:
        ipam = trial(host_local, at)
        for container in ("before", "a", "b", "c", "d"):
            ipam.add(container).succeeded()
        for address in ("10.0.0.6", "2001:db8::6"):
            os.truncate(ipam.network / address, 0)
        return ipam

    kills = points(prepare(0), tmp_path / "log", "ADD", "e")
    for at, point in enumerate(kills, 1):
        ipam = prepare(at)
        kill(ipam, point, "ADD", "e")
        for address in ("10.0.0.6", "2001:db8::6"):
            if not ipam.addresses().get(address):
                (ipam.network / address).unlink(missing_ok=True)
        assert ipam.addresses()["10.0.0.2"] == "before\r\neth0"
        ipam.delete("a").succeeded()
        verify_and_empty(ipam, "before", "b", "c", "d", "e")


@pytest.mark.parametrize("command", ["ADD", "DEL"])
def test_static_killed(static: Callable[..., Ipam], tmp_path: Path, command: str) -> None:
    addresses = ("10.0.0.2/24", "2001:db8::2/64")

    def prepare(at: int) -> Ipam:
        ipam = apart(static(*addresses), at)
        if command == "DEL":
            ipam.add("a").succeeded()
        return ipam

    kills = points(prepare(0), tmp_path / "log", command, "a")
    for at, point in enumerate(kills, 1):
        ipam = prepare(at)
        kill(ipam, point, command, "a")
        ipam.delete("a").succeeded()
        assert ipam.addresses() == {}
        ipam.add("other").succeeded()
        ipam.delete("other").succeeded()
        assert leftovers(ipam.network) == []


def test_the_kernel_kills_before_the_call(tmp_path: Path) -> None:
    """What the tests above rely on."""
    victim = tmp_path / "made"
    tracer = ["strace", "-qq", "-o", "/dev/null", "-e", "inject=mkdir:signal=KILL:when=1"]
    assert subprocess.run([*tracer, "mkdir", str(victim)], check=False).returncode in (-9, 137)
    assert not victim.exists()
