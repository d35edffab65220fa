"""The store of reservations against a dictionary, while another program changes the directory between the calls."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cni_multus.cni.addressing import Ip
from cni_multus.cni.errors import IoFailure, TryAgainLater
from cni_multus.state.owners import NOT_A_RESERVATION, Owner
from cni_multus.state.reservations import Reservations

POOL = [Ip(4, 0x0A00FFFA + at) for at in range(12)]  # in two blocks of bits
FIRST, LAST = POOL[0].number, POOL[-1].number

owners = st.builds(Owner, st.sampled_from(["a", "b", "c"]), st.sampled_from(["eth0", "net1"]))
foreign = st.builds(Owner, st.sampled_from(["a", "b", "go"]), st.sampled_from(["", "eth0"]))
addresses = st.sampled_from(POOL)


class Store(RuleBasedStateMachine):
    """What is on disk, what the store says, and a dictionary that has both."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.model: dict[Ip, str] = {}
        self.obstacles: set[Ip] = set()

    def teardown(self) -> None:
        shutil.rmtree(self.directory)

    def store(self) -> Reservations:
        return Reservations(str(self.directory), "net", "try")

    def path(self, ip: Ip) -> Path:
        return self.directory / "net" / str(ip)

    def free(self) -> list[Ip]:
        return [ip for ip in POOL if ip not in self.model and ip not in self.obstacles]

    @initialize()
    def begin(self) -> None:
        (self.directory / "net").mkdir()

    @rule(owner=owners, count=st.integers(1, 3))
    def reserve(self, owner: Owner, count: int) -> None:
        with self.store() as store:
            chosen: list[Ip] = []
            while len(chosen) < count:
                ip = store.find_free(4, chosen[-1].number + 1 if chosen else FIRST, LAST)
                if ip is None:
                    break
                chosen.append(ip)
            assert chosen == self.free()[:count]
            if chosen:
                store.reserve(owner, chosen, remember=True)
                self.model |= dict.fromkeys(chosen, owner.key)

    @rule(owner=owners, ip=addresses)
    def ask_for(self, owner: Owner, ip: Ip) -> None:
        with self.store() as store:
            holder = store.holder(ip)
            if ip in self.obstacles:
                assert holder is NOT_A_RESERVATION
            elif ip in self.model:
                assert holder is not None
                assert holder.key == self.model[ip]
            else:
                assert holder is None
                store.reserve(owner, [ip])
                self.model[ip] = owner.key

    @rule(owner=owners)
    def release(self, owner: Owner) -> None:
        with self.store() as store:
            store.release(owner)
        own = {ip for ip, key in self.model.items() if key == owner.key}
        gone = own or {ip for ip, key in self.model.items() if key == Owner(owner.container_id).key}
        self.model = {ip: key for ip, key in self.model.items() if ip not in gone}

    @rule(valid=st.sets(st.sampled_from(["a", "b", "c", "go"])))
    def collect(self, valid: set[str]) -> None:
        with self.store() as store:
            store.collect(lambda owner: owner.container_id in valid)
        self.model = {ip: key for ip, key in self.model.items() if key.partition("@")[0] in valid}

    @rule()
    def exhaust(self) -> None:
        with self.store() as store:
            if store.find_free(4, FIRST, LAST) is None:
                store.reclaim_dead()
                assert store.find_free(4, FIRST, LAST) is None
                assert not store.reclaim_dead()

    @rule(owner=owners)
    def fail_halfway(self, owner: Owner) -> None:
        """The second address cannot be had: the first is not kept."""
        taken = next((ip for ip in POOL if ip in self.model), None)
        if taken is None or not self.free():
            return
        with pytest.raises(TryAgainLater), self.store() as store:
            store.reserve(owner, [self.free()[0], taken])

    # What others do, without our knowledge

    @rule(owner=foreign, ip=addresses)
    def somebody_adds(self, owner: Owner, ip: Ip) -> None:
        if ip not in self.model and ip not in self.obstacles:
            self.path(ip).write_bytes(owner.content)
            (self.directory / "net" / "last_reserved_ip.0").write_text(str(ip))
            self.model[ip] = owner.key

    @rule(ip=addresses)
    def somebody_removes(self, ip: Ip) -> None:
        if ip in self.model:
            self.path(ip).unlink()
            del self.model[ip]

    @rule(owner=foreign, ip=addresses)
    def somebody_writes_again(self, owner: Owner, ip: Ip) -> None:
        if ip in self.model:
            self.path(ip).unlink()
            self.path(ip).write_bytes(owner.content)
            self.model[ip] = owner.key

    @rule(ip=addresses)
    def somebody_is_killed_while_writing(self, ip: Ip) -> None:
        if ip not in self.model and ip not in self.obstacles:
            self.path(ip).touch()

    @rule(ip=addresses)
    def something_is_in_the_way(self, ip: Ip) -> None:
        if ip not in self.model and ip not in self.obstacles:
            self.path(ip).unlink(missing_ok=True)
            self.path(ip).mkdir()
            self.obstacles.add(ip)

    @rule(part=st.sampled_from(["stamp", "owners", "blocks", ""]))
    def the_index_is_lost(self, part: str) -> None:
        index = self.directory / ".multus" / "net"
        (index / "stamp").unlink(missing_ok=True)
        shutil.rmtree(index / part, ignore_errors=True)

    @invariant()
    def what_is_on_disk_is_what_was_reserved(self) -> None:
        shown = {}
        for ip in POOL:
            if self.path(ip).is_file() and (owner := Owner.parse(self.path(ip).read_bytes())):
                shown[ip] = owner.key
        assert shown == self.model

    @invariant()
    def the_store_knows_who_holds_what(self) -> None:
        if not (self.directory / "net" / "lock").exists():
            return
        with self.store() as store:
            for key in {*self.model.values(), "a@eth0"}:
                container_id, _, ifname = key.partition("@")
                held = store.held_by(Owner(container_id, ifname))
                assert set(held) == {ip for ip, other in self.model.items() if other == key}
                assert len(held) == len(set(held))


Store.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow]
)
test_the_store_agrees_with_a_dictionary = Store.TestCase


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"a", "a@"),
        (b" a\r\n", "a@"),
        (b"a\r\neth0", "a@eth0"),
        (b"a\r\neth0\r\n/run/netns/x", "a@eth0"),
        (b"a\r\neth%d", "a@eth%d"),
        (b"0123.abc_-\r\neth\xff", "0123.abc_-@eth\udcff"),
        (b"", None),
        (b"a@b\r\neth0", None),
        (b"a\neth0", None),
        (b"a\r\n/etc", None),
        (b"a\r\n\r\n", "a@"),
        (b"\0" * 20, None),
    ],
)
def test_an_address_file_names_its_owner_or_nobody(content: bytes, key: str | None) -> None:
    owner = Owner.parse(content)
    assert (owner and owner.key) == key


def test_what_an_owner_writes_it_reads() -> None:
    for owner in (Owner("a"), Owner("a", "eth0"), Owner("a", "eth\udcff", "/run/netns/x y")):
        read = Owner.parse(owner.content)
        assert read is not None
        assert (read.container_id, read.ifname, read.netns) == (owner.container_id, owner.ifname, owner.netns)


def test_an_owner_that_is_longer_than_a_file_name_is_indexed_too(tmp_path: Path) -> None:
    owner = Owner("x" * 4000, "eth0")
    with Reservations(str(tmp_path), "net", "try") as store:
        store.reserve(owner, POOL[:2])
    with Reservations(str(tmp_path), "net", "try") as store:
        assert store.held_by(owner) == POOL[:2]
        store.release(owner)
    assert os.listdir(tmp_path / "net") == ["lock"]


def test_a_request_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    with Reservations(str(tmp_path), "net", "try") as store:
        store.reserve(Owner("a", "eth0"), POOL[:1])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with Reservations(str(tmp_path), "net", "try") as store:
        store.release(Owner("b", "eth0"))
        assert store.find_free(4, FIRST, LAST) == POOL[1]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_change_within_the_clock_s_tick_is_seen(tmp_path: Path) -> None:
    """The directory's time after a change of ours is one that the kernel gives to no other."""
    with Reservations(str(tmp_path), "net", "try") as store:
        store.reserve(Owner("a", "eth0"), POOL[:1])
    ours = (tmp_path / "net").stat().st_mtime_ns
    (tmp_path / "net" / "x").touch()
    assert (tmp_path / "net").stat().st_mtime_ns - ours > 9 * 10**9


def test_a_store_below_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(IoFailure, match="not a directory"), Reservations(str(tmp_path / "file"), "net", "try"):
        pytest.fail("it was opened")
