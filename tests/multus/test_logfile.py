"""The log's file: moved, compressed and dropped when it is full, by many at once, and no line is lost."""

from __future__ import annotations

import fcntl
import gzip
import os
import re
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.config import Section
from cni_multus.multus.logfile import LogFile
from tools.build import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def full(path: Path, **options: object) -> LogFile:
    """A file at its size of 1 MB, so that the next line moves it."""
    path.write_bytes(b"x" * ((1 << 20) - 1) + b"\n")
    return LogFile(str(path), Section({"maxSize": 1, **options}))


def backups(path: Path) -> list[str]:
    return sorted(name for name in os.listdir(path.parent) if name.startswith(path.name + "-"))


def test_a_full_file_is_moved_and_compressed(tmp_path: Path) -> None:
    path = tmp_path / "multus.log"
    full(path).append(b"one more\n")
    assert path.read_bytes() == b"one more\n"
    (backup,) = backups(path)
    assert re.fullmatch(r"multus\.log-\d{8}T\d{6}\.\d{6}-\d+\.gz", backup)
    assert len(gzip.decompress((tmp_path / backup).read_bytes())) == 1 << 20
    assert stat.S_IMODE((tmp_path / backup).stat().st_mode) == 0o600


def test_compression_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "multus.log"
    full(path, compress=False).append(b"one more\n")
    (backup,) = backups(path)
    assert (tmp_path / backup).stat().st_size == 1 << 20


def test_a_file_below_its_size_stays(tmp_path: Path) -> None:
    path = tmp_path / "multus.log"
    path.write_bytes(b"x" * (1 << 20))
    LogFile(str(path), Section({"maxSize": 2})).append(b"one more\n")
    assert path.stat().st_size == (1 << 20) + 9
    assert backups(path) == []


@pytest.mark.parametrize(("keep", "left"), [(1, 1), (3, 3), (0, 6)])
def test_as_many_backups_are_kept_as_asked_for(tmp_path: Path, keep: int, left: int) -> None:
    path = tmp_path / "multus.log"
    for at in range(5):
        (tmp_path / f"multus.log-2026010{at + 1}T000000.000000-1.gz").write_text("old")
    full(path, maxBackups=keep, maxAge=0).append(b"one more\n")
    assert len(backups(path)) == left
    assert backups(path)[-1] != "multus.log-20260105T000000.000000-1.gz", "the newest stay"


def test_backups_that_are_too_old_go(tmp_path: Path) -> None:
    path = tmp_path / "multus.log"
    for days in (1, 3, 9):
        backup = tmp_path / f"multus.log-2026010{9 - days}T000000.000000-1"
        backup.write_text("old")
        os.utime(backup, (time.time() - days * 86400,) * 2)
    full(path, maxAge=2).append(b"one more\n")
    assert len(backups(path)) == 2


def test_files_that_only_look_like_backups_stay(tmp_path: Path) -> None:
    path = tmp_path / "multus.log"
    for name in ("multus.log-notes", "multus.log.old", "multus.log-"):
        (tmp_path / name).write_text("mine")
    full(path, maxBackups=1, maxAge=1).append(b"one more\n")
    assert {"multus.log-notes", "multus.log.old", "multus.log-"} <= set(os.listdir(tmp_path))


HOLDER = """
import fcntl, sys, time
with open(sys.argv[1]) as file:
    fcntl.flock(file, int(sys.argv[2]))
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def held(path: Path, kind: int) -> Iterator[None]:
    """Another process has the file locked."""
    command = [sys.executable, "-c", HOLDER, str(path), str(kind)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            holder.kill()


def test_a_file_that_somebody_is_writing_to_grows(tmp_path: Path) -> None:
    path = tmp_path / "multus.log"
    log = full(path)
    with held(path, fcntl.LOCK_SH):
        log.append(b"one more\n")
    assert path.read_bytes().endswith(b"\none more\n")
    assert backups(path) == []


def test_a_lock_that_is_never_released_holds_up_no_pod(tmp_path: Path) -> None:
    path = tmp_path / "multus.log"
    path.touch()
    with held(path, fcntl.LOCK_EX):
        before = time.monotonic()
        LogFile(str(path), Section({})).append(b"one more\n")
        assert time.monotonic() - before < 30
    assert path.read_bytes() == b"one more\n"


WRITER = """
import sys
from cni_multus.cni.config import Section
from cni_multus.multus.logfile import LogFile
log = LogFile(sys.argv[1], Section({"maxSize": 1, "maxBackups": 0, "maxAge": 0}))
for at in range(int(sys.argv[3])):
    log.append(f"{sys.argv[2]} {at} {'x' * 1200}\\n".encode())
"""


def test_fifty_writers_lose_no_line(tmp_path: Path) -> None:
    """While the file is moved and compressed under their hands."""
    path = tmp_path / "multus.log"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, str(number), "60"], cwd=ROOT) for number in range(50)
    ]
    assert [writer.wait() for writer in writers] == [0] * 50
    text = path.read_bytes()
    assert backups(path)
    for name in backups(path):
        assert name.endswith(".gz")
        text += gzip.decompress((tmp_path / name).read_bytes())
    lines = [tuple(line.split()[:2]) for line in text.splitlines()]
    assert len(lines) == len(set(lines)) == 50 * 60
    assert set(lines) == {(str(number).encode(), str(at).encode()) for number in range(50) for at in range(60)}


def test_threads_of_one_process_lose_no_line_either(tmp_path: Path) -> None:
    path = tmp_path / "multus.log"
    log = LogFile(str(path), Section({"maxSize": 1, "maxBackups": 0}))

    def write(number: int) -> None:
        for at in range(200):
            log.append(f"{number} {at} {'x' * 1000}\n".encode())

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = path.read_bytes() + b"".join(gzip.decompress((tmp_path / name).read_bytes()) for name in backups(path))
    assert len({tuple(line.split()[:2]) for line in text.splitlines()}) == 8 * 200


def test_a_name_below_a_working_directory_that_is_gone_is_refused(tmp_path: Path) -> None:
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); os.rmdir(os.getcwd())\n"
        "from cni_multus.cni.config import Section; from cni_multus.multus.logfile import LogFile\n"
        "try: LogFile(sys.argv[2], Section({})).append(b'a line')\n"
        "except OSError as error: print(error.strerror)"
    )
    for at, name in enumerate(("multus.log", "logs/multus.log")):
        gone = tmp_path / str(at)
        gone.mkdir()
        command = [sys.executable, "-ISE", "-c", code, str(ROOT), name]
        said = subprocess.run(command, cwd=gone, capture_output=True, text=True, check=True)
        assert (said.stdout, said.stderr) == ("No such file or directory\n", "")
