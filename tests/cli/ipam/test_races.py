"""Commands that look while others take and give back: they neither fail nor find what is not there."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.cli.ipam.operator import Operator
from tests.cli.terminal import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Takes and gives back, in turn, until its standard input is closed.
LEASES = """
import random, select, sys
sys.path.insert(0, {root!r})
from cni_multus.cni.addressing import Cidr
from cni_multus.cni.errors import CniError
from cni_multus.cni.request import Attachment
from cni_multus.state.leases.lease import Holder
from cni_multus.state.leases.clock import running_boot
from ipam.whereabouts.config import WhereaboutsConfig
from ipam.whereabouts.onnode import NodeEngine
from ipam.whereabouts.pool import Pool
cidrs = [Cidr.parse("10.0.0.0/26"), Cidr.parse("fd00::/122")]
config = WhereaboutsConfig("net1", [Pool(one, one.first + 1, one.last - 1) for one in cidrs], data_dir={where!r})
engine = NodeEngine({where!r})
held = []
while not select.select([sys.stdin], [], [], random.random() / 200)[0]:  # the lock is not fair
    name = "c%x" % random.getrandbits(40)
    holder = Holder(Attachment("net1", name, "eth0"), netns="/proc/self/ns/net", boot=running_boot())
    engine.acquire(config, holder)
    held.append(holder.attachment)
    if len(held) > 8:
        engine.release(held.pop(random.randrange(len(held))))
"""
HOST_LOCAL = """
import random, select, sys
sys.path.insert(0, {root!r})
from cni_multus.cni.addressing import Ip
from cni_multus.state.owners import Owner
from cni_multus.state.reservations import Reservations
held = []
while not select.select([sys.stdin], [], [], random.random() / 200)[0]:  # the lock is not fair
    owner = Owner("c%x" % random.getrandbits(40), "eth0")
    with Reservations({where!r}, "net1", "the test") as reservations:
        ip = reservations.find_free(4, 0x0a000001, 0x0a00003e)
        reservations.reserve(owner, [ip])
        held.append(owner)
        if len(held) > 8:
            reservations.release(held.pop(random.randrange(len(held))))
"""


@contextmanager
def at_work(script: str, where: Path, count: int = 3) -> Iterator[None]:
    """So many processes that take and give back, all the time."""
    code = script.format(root=str(ROOT), where=str(where))
    workers = [
        subprocess.Popen([sys.executable, "-ISE", "-c", code], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(count)
    ]
    try:
        yield
    finally:
        ended = [worker.communicate(timeout=60) for worker in workers]
    assert [stderr.decode() for _, stderr in ended] == [""] * count


@pytest.mark.parametrize(("script", "engine"), [(LEASES, "file"), (HOST_LOCAL, "host-local")])
def test_looking_at_what_changes_all_the_time(operator: Operator, script: str, engine: str) -> None:
    where = operator.data_dir if engine == "file" else operator.host_local
    commands = [
        ["show"],
        ["show", "net1"],
        ["owner", "10.0.0.5"],
        ["leaks"],
        ["fsck"],
        ["export", "--from", engine, "--range", "10.0.0.0/26"],
    ]
    with at_work(script, where):
        deadline = time.monotonic() + 4
        looks = 0
        while time.monotonic() < deadline or looks < 24:
            command, *arguments = random.choice(commands)
            ended = operator.ipam(command, *arguments)
            allowed = (0, 1) if command in {"show", "owner"} else (0,)  # at first there is nothing
            assert ended.status in allowed, (command, ended.stdout, ended.stderr)
            looks += 1
    assert operator.json("fsck")["findings"] == []
    holders = operator.json("show", "net1")["holders"]
    assert len(holders) == len({holder["address"] for holder in holders})


def test_releasing_by_hand_while_others_take_and_give_back(operator: Operator) -> None:
    """Whoever has the address by then keeps it: the worker never misses what it did not give back itself."""
    with at_work(LEASES, operator.data_dir, count=1):
        released, deadline = 0, time.monotonic() + 60
        while released < 5 and time.monotonic() < deadline:
            found = operator.ipam("owner", "10.0.0.3", "-o", "json")
            for holder in json.loads(found.stdout)["holders"]:
                ended = operator.ipam("release", "10.0.0.3", "--owner", holder["owner"], "--force")
                assert ended.status in (0, 1), ended.stderr
                released += ended.status == 0
    assert released == 5
    assert operator.json("fsck")["findings"] == []
