"""`multus history` where the log is torn, huge, packed, moved, forbidden, of another clock, or not there."""

from __future__ import annotations

import gzip
import json
import os
import time
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, PARTIAL
from cni_multus.cli.history import logs
from cni_multus.cli.history.logs import Logs
from tests.cli.history.conftest import ADDED, DELETED, DOCUMENT
from tests.cli.history.conftest import FAILED as REFUSED
from tests.node import in_thread

if TYPE_CHECKING:
    from tests.cli.history.conftest import Past
    from tests.node import Node, Pod


def requests(past: Past, *arguments: str) -> list[str]:
    return [f"{one['verb']} {one['pod'].split('/')[1]}" for one in past.document(*arguments)["requests"]]


def test_torn_and_foreign_lines_hide_nothing(past: Past) -> None:
    junk = [
        b"",
        b"\xff\xfe\0",
        b"{",
        b"[1, 2]",
        b'{"time": 5}',
        json.dumps({**DOCUMENT, "ms": "soon"}).encode(),
        b"{" * 200000,
        ADDED[:25].encode(),
        b"Jan 1 kernel: oops",
        b"2026-99-03T04:05:06Z [info] [-] ADD ok in 1 ms",
    ]
    past.log.write_bytes(b"\0" * 4096 + ADDED.encode() + b"\n" + b"\n".join(junk) + b"\n" + REFUSED.encode())
    ended = past.history("-o", "json")
    assert ended.status == PARTIAL
    assert [one["verb"] for one in ended.document["requests"]] == ["ADD", "ADD"]
    [note] = ended.document["notes"]
    assert note["note"].endswith(f"{len(junk) - 1} lines are torn, or not of multus")


def test_files_that_were_moved_aside_are_read_from_the_newest(past: Past) -> None:
    past.write(DOCUMENT)
    moved = f"{past.log}-20260203T040{{}}00.000001-77"
    with gzip.open(moved.format(5) + ".gz", "wt") as file:
        file.write(f"{ADDED}\n{REFUSED}\n")
    with open(moved.format(6), "w", encoding="ascii") as file:
        file.write(DELETED + "\n")
    for suffix in (".gz.part",):
        (past.root / (os.path.basename(moved.format(6)) + suffix)).write_bytes(b"half")
    (past.root / "multus.log-notes.txt").write_text(ADDED)
    assert requests(past) == ["ADD web-0", "ADD web-1", "DEL web-0", "ADD db-0"]
    assert requests(past, "-n", "3") == ["ADD web-1", "DEL web-0", "ADD db-0"]
    past.log.unlink()
    assert requests(past, "-n", "1") == ["DEL web-0"]


def test_a_packed_file_that_is_damaged_gives_what_it_has(past: Past) -> None:
    past.write(DOCUMENT)
    packed = gzip.compress("".join(f"{ADDED}\n" for _ in range(20000)).encode())
    (past.root / "multus.log-20260203T040500.000001-77.gz").write_bytes(packed[: len(packed) // 2])
    ended = past.history("-o", "json", "-n", "0")
    assert ended.status == PARTIAL
    assert 1000 < len(ended.document["requests"]) < 20000
    assert "is damaged" in ended.document["notes"][0]["note"]


def test_of_a_gigabyte_only_the_tail_is_read(past: Past) -> None:
    with open(past.log, "wb") as file:
        file.truncate(1 << 30)
        file.seek(0, os.SEEK_END)
        file.write("".join(f"\n{ADDED}" for _ in range(1000)).encode())
    read = Logs(str(past.log))
    assert len(read.last(20, lambda _: True)) == 20
    assert read.most_bytes > logs.MOST - (1 << 16)
    assert past.history().status == DONE


def test_a_search_has_an_end(past: Past) -> None:
    past.write(*[ADDED] * 1000)
    read = Logs(str(past.log), most_bytes=100 * len(ADDED))
    assert read.last(20, lambda entry: entry.is_of("nobody")) == []
    assert "only the last" in read.notes[0].text


def test_since_ends_the_reading_though_the_clock_was_set(past: Past) -> None:
    before = ADDED.replace("2026-02", "2031-02")
    past.write(ADDED, before, REFUSED, DELETED)
    ended = past.history("--since", "2026-02-03T04:05:08Z", "-o", "json")
    assert [one["time"][:4] for one in ended.document["requests"]] == ["2031", "2026", "2026"]
    assert ended.status == PARTIAL
    assert "the clock went back before 2026-02-03T04:05:09Z" in ended.document["notes"][0]["note"]
    past.write(*[ADDED] * 5000, DELETED)
    read = Logs(str(past.log), since=time.time() - 1)
    assert read.last(0, lambda _: True) == []
    assert read.most_bytes > logs.MOST - 1500 * len(ADDED)


def test_without_rights_the_capability_is_named(past: Past) -> None:
    past.write(ADDED)
    past.log.chmod(0)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.seteuid(65534)
        read = Logs(str(past.log))
        read.last(1, lambda _: True)
        os.write(writer, "\n".join(str(note) for note in read.notes).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, encoding="ascii") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    assert "Permission denied" in told
    assert "CAP_DAC_READ_SEARCH" in told


def test_a_log_that_is_no_file_is_not_waited_for(past: Past) -> None:
    os.mkfifo(past.log)
    ended = in_thread(past.history)
    assert ended.status == FAILED
    assert "is not a regular file" in ended.stdout


def test_without_a_log_the_journal_tells_and_what_to_configure_is_said(past: Past, node: Node, pod: Pod) -> None:
    config = node.config(node.bridge())
    node.call("ADD", config, pod).succeeded()
    past.cni_dir = node.cni_dir
    (past.conf_dir / "00-multus.conf").write_text(json.dumps(config))
    ended = past.history("-o", "json")
    assert ended.status == PARTIAL
    [entry] = ended.document["requests"]
    assert (entry["verb"], entry["outcome"], entry["pod"]) == ("ADD", "ok", "blue/pod-1/u1")
    assert entry["networks"][0]["ips"] == ["10.1.0.2/24"]
    assert "ms" not in entry
    [note] = ended.document["notes"]
    assert 'set "logFile": "/var/log/multus.log" in ' in note["note"]
    os.utime(node.record_file(pod), (time.time() + 40, time.time() + 40))
    [entry] = past.document()["requests"]
    assert 39000 <= entry["ms"] <= 41000


def test_a_log_of_failures_only_is_said_to_be_that(past: Past) -> None:
    past.configure(logLevel="error")
    past.write(REFUSED)
    ended = past.history()
    assert ended.status == PARTIAL
    assert "what went well is not in the log" in ended.stdout
