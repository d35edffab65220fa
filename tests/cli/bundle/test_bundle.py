"""`multus support-bundle` on a node with secrets everywhere: none is in the archive, and nothing stops it."""

from __future__ import annotations

import io
import json
import os
import stat
import tarfile
import time
from argparse import Namespace as Arguments
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cli.bundle.apart import collect
from cni_multus.cli.bundle.archive import Archive, safe
from cni_multus.cli.bundle.nodefiles import LOG
from cni_multus.cli.bundle.piece import Collector, Piece, Place
from cni_multus.cli.bundle.redaction import Redactor
from cni_multus.cli.bundle.writing import pack
from cni_multus.cli.main import run
from cni_multus.cli.site import Site
from tests.cli.bundle import planted
from tests.cli.terminal import Ended, Terminal
from tests.node import Pod

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import MakeNamespace


def bundled(node: Terminal, *arguments: str) -> Ended:
    """Type it on the node, in this process."""
    places = ["--conf-dir", str(node.networks), "--bin-dir", str(node.bin_dir), "--results-dir", str(node.cache)]
    stdout, stderr = io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr):
        status = node.run(lambda: run("multus", ["support-bundle", *places, *arguments]))
    return Ended(status, stdout.getvalue(), stderr.getvalue())


def unpacked(path: Path) -> dict[str, str]:
    """Every member's text, by its name below the directory."""
    with tarfile.open(path) as archive:
        return {
            member.name.partition("/")[2]: file.read().decode()
            for member in archive.getmembers()
            if (file := archive.extractfile(member)) is not None
        }


def configured(node: Terminal, **more: object) -> dict[str, Any]:
    """The node's own configuration, with a log and a delegate that has a secret."""
    config = node.config({**node.bridge("primary"), "wifi": {"psk": planted.PSK}}, **more)
    node.write("00-multus.conf", config)
    return config


@pytest.fixture
def spoiled(node: Terminal, netns: MakeNamespace) -> Terminal:
    """A node that is full of secrets, with a pod."""
    log = node.root / "multus.log"
    config = configured(node, logFile=str(log))
    node.call("ADD", config, Pod(netns("pod"), "4f2a6c1e9b7d")).succeeded()
    configured(node, logFile=str(log), kubeconfig=str(node.networks / "multus.d" / "multus.kubeconfig"))
    log.write_text(planted.LOG + log.read_text())
    for name, text in {
        "10-planted.conflist": json.dumps(planted.CONFLIST),
        "20-broken.conf": planted.BROKEN,
        "30-block.yaml": planted.BLOCK,
        "40-cut.log": planted.CUT,
        "multus.d/multus.kubeconfig": planted.KUBECONFIG,
        "multus.d/token": planted.PLAIN_TOKEN,
        "multus.d/broken.kubeconfig": planted.KUBECONFIG.replace("kind:", "kind"),
        f"{planted.PASSWORDS['yaml']}.conf": "{}",
    }.items():
        node.write(name, text)
    journal = node.cni_dir / "journal"
    (journal / "damaged@eth0").write_text("00000000 " + json.dumps(planted.CONFLIST) + "\n")
    events = node.cni_dir / "events"
    events.mkdir(exist_ok=True)
    (events / f"{time.time_ns():020}-0123456789abcdef").write_text(json.dumps({"message": planted.LOG}))
    os.mkfifo(node.networks / "50-pipe.conf")
    return node


def test_no_secret_is_in_the_archive_and_what_explains_the_node_is(spoiled: Terminal, tmp_path: Path) -> None:
    before = sorted(path for path in spoiled.root.rglob("*") if path != tmp_path / "b.tar.gz")
    path = tmp_path / "b.tar.gz"
    ended = bundled(spoiled, "--since", "2020-01-01", "-o", str(path))
    assert ended.status == 3, ended.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    files = unpacked(path)
    everything = "\n".join([*files, *files.values(), ended.stdout, ended.stderr])
    assert [name for name, form in planted.forms().items() if form in everything] == []
    index = json.loads(files["index.json"])
    assert {each["file"] for each in index["files"] if "file" in each} == set(files) - {"index.json"}
    sandboxes = json.loads(files["commands/inspect.json"])["sandboxes"]
    assert ["eth0"] in [[one["interface"] for one in each["interfaces"]] for each in sandboxes]
    assert json.loads(files["conf/00-multus.conf"])["delegates"][0]["type"] == "bridge"
    assert "tokenFile: token" in files["conf/multus.d/multus.kubeconfig"]
    assert json.loads(files["commands/history.json"])["requests"][0]["verb"] == "ADD"
    assert "kept-in-the-log" in files["logs/multus.log"]
    assert "4f2a6c1e9b7d@eth0" in files["records/journal.txt"]
    assert "up0" in files["network/links.txt"]
    told = "\n".join(index["missing"])
    for left_out in ("50-pipe.conf: it is no file", "since it is a secret", "broken.kubeconfig: left out"):
        assert left_out in told
    assert sorted(found for found in spoiled.root.rglob("*") if found != path) == before


def test_a_large_log_is_cut(node: Terminal) -> None:
    log = node.root / "multus.log"
    configured(node, logFile=str(log))
    with log.open("wb") as file:
        file.truncate(1 << 30)
        file.seek(0, os.SEEK_END)
        file.write(b"\n2026-11-22T01:01:01Z [verbose] another line" * (LOG // 40))
        file.write(b"\n2026-11-22T01:01:02Z [error] the last line\n")
    packed = pack(place(node), "d", 1, files_of("logs"))
    files = members(packed.data)
    assert files["logs/multus.log"].endswith("the last line\n")
    assert LOG // 2 < len(files["logs/multus.log"]) <= LOG
    assert any("cut, these are the last" in each for each in packed.missing)


def test_since_leaves_out_what_is_older(node: Terminal) -> None:
    log = node.root / "multus.log"
    configured(node, logFile=str(log))
    log.write_text("2026-01-01T00:00:00Z old\n  and more\n2026-01-02T00:00:00Z new\n  and more\n")
    files = members(pack(place(node, since=1767312000.0), "d", 1, files_of("logs")).data)
    assert files["logs/multus.log"] == "2026-01-02T00:00:00Z new\n  and more\n"


def test_what_a_collector_does_stops_no_other(node: Terminal) -> None:
    def hangs(_place: Place) -> Iterator[Piece]:
        yield Piece("hangs", "", "what it had")
        while True:
            time.sleep(60)

    def dies(_place: Place) -> Iterator[Piece]:
        yield Piece("dies", "", "what it had")
        os.kill(os.getpid(), 9)

    def fails(_place: Place) -> Iterator[Piece]:
        yield Piece("fails", "", "what it had")
        raise ZeroDivisionError(f"with password={planted.PASSWORDS['log']}")

    def floods(_place: Place) -> Iterator[Piece]:
        yield Piece("floods", "", "flood " * 100000)

    def works(_place: Place) -> Iterator[Piece]:
        yield Piece("../../etc/../works", "", "it works")
        yield Piece("../../etc/../works", "", "twice")

    collectors = [
        Collector("hangs", "it hangs", hangs, 0.3),
        Collector("dies", "it dies", dies),
        Collector("fails", "it fails", fails),
        Collector("floods", "it floods", floods, most=1000),
        Collector("works", "it works", works),
    ]
    packed = pack(place(node), "d", 1, collectors)
    files = members(packed.data)
    assert (files["hangs"], files["dies"], len(files["floods"])) == ("what it had", "what it had", 1000)
    assert (files["_../_../etc/_../works"], files["_../_../etc/_../works.2"]) == ("it works", "twice")
    told = "\n".join(packed.missing)
    for why in ("it did not end within 0.3 s", "status -9", "ZeroDivisionError: with password=[removed]", "cut: these"):
        assert why in told


def test_when_the_time_is_up_the_rest_is_named(node: Terminal) -> None:
    packed = pack(place(node), "d", 1, files_of("logs"), patience=0.0)
    assert list(members(packed.data)) == ["index.json"]
    assert packed.missing[-1].endswith("not collected: the time was up")


def test_the_same_collected_twice_is_the_same_archive(node: Terminal) -> None:
    made = [pack(place(node), "d", 1_700_000_000, files_of("conf")).data for _ in range(2)]
    assert made[0] == made[1]


def test_an_archive_is_a_pipe_s_but_no_terminal_s(node: Terminal) -> None:
    told = bundled(node, "-o", "-", "--with-api", "--no-api")
    assert (told.status, told.stdout) == (2, "")
    assert bundled(node, "--since", "yesterday").status == 2
    assert bundled(node, "-o", str(node.root / "none" / "b.tar.gz")).status == 4


@pytest.mark.parametrize(
    ("name", "made"),
    [("a/b c", "a/b_c"), ("/etc/passwd", "etc/passwd"), ("..", "_.."), ("", "unnamed"), ("a\n\x1b[0m", "a___0m")],
)
def test_names_are_plain(name: str, made: str) -> None:
    assert safe(name) == made
    archive = Archive(io.BytesIO(), "d", 1)
    assert (archive.add(name, "x"), archive.add(name.upper(), "x")) == (made, f"{safe(name.upper())}.2")


def place(node: Terminal, since: float = 0.0) -> Place:
    """Where it looks: this node, without an API server."""
    arguments = Arguments(
        root="/",
        conf_dir=str(node.networks),
        bin_dir=str(node.bin_dir),
        results_dir=str(node.cache),
        cni_dir="",
        kubeconfig="",
        no_api=True,
        with_api=False,
    )
    return Place(Site.of(arguments), arguments, since)


def files_of(name: str) -> list[Collector]:
    """The collector of files that has this name."""
    from cni_multus.cli.bundle.nodefiles import FILES

    return [each for each in FILES if each.name == name]


def members(data: bytes) -> dict[str, str]:
    """The archive's files."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {
            each.name.partition("/")[2]: file.read().decode()
            for each in archive.getmembers()
            if (file := archive.extractfile(each)) is not None
        }


def test_a_collector_sees_nothing_of_standard_output(node: Terminal) -> None:
    def prints(_place: Place) -> Iterator[Piece]:
        print("into nothing")  # noqa: T201
        yield Piece("prints", "", "said")

    found = collect(Collector("prints", "", prints), place(node), Redactor(), 5.0)
    assert ([piece.text for piece in found.pieces], found.trouble) == (["said"], "")
