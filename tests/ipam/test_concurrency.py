"""Many processes on one pool: no address is ever with two at a time, and none is lost."""

from __future__ import annotations

import fcntl
import os
import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.ipam.runtime import in_processes, leftovers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ipam.runtime import Ipam


@pytest.mark.parametrize("subnet", ["10.0.0.0/24", "10.0.0.0/25"])
def test_no_address_is_ever_given_twice(host_local: Callable[..., Ipam], tmp_path: Path, subnet: str) -> None:
    ipam = host_local([{"subnet": subnet}], [{"subnet": "2001:db8::/64"}])
    claims = tmp_path / "claims"
    claims.mkdir()

    def work(number: int) -> None:
        for turn in range(8):
            container = f"c{number}-{turn}"
            given = ipam.add(container).ips
            for ip in given:
                os.close(os.open(claims / ip.replace("/", "_"), os.O_CREAT | os.O_EXCL))
            time.sleep(random.random() / 500)
            for ip in given:
                (claims / ip.replace("/", "_")).unlink()
            ipam.delete(container).succeeded()
            ipam.delete(container).succeeded()

    in_processes(64, work)
    assert ipam.addresses() == {}
    assert leftovers(ipam.data_dir) == []


def test_the_same_attachment_is_added_once_however_many_try(host_local: Callable[..., Ipam], tmp_path: Path) -> None:
    ipam = host_local()

    def work(number: int) -> None:
        (tmp_path / f"status{number}").write_text(str(ipam.add("same").status))

    in_processes(16, work)
    assert sorted((tmp_path / f"status{number}").read_text() for number in range(16)) == ["0"] + ["1"] * 15
    assert len(ipam.addresses()) == 1


def test_deletes_of_the_same_attachment_all_succeed(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local()
    ipam.add().succeeded()

    def work(number: int) -> None:
        ipam.delete().succeeded()

    in_processes(16, work)
    assert ipam.addresses() == {}


def test_garbage_is_collected_among_the_others(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local()

    def work(number: int) -> None:
        for turn in range(5):
            if number % 8 == 0:
                ipam.collect(*((f"c{n}-{t}", "eth0") for n in range(64) for t in range(5))).succeeded()
                continue
            ipam.add(f"c{number}-{turn}").succeeded()
            ipam.call("STATUS").succeeded()
            ipam.delete(f"c{number}-{turn}").succeeded()

    in_processes(16, work)
    assert ipam.addresses() == {}


def test_a_lock_that_somebody_keeps_is_waited_for_and_then_told(host_local: Callable[..., Ipam]) -> None:
    """The wait is ten seconds; the others go on as soon as they can."""
    ipam = host_local()
    ipam.add("first").succeeded()
    fd = os.open(ipam.network / "lock", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    start = time.monotonic()
    words = (
        "cannot reserve an address in network mynet",
        str(ipam.network / "lock"),
        "locked by another process for 10 s",
    )
    ipam.add("second").failed(11, *words)
    assert 9.5 < time.monotonic() - start < 20
    os.close(fd)
    ipam.add("second").succeeded()
