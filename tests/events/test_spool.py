"""The directory in which events wait, and what else may be found there."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError
from cni_multus.events import spool as module
from cni_multus.events.event import Event
from cni_multus.events.spool import Spool
from tests.conftest import LIBC, MNT_DETACH, checked
from tests.events.spooling import event, run

HOUR = 3600 * 10**9


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(str(tmp_path / "cni"))


def put(spool: Spool, name: str, content: bytes = b"") -> Path:
    """A file of somebody else's making."""
    os.makedirs(spool.directory, exist_ok=True)
    path = Path(spool.directory) / name
    path.write_bytes(content)
    return path


def nowhere(tmp_path: Path) -> Path:
    """A kubeconfig of a server that is not there, so that everything waits."""
    path = tmp_path / "kubeconfig"
    path.write_text(
        '{"current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "x"}}],'
        ' "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:1"}}]}'
    )
    return path


def test_an_event_is_one_file_that_only_root_reads(spool: Spool) -> None:
    assert spool.is_empty()
    assert spool.add(event()) == ""
    assert not spool.is_empty()
    [path] = Path(spool.directory).iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    read = spool.read(path.name)
    assert read is not None
    assert read.message == event().message


def test_the_oldest_comes_first(spool: Spool) -> None:
    now = time.time_ns()
    for age in (3, 1, 2, 0):
        spool.add(event(message=str(age), moment=now - age))
    read = [spool.read(name) for name in spool.waiting()]
    assert [each.message for each in read if each] == ["3", "2", "1", "0"]


def test_events_of_one_moment_do_not_collide(spool: Spool) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda at: spool.add(event(message=str(at), moment=HOUR)), range(200))) == {""}
    assert len(spool.waiting()) == 200
    assert [name for name in os.listdir(spool.directory) if name.startswith(".")] == []


def test_the_spool_holds_the_newest_thousand(spool: Spool) -> None:
    now = time.time_ns()
    said = {at: spool.add(event(message=str(at), moment=now + at)) for at in range(module.MOST + 5)}
    assert [at for at, each in said.items() if each] == list(range(module.MOST, module.MOST + 5))
    assert said[module.MOST] == "1000 Events wait for the API server: the oldest 1 are dropped"
    names = spool.waiting()
    assert len(names) == module.MOST
    oldest = spool.read(names[0])
    assert oldest is not None
    assert oldest.message == "5"


def test_nothing_is_waited_for_longer_than_an_hour(spool: Spool, tmp_path: Path) -> None:
    spool.add(event(message="old", moment=time.time_ns() - HOUR - 10**9))
    spool.add(event(message="young", moment=time.time_ns() - HOUR + 60 * 10**9))
    said = run(spool, nowhere(tmp_path), 1)
    assert said[0] == "dropped: the Event AddedInterface of somewhere/pod waited for an hour"
    [name] = spool.waiting()
    kept = spool.read(name)
    assert kept is not None
    assert kept.message == "young"


NAME = f"{time.time_ns():020}-0123456789abcdef"
HOSTILE = {
    "empty": b"",
    "half": b'{"kind": "Normal", "reas',
    "a list": b"[]",
    "null": b"null",
    "deep": b"[" * 100_000,
    "binary": bytes(range(256)),
    "large": b'{"kind": "' + b"x" * (1 << 20) + b'"}',
    "another's": b'{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": "y"}}',
    "a path": b'{"kind":"Normal","reason":"x","message":"","namespace":"../../../apis","pod":"x","uid":"","host":"",'
    b'"moment":%d,"mark":"0123456789abcdef"}' % time.time_ns(),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_is_no_event_goes(spool: Spool, tmp_path: Path, content: bytes) -> None:
    put(spool, NAME, content)
    said = run(spool, nowhere(tmp_path), 1)
    assert [each.partition(":")[0] for each in said] == ["dropped"]
    assert spool.waiting() == []


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5)
FIELDS = st.fixed_dictionaries({}, optional=dict.fromkeys(event().to_json(), JSON))


@given(FIELDS.map(lambda wrong: json.dumps({**event().to_json(), **wrong}).encode()) | st.binary())
def test_any_file_is_an_event_or_a_failure_that_is_foreseen(content: bytes) -> None:
    with TemporaryDirectory() as directory:
        spool = Spool(directory)
        put(spool, NAME, content)
        try:
            read = spool.read(NAME)
        except CniError:
            return
    assert read is not None
    assert Event.parse(Section(read.to_json())).document() == read.document()


def test_what_is_no_file_goes_or_stays_and_is_in_nobodys_way(spool: Spool, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    put(spool, "x").unlink()
    start = f"{time.time_ns():020}"
    os.symlink(secret, f"{spool.directory}/{start}-aaaaaaaaaaaaaaaa")
    os.mkfifo(f"{spool.directory}/{start}-bbbbbbbbbbbbbbbb")
    os.mkdir(f"{spool.directory}/{start}-cccccccccccccccc")
    spool.add(event(namespace=""))
    said = run(spool, nowhere(tmp_path), 1)
    assert [each.partition(" ")[0] for each in said] == ["dropped:", "dropped:", "dropped:", "cannot"]
    assert "secret" not in " ".join(said)
    assert secret.read_text() == "secret"
    assert spool.waiting() == [f"{start}-cccccccccccccccc"]


def test_strangers_are_passed_over_and_named(spool: Spool, tmp_path: Path) -> None:
    spool.add(event())
    for name in ("core", f"{NAME}.bak", "1-2", "README"):
        put(spool, name)
    said = run(spool, nowhere(tmp_path), 0.3)
    assert said[0].startswith(f"{spool.directory}: passed over what is no Event: ")
    assert all(name in said[0] for name in ("core", f"{NAME}.bak", "1-2", "README"))
    assert len(os.listdir(spool.directory)) == 6  # the event and the lock


def test_what_a_killed_process_was_writing_goes(spool: Spool, tmp_path: Path) -> None:
    spool.add(event())
    old, new = put(spool, ".multus-1-2"), put(spool, ".multus-1-3")
    os.utime(old, (0, 0))
    run(spool, nowhere(tmp_path), 0.3)
    assert not old.exists()
    assert new.exists()


@pytest.mark.parametrize("missing", [{"namespace": ""}, {"pod": ""}], ids=str)
def test_an_event_about_nobody_is_not_kept(spool: Spool, missing: dict[str, str]) -> None:
    assert spool.add(event(**missing)) == "the Event AddedInterface is lost: it names no pod"
    assert spool.is_empty()


def test_an_event_that_is_too_large_is_not_kept(spool: Spool) -> None:
    assert "larger than 16 KiB" in spool.add(event(pod="x" * 20_000))
    assert spool.is_empty()


def test_a_spool_that_cannot_be_says_why(tmp_path: Path) -> None:
    (tmp_path / "events").write_text("in the way")
    spool = Spool(str(tmp_path))
    said = spool.add(event())
    assert said.startswith("the Event AddedInterface is lost: cannot make the directory ")
    assert spool.is_empty()
    assert run(spool, nowhere(tmp_path), 1)[0].startswith("Events wait for the next request: cannot list ")


def test_a_spool_that_never_was_costs_nothing(spool: Spool, tmp_path: Path) -> None:
    assert run(spool, tmp_path / "none", 1) == []
    assert not os.path.exists(spool.directory)


def test_a_full_disk_loses_an_event_and_says_so(tmp_path: Path) -> None:
    checked(LIBC.mount(b"none", bytes(tmp_path), b"tmpfs", 0, b"size=8k,nr_inodes=20"))
    try:
        spool = Spool(str(tmp_path))
        said = [spool.add(event()) for _ in range(30)]
        assert said[0] == ""
        assert said[-1].startswith("the Event AddedInterface is lost: cannot create ")
        assert said[-1].endswith("no space left on device")
        assert sorted(os.listdir(spool.directory)) == spool.waiting()
    finally:
        LIBC.umount2(bytes(tmp_path), MNT_DETACH)
