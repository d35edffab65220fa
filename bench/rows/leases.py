"""whereabouts on one node: an address, its check and its release beside ever more leases, and their room on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from bench.measure import compare
from bench.row import Bench, Row
from bench.runtime import VERSION, host_local
from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.request import Attachment
from cni_multus.state.leases.hint import Hints
from cni_multus.state.leases.layout import DEFAULT
from cni_multus.state.leases.lease import Holder, Lease
from cni_multus.state.leases.record import Record
from cni_multus.state.leases.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.measure import Round, Samples
    from bench.runtime import Config, Runtime

BUDGET = 2.0
RANGE = "10.0.0.0/8"
FIRST = 10 << 24 | 1
TAKEN = (1_000, 65_536, 1_000_000)
WITH_GO = 65_536
"""Beyond this the Go host-local, which reads every file for each ADD, is left out: it takes minutes for one."""
SLOW_RUNS = 5
STEPS = {"ADD": "address", "CHECK": "check", "DEL": "release"}


def measure(bench: Bench) -> list[Row]:
    rows = []
    for taken in TAKEN:
        if bench.quick and taken > WITH_GO:
            print(f"bench: leases: {taken:,} are left out (--quick)", file=sys.stderr)
            continue
        rows += beside(bench, taken)
    return rows


def beside(bench: Bench, taken: int) -> list[Row]:
    """What one more pod costs where so many addresses are taken; the files are gone afterwards."""
    full, empty = (bench.ours.data / f"leases-{name}-{taken}" for name in ("full", "empty"))
    networks = bench.reference.data / "networks" / f"leases-{taken}"
    fill(full, taken)
    if taken <= WITH_GO:
        fill_host_local(networks, taken)
    os.sync()  # nobody measured pays for what was written here
    try:
        title = f"{taken:,} taken".replace(",", " ")
        measured = compare(
            {"full": turn(bench.ours, full), "empty": turn(bench.ours, empty)}, bench.runs, bench.warmups
        )
        rows = [
            Row(f"whereabouts: {what}, {title}, against an empty store", *pair(measured, step), BUDGET, ("wall",))
            for step, what in STEPS.items()
        ]
        if taken <= WITH_GO:
            rows += against_go(bench, full, networks, title)
        return [*rows, Row(f"whereabouts: what {title} are on disk", used(full), absolute=True)]
    finally:
        subprocess.run(["rm", "-rf", full, empty, networks], check=True)


def pair(measured: dict[str, dict[str, Samples]], step: str) -> tuple[Samples, Samples]:
    return measured["full"][step], measured["empty"][step]


def against_go(bench: Bench, full: Path, networks: Path, title: str) -> list[Row]:
    """The same by the Go host-local, which goes on behind the last address: its short way."""
    sides = {"ours": turn(bench.ours, full), "go": turn_of_host_local(bench.reference, networks)}
    measured = compare(sides, min(bench.runs, SLOW_RUNS), 1)
    return [
        Row(f"whereabouts: {what}, {title}, against the Go host-local", measured["ours"][step], measured["go"][step])
        for step, what in STEPS.items()
    ]


def turn(side: Runtime, directory: Path) -> Callable[[], Round]:
    """One address, lowest first, its check and its release."""
    ipam = {"type": "whereabouts", "range": RANGE, "dataDir": str(directory), "datastore": "file"}
    return taking_turns(side, {"cniVersion": VERSION, "name": "leases", "type": "whereabouts", "ipam": ipam})


def turn_of_host_local(side: Runtime, network: Path) -> Callable[[], Round]:
    asked = {"cniVersion": VERSION, "name": network.name, "type": "host-local", "ipam": host_local(side, RANGE)}
    return taking_turns(side, asked)


def taking_turns(side: Runtime, asked: Config) -> Callable[[], Round]:
    def add_check_and_delete() -> Round:
        added, result = side.add(asked)
        return {"ADD": added, "CHECK": side.check(asked, result), "DEL": side.delete(asked, result)}

    return add_check_and_delete


def fill(directory: Path, count: int) -> None:
    """Write the leases of so many pods as `multus` would have, in its format, without its lock and its syncs."""
    layout = Store(str(directory)).layout
    made: set[str] = set()
    for number in range(FIRST, FIRST + count):
        attachment = Attachment("leases", f"{number:064x}", "eth0")
        holder = Holder(attachment, pod=f"default/pod-{number}", node="bench", boot="0" * 16, netns="/run/netns/bench")
        record = Record(holder.key, Lease(holder, [Cidr(Ip(4, number), 8)], 1.0), [DEFAULT])
        lease, address = layout.lease(record.key), layout.address((DEFAULT, Ip(4, number)))
        pointer, target = layout.attachment(attachment), layout.target(record.key)
        for path in (lease, address, pointer):
            parent = os.path.dirname(path)
            if parent not in made:
                os.makedirs(parent, exist_ok=True)
                made.add(parent)
        fd = os.open(lease, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(fd, record.print())
        os.close(fd)
        os.symlink(target, address)
        os.symlink(target, pointer)
    os.makedirs(layout.hints(DEFAULT))
    hints = Hints(layout.hints(DEFAULT))
    hints.rebuild(Ip(4, number) for number in range(FIRST, FIRST + count))
    hints.flush()


def fill_host_local(directory: Path, count: int) -> None:
    """The same as host-local keeps them."""
    directory.mkdir(parents=True)
    for number in range(FIRST + 1, FIRST + 1 + count):  # .1 is its gateway
        (directory / str(IPv4Address(number))).write_text(f"{number:064x}\r\neth0")
    (directory / "last_reserved_ip.0").write_text(str(IPv4Address(FIRST + count)))


def used(directory: Path) -> Samples:
    """What `du` says."""
    found = {}
    for measure, options, unit in (("disk", ["-sk"], 1024), ("inodes", ["-s", "--inodes"], 1)):
        told = subprocess.run(["du", *options, directory], check=True, capture_output=True, text=True).stdout
        found[measure] = [int(told.split()[0]) / unit]
    return found
