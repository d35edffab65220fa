"""Many processes on the same addresses, some of which are killed: none is ever with two, and none is lost."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.errors import TryAgainLater
from cni_multus.cni.request import Attachment
from cni_multus.state.leases.audit import findings
from cni_multus.state.leases.listing import Listing
from cni_multus.state.leases.store import Store
from ipam.whereabouts.onnode import NodeEngine
from tests.ipam.runtime import in_processes
from tests.leases import NETWORK, config, holder, leftovers, pool, require_exactly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cni_multus.state.leases.lease import Holder
    from ipam.whereabouts.config import WhereaboutsConfig

WORKERS, ROUNDS = 8, 30


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory."""
    with TemporaryDirectory(dir="/dev/shm") as directory:
        yield Path(directory)


class Claims:
    """Who uses an address, by files that only one can make: what a network would tell of two that have the same."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()

    def use(self, domain: str, given: list[Any], who: str) -> None:
        for cidr in given:
            path = self.directory / f"{domain}-{cidr.ip}"
            try:
                fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                raise AssertionError(f"{path.name} is with {path.read_text()} and with {who}") from None
            os.write(fd, who.encode())
            os.close(fd)

    def leave(self, domain: str, given: list[Any]) -> None:
        for cidr in given:
            (self.directory / f"{domain}-{cidr.ip}").unlink()


def until_killed(work: Callable[[], object], seconds: float) -> bool:
    """Run `work` in a child and kill it after a while; whether it had come to its end before."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except TryAgainLater:
            os._exit(0)
        except BaseException:  # noqa: BLE001 - a child must end here, whatever happens
            traceback.print_exc(file=sys.stderr)
            os._exit(1)
        os._exit(0)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return not os.WIFSIGNALED(status)


RANGES = {
    "one range": [("10.0.0.0/27", "2001:db8::/123")] * 2,
    "overlapping ranges": [("10.0.0.0/27", "2001:db8::/123"), ("10.0.0.16/28", "2001:db8::10/124")],
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("ranges", RANGES.values(), ids=RANGES)
@pytest.mark.parametrize("policy", ["lowest", "next", "spread"])
def test_random_requests_and_kills(
    memory: Path, ranges: list[tuple[str, ...]], policy: str, record_property: Callable[[str, object], None]
) -> None:
    directory, claims = memory / "leases", Claims(memory / "claims")
    killed = memory / "killed"
    configs = [config(*pools, data_dir=directory, policy=policy) for pools in ranges]

    def work(number: int) -> None:
        """A pod after the other, as a runtime does it: what did not come to its end is deleted."""
        choice = random.Random(f"{number} {policy}")
        engine = NodeEngine(str(directory))
        for turn in range(ROUNDS):
            one_pod(engine, choice.choice(configs), holder(f"w{number}t{turn}"), choice)

    def one_pod(engine: NodeEngine, asked: WhereaboutsConfig, who: Holder, choice: random.Random) -> None:
        if choice.random() < 0.3:
            kill("ADD", lambda: engine.acquire(asked, who), choice)
        elif choice.random() < 0.9:
            live(engine, asked, who.attachment, choice)
        if choice.random() < 0.3:
            kill("DEL", lambda: engine.release(who.attachment), choice)
        engine.release(who.attachment)
        assert not engine.release(who.attachment)

    def kill(verb: str, request: Callable[[], object], choice: random.Random) -> None:
        if not until_killed(request, choice.random() / 150):
            with killed.open("a") as log:
                log.write(f"{verb}\n")

    def live(engine: NodeEngine, asked: WhereaboutsConfig, attachment: Attachment, choice: random.Random) -> None:
        who = holder(attachment.container_id.removesuffix("-1"))
        try:
            given = engine.acquire(asked, who)
        except TryAgainLater:
            return
        claims.use("d", given, attachment.container_id)
        time.sleep(choice.random() / 500)
        assert engine.acquire(asked, who) == given
        assert engine.verify(asked, who, given) == []
        claims.leave("d", given)

    in_processes(WORKERS, work)
    engine = NodeEngine(str(directory))
    assert leftovers(engine.store) == []
    require_exactly(engine, {})
    whole = config(*RANGES["one range"][0], data_dir=directory)
    given = {holder(f"z{at}").attachment: engine.acquire(whole, holder(f"z{at}")) for at in range(30)}
    require_exactly(engine, given)
    with pytest.raises(TryAgainLater):
        engine.acquire(whole, holder("one-more"))
    record_property("kills", len(killed.read_text().split()) if killed.exists() else 0)


def test_two_hundred_pods_at_once(memory: Path) -> None:
    asked = config("10.0.0.0/24", "2001:db8::/120", data_dir=memory)

    def work(number: int) -> None:
        given = NodeEngine(str(memory)).acquire(asked, holder(f"p{number}"))
        (memory / f"given{number}").write_text(" ".join(map(str, given)))

    in_processes(200, work)
    given = [text for path in memory.glob("given*") for text in path.read_text().split()]
    assert len(set(given)) == 400
    assert len(list(Listing(Store(str(memory))).leases())) == 200
    assert leftovers(Store(str(memory))) == []


def test_pools_without_protection_share_an_address_and_never_one_of_their_own(memory: Path) -> None:
    directory, claims = memory / "leases", Claims(memory / "claims")
    configs = [
        config("10.0.0.0/28", "10.1.0.0/28", data_dir=directory, exclusive=False),
        config("10.0.0.0/27", "10.1.0.0/28", data_dir=directory, exclusive=False),
    ]

    def work(number: int) -> None:
        engine = NodeEngine(str(directory))
        for turn in range(ROUNDS):
            which = (number + turn) % 2
            who = holder(f"w{number}t{turn}")
            first, second = engine.acquire(configs[which], who)
            claims.use(f"{which}", [first], who.attachment.container_id)
            claims.use("both", [second], who.attachment.container_id)
            claims.leave(f"{which}", [first])
            claims.leave("both", [second])
            assert engine.release(who.attachment)

    in_processes(WORKERS, work)
    require_exactly(NodeEngine(str(directory)), {})


def test_two_processes_for_the_same_pod_at_once(memory: Path) -> None:
    """A runtime that gave up on its first sandbox makes another, while the first is still being made and deleted."""
    asked = config("10.0.0.0/28", "2001:db8::/124", data_dir=memory)

    def work(number: int) -> None:
        engine = NodeEngine(str(memory))
        for turn in range(ROUNDS):
            who = holder("a", f"a-{number}-{turn}")
            assert [str(one.ip) for one in engine.acquire(asked, who)] == ["10.0.0.1", "2001:db8::1"]
            engine.release(who.attachment)

    in_processes(WORKERS, work)
    require_exactly(NodeEngine(str(memory)), {})


def test_the_same_attachment_added_and_deleted_by_all(memory: Path) -> None:
    asked, who = config("10.0.0.0/28", data_dir=memory), holder("a")

    def work(number: int) -> None:
        engine = NodeEngine(str(memory))
        for _ in range(ROUNDS):
            (given,) = engine.acquire(asked, who)
            assert str(given) == "10.0.0.1/28"
            engine.release(who.attachment)

    in_processes(WORKERS, work)
    require_exactly(NodeEngine(str(memory)), {})


def test_the_edited_range_of_pods_that_come_and_go(memory: Path) -> None:
    configs = [config(f"10.{at}.0.0/28", "2001:db8::/123", data_dir=memory) for at in range(2)]

    def work(number: int) -> None:
        engine = NodeEngine(str(memory))
        for turn in range(ROUNDS):
            given = [
                engine.acquire(configs[at], holder(f"w{number}t{turn}", f"w{number}t{turn}-{at}")) for at in range(2)
            ]
            assert given[0][1] == given[1][1]
            assert engine.release(holder(f"w{number}t{turn}", f"w{number}t{turn}-1").attachment)

    in_processes(WORKERS, work)
    require_exactly(NodeEngine(str(memory)), {})


def test_garbage_is_collected_and_looked_for_among_the_others(memory: Path) -> None:
    """Fsck finds nothing of what is under way, and GC takes nothing of what is valid."""
    asked = config(pool("10.0.0.0/24", gateway="10.0.0.1"), "2001:db8::/120", data_dir=memory, cool_down=0.01)

    def work(number: int) -> None:
        engine = NodeEngine(str(memory))
        for turn in range(ROUNDS):
            if number == 0:
                engine.collect(NETWORK, lambda attachment: not attachment.container_id.endswith("gone"))
                assert [found.message for found in findings(engine.store)] == []
                continue
            keep, leave = holder(f"w{number}"), holder(f"w{number}t{turn}", f"w{number}t{turn}-gone")
            given = engine.acquire(asked, keep)
            engine.acquire(asked, leave)
            assert engine.verify(asked, keep, given) == []
            assert engine.why_not_available(asked) == ""

    in_processes(WORKERS, work)
    engine = NodeEngine(str(memory))
    engine.collect(NETWORK, lambda attachment: not attachment.container_id.endswith("gone"))
    records = list(Listing(engine.store).leases())
    held = [record for record in records if not record.is_released]
    assert sorted(record.lease.holder.pod for record in held) == [f"default/w{at}" for at in range(1, WORKERS)]
    assert leftovers(engine.store) == []


def test_a_lock_that_somebody_keeps_is_waited_for_and_then_told(memory: Path) -> None:
    asked = config("10.0.0.0/28", data_dir=memory)
    engine = NodeEngine(str(memory))
    engine.acquire(asked, holder("a"))
    fd = os.open(memory / "lock", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    words = rf"cannot take addresses of network blue: {memory}/lock has been locked by another process for 10 s"
    with pytest.raises(TryAgainLater, match=words):
        engine.acquire(asked, holder("b"))
    assert engine.why_not_available(asked) == ""
    assert Store(str(memory)).lease_of(holder("a").attachment) is not None  # reading needs no lock
    os.close(fd)
    engine.acquire(asked, holder("b"))
