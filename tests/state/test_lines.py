"""Files of lines: the last good one counts, however long they were written to, and wherever a writer was killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import DecodingFailure
from cni_multus.state import lines

if TYPE_CHECKING:
    from cni_multus.cni.config import Section

ROOT = Path(__file__).parents[2]
WRITER = """
import sys
sys.path.insert(0, {root!r})
from cni_multus.state import lines
lines.append({path!r}, {{"number": 9999, "text": "x" * 1000}}, durable=True)
"""


def fill(path: Path, until: int) -> int:
    """Write until a file has so many bytes; the number in its last line."""
    number = 0
    while not path.exists() or path.stat().st_size < until:
        number += 1
        lines.append(str(path), {"number": number, "text": "x" * 1000}, durable=False)
    return number


def read(path: Path) -> Section:
    found = lines.last(str(path))
    assert found is not None
    return found


def test_a_file_that_is_written_to_for_ever_stays_short(tmp_path: Path) -> None:
    path = tmp_path / "record"
    for number in range(1000):
        lines.append(str(path), {"number": number, "text": "x" * 1000}, durable=False)
        assert read(path).number("number") == number
        assert path.stat().st_size <= lines.LONG + 2000


@pytest.mark.parametrize("call", ["openat", "pwrite64", "fdatasync", "ftruncate"])
def test_killed_while_it_begins_anew_the_file_has_the_old_line_or_the_new_one(tmp_path: Path, call: str) -> None:
    path = tmp_path / "record"
    before = fill(path, lines.LONG)
    inode, code = path.stat().st_ino, WRITER.format(root=str(ROOT), path=str(path))
    kill = f"inject={call}:signal=KILL"
    traced = ["strace", "-qq", "-o", "/dev/null", "-P", str(path), "-e", f"trace={call}", "-e", kill]
    killed = subprocess.run([*traced, sys.executable, "-ISE", "-c", code], check=False, capture_output=True)
    assert killed.returncode in (-9, 137)
    assert read(path).number("number") in (before, 9999)
    lines.append(str(path), {"number": 10000}, durable=True)
    assert (read(path).number("number"), path.stat().st_ino) == (10000, inode)


def test_a_last_line_that_would_be_written_over_is_left(tmp_path: Path) -> None:
    path = tmp_path / "record"
    lines.append(str(path), {"number": 1, "text": "x" * lines.LONG}, durable=False)
    lines.append(str(path), {"number": 2, "text": "y" * lines.LONG}, durable=False)
    assert read(path).number("number") == 2
    assert path.stat().st_size > 2 * lines.LONG


def test_what_holds_no_whole_line_is_told(tmp_path: Path) -> None:
    path = tmp_path / "record"
    assert lines.last(str(path)) is None
    path.write_bytes(b"\n00000000 {}\n")
    with pytest.raises(DecodingFailure, match="no record that is whole"):
        lines.last(str(path))


@pytest.mark.parametrize("value", ["x" * (4 << 20), [[]]], ids=["large", "deep"])
def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, value: object) -> None:
    path = tmp_path / "record"
    lines.append(str(path), {"number": 1}, durable=False)
    for _ in range(200 if isinstance(value, list) else 0):
        value = [value]
    with pytest.raises(DecodingFailure, match=f"{path} would be (larger than 4 MiB|nested deeper than 200 levels)"):
        lines.append(str(path), {"number": 2, "value": value}, durable=False)
    assert read(path).number("number") == 1
