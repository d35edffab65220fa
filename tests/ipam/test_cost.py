"""What a request to a large pool costs: as many system calls as one to an empty pool."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ipam.runtime import Ipam

POOL = [{"subnet": "10.1.0.0/16"}]
TAKEN = 60_000


def taken(step: int) -> list[str]:
    """So many addresses of the pool, from its beginning on or spread over it."""
    return [f"10.1.{number >> 8}.{number & 255}" for number in (2 + at * step % 65_533 for at in range(TAKEN))]


def calls(ipam: Ipam, log: Path, command: str, container: str) -> int:
    """The system calls of one request, the interpreter's own included."""
    ipam.run(command, container, "eth0", "strace", "-f", "-o", str(log)).succeeded()
    return len(log.read_text().splitlines())


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory, where so many files are made and gone again in a second."""
    with TemporaryDirectory(dir="/dev/shm") as directory:
        yield Path(directory)


@pytest.mark.parametrize("step", [1, 40_503], ids=["contiguous", "scattered"])
def test_a_large_pool_costs_no_more_than_an_empty_one(
    host_local: Callable[..., Ipam], memory: Path, tmp_path: Path, step: int
) -> None:
    empty, large = (
        replace(host_local(POOL, name=name, dataDir=str(memory)), data_dir=memory) for name in ("empty", "large")
    )
    large.network.mkdir(parents=True)
    addresses = taken(step)
    for at, address in enumerate(addresses):
        (large.network / address).write_bytes(b"%064x\r\neth0" % at)
    counts = {}
    for ipam in (empty, large):
        ipam.add("first").succeeded()  # which makes the index
        os.truncate(ipam.network / "last_reserved_ip.0", 0)  # the search begins where all is taken
        name = str(ipam.config["name"])
        counts[name] = [calls(ipam, tmp_path / "log", command, "c") for command in ("ADD", "DEL", "DEL")]
        added = ipam.add("d").succeeded()
        ipam.check(added, "d").succeeded()
    assert all(more <= less + 5 for less, more in zip(counts["empty"], counts["large"], strict=True)), counts
    assert len(os.listdir(large.network)) == TAKEN + 4
