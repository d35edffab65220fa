"""Files that appear whole or not at all, and what is told when that does not work."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import IoFailure
from cni_multus.state import files
from cni_multus.state.readiness import why_not_writable

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


# Writing


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.write_atomically(str(path), b"one")
    before = path.open("rb")
    files.write_atomically(str(path), b"two" * 100_000, 0o640)
    assert before.read() == b"one"
    before.close()
    assert path.read_bytes() == b"two" * 100_000
    assert mode(path) == 0o640
    assert os.listdir(tmp_path) == ["file"]


def test_what_a_kill_left_of_a_file_is_replaced_with_it(tmp_path: Path) -> None:
    (tmp_path / ".multus-file").write_text("begun, and longer than what comes next")
    files.write_atomically(str(tmp_path / "file"), b"one", temporary=str(tmp_path / ".multus-file"))
    assert (tmp_path / "file").read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["file"]


def test_a_replaced_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "link").symlink_to("victim")
    files.write_atomically(str(tmp_path / "link"), b"new")
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "link").is_symlink()


def test_a_file_that_exists_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert files.create_exclusively(str(path), b"one")
    assert not files.create_exclusively(str(path), b"two")
    assert path.read_bytes() == b"one"
    assert mode(path) == 0o600
    (tmp_path / "link").symlink_to("nowhere")
    assert not files.create_exclusively(str(tmp_path / "link"), b"two", durable=False)
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


def test_a_created_file_has_the_time_it_is_given(tmp_path: Path) -> None:
    files.create_exclusively(str(tmp_path / "file"), b"", mtime_ns=1_234_567_890_123_456_789)
    assert (tmp_path / "file").stat().st_mtime_ns == 1_234_567_890_123_456_789


def test_of_many_creators_one_wins(tmp_path: Path) -> None:
    won: list[int] = []

    def create(number: int) -> None:
        if files.create_exclusively(str(tmp_path / "file"), b"%d" % number, durable=False):
            won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "file").read_bytes() == b"%d" % won[0]
    assert len(won) == 1
    assert os.listdir(tmp_path) == ["file"]


def test_overwriting_leaves_nothing_of_what_was_longer(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.overwrite(str(path), b"longer")
    inode = path.stat().st_ino
    files.overwrite(str(path), b"short")
    assert path.read_bytes() == b"short"
    assert path.stat().st_ino == inode
    files.append(str(path), b"er")
    assert path.read_bytes() == b"shorter"


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 200_000])
def test_a_file_is_read_whole(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(b"x" * size)
    assert files.read(str(tmp_path / "file")) == b"x" * size


def test_a_file_that_is_not_there_reads_as_none_and_is_removed_already(tmp_path: Path) -> None:
    assert files.read(str(tmp_path / "none")) is None
    assert files.remove(str(tmp_path / "none")) is False
    (tmp_path / "some").touch()
    assert files.remove(str(tmp_path / "some")) is True
    assert list(files.names(str(tmp_path / "none"))) == []


@pytest.mark.parametrize(
    "act", [files.read, lambda path: files.overwrite(path, b""), lambda path: files.append(path, b"")]
)
def test_links_are_not_followed(tmp_path: Path, act: Callable[[str], object]) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "link").symlink_to("victim")
    with pytest.raises(IoFailure, match=str(tmp_path / "link")) as raised:
        act(str(tmp_path / "link"))
    assert "symbolic link" in raised.value.details
    assert (tmp_path / "victim").read_text() == "precious"
    assert files.read(str(tmp_path / "link"), follow=True) == b"precious"


def test_a_pipe_does_not_hold_up_a_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert files.read(str(tmp_path / "pipe")) == b""


def test_a_file_of_any_size_is_not_swallowed(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(files.LARGEST + 1)
    with pytest.raises(IoFailure, match="larger than 16 MiB"):
        files.read(str(tmp_path / "file"))


FAILING: dict[str, Callable[[str], object]] = {
    "write": lambda path: files.write_atomically(path, b"x"),
    "create": lambda path: files.create_exclusively(path, b"x"),
    "read": files.read,
    "remove": files.remove,
    "make the directory": files.make_directory,
}


@pytest.mark.parametrize("attempt", FAILING)
def test_a_failure_names_the_attempt_the_path_and_the_reason(tmp_path: Path, attempt: str) -> None:
    (tmp_path / "file").touch()
    path = str(tmp_path / "file" / "below")
    with pytest.raises(IoFailure) as raised:
        FAILING[attempt](path)
    assert raised.value.message == f"cannot {attempt} {path}: not a directory"
    assert raised.value.details == "a part of the path is not a directory"
    assert raised.value.code == 5


def test_a_failed_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "directory" / "full").mkdir(parents=True)
    with pytest.raises(IoFailure, match="is a directory"):
        files.write_atomically(str(tmp_path / "directory"), b"x")
    assert os.listdir(tmp_path) == ["directory"]


def test_what_a_full_disk_says_leaves_no_temporary_file(tmp_path: Path) -> None:
    program = """
import os, sys
from cni_multus.cni.errors import IoFailure
from cni_multus.state import files
try:
    files.write_atomically(sys.argv[1] + "/file", b"x" * 100_000)
except IoFailure as failure:
    print(failure.message, failure.details, os.listdir(sys.argv[1]), sep="\\n")
"""
    script = 'mount -t tmpfs -o size=64k tmpfs "$1" && exec "$2" -c "$3" "$1"'
    result = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", str(tmp_path), sys.executable, program],
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    message = f"cannot write {tmp_path}/file: no space left on device"
    assert result.stdout.splitlines() == [message, "the file system is full, or out of inodes", "[]"]


def test_directories_are_made_with_what_is_above_them(tmp_path: Path) -> None:
    files.make_directory(str(tmp_path / "a" / "b" / "c"), 0o700)
    files.make_directory(str(tmp_path / "a" / "b" / "c"), 0o755)
    assert [mode(tmp_path / "a"), mode(tmp_path / "a" / "b" / "c")] == [0o755, 0o700]
    (tmp_path / "file").touch()
    with pytest.raises(IoFailure, match="in the way"):
        files.make_directory(str(tmp_path / "file"))
    assert files.is_directory(str(tmp_path / "a"))
    assert not files.is_directory(str(tmp_path / "file"))
    assert not files.is_directory(str(tmp_path / "file" / "below"))
    (tmp_path / "elsewhere").symlink_to("a")
    files.make_directory(str(tmp_path / "elsewhere"))
    with pytest.raises(IoFailure, match="cannot make the directory /proc/none: no such file or directory"):
        files.make_directory("/proc/none/below")


def test_a_directory_that_cannot_be_written_is_told_without_writing(tmp_path: Path) -> None:
    assert why_not_writable(str(tmp_path)) == ""
    assert why_not_writable(str(tmp_path / "not" / "yet")) == ""
    (tmp_path / "file").touch()
    assert "not a directory" in why_not_writable(str(tmp_path / "file" / "below"))
    assert os.listdir(tmp_path) == ["file"]
