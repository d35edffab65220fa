"""What `/metrics` tells of a node's requests, of what they leave on the disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cni_multus.events.event import WARNING, Event
from cni_multus.events.spool import Spool
from cni_multus.node.numbers import Numbers
from cni_multus.state.journal import Attachment, Journal, Record
from ipam.whereabouts.cluster.journal import Journal as Releases

if TYPE_CHECKING:
    from pathlib import Path

    from tests.nodes.conftest import Start
    from tests.nodes.kit import Site

CNI_DIR, LEASES, LOG = "/var/lib/cni/multus", "/var/lib/cni/whereabouts", "/var/log/multus.log"
TEXT = "2026-01-01T00:00:00Z [{level}] [web/pod] {verb} {outcome} in {ms} ms (api 4.1), container 3fa9, eth0 blue\n"


class Node:
    """A root with files on it, and what is counted of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = root / LOG[1:]
        self.log.parent.mkdir(parents=True)
        self.cni_dir = str(root / CNI_DIR[1:])
        self._numbers = Numbers(str(root), LOG)

    def ask(self) -> dict[str, float]:
        text = self._numbers()
        lines = text.splitlines()
        told = {line.split()[2] for line in lines if line.startswith("# HELP ")}
        values = [line.rpartition(" ") for line in lines if not line.startswith("#")]
        assert {name.partition("{")[0] for name, _, _ in values} <= told, text
        return {name: float(value) for name, _, value in values}

    def write(self, *requests: tuple[str, str, float], as_json: bool = False) -> None:
        with self.log.open("a") as log:
            for verb, outcome, ms in requests:
                if as_json:
                    log.write(json.dumps({"level": "info", "verb": verb, "outcome": outcome, "ms": ms}) + "\n")
                else:
                    log.write(TEXT.format(level="info", verb=verb, outcome=outcome, ms=ms))


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_a_node_without_anything_has_noughts(node: Node) -> None:
    found = node.ask()
    assert found["multus_sandboxes"] == found["multus_attachments"] == found["multus_events_waiting"] == 0
    assert set(found.values()) == {0.0}
    assert "multus_releases_waiting" not in found


def test_records_are_counted_and_those_that_cannot_be_read(node: Node) -> None:
    journal = Journal(node.cni_dir)
    journal.make()
    for at in range(3):
        record = Record(f"{at:064}", "eth0", "", {})
        record.attachments = [Attachment({"name": "n"}, "1.0.0", f"net{one}", {}) for one in range(2)]
        journal.write(record)
    (node.root / CNI_DIR[1:] / "journal" / f"{9:064}@eth0").write_text("12345678 {")
    found = node.ask()
    assert (found["multus_sandboxes"], found["multus_attachments"]) == (3, 6)


def test_what_waits_for_the_api_server_is_counted_with_its_age(node: Node) -> None:
    spool = Spool(node.cni_dir)
    for moment in (5 * 10**9, 7 * 10**9):
        spool.add(Event(WARNING, "r", f"m{moment}", namespace="n", pod="p", uid="u", moment=moment))
    Releases(str(node.root / LEASES[1:])).note_todo("a" * 40)
    found = node.ask()
    assert (found["multus_events_waiting"], found["multus_releases_waiting"]) == (2, 1)
    assert found["multus_events_oldest_seconds"] > 10**9
    assert 0 <= found["multus_releases_oldest_seconds"] < 1000


@pytest.mark.parametrize("as_json", [False, True])
def test_requests_are_counted_from_when_that_was_first_asked(node: Node, as_json: bool) -> None:
    node.write(("ADD", "ok", 500.0), as_json=as_json)
    assert node.ask()['multus_requests_total{verb="ADD",outcome="ok"}'] == 0
    node.write(("ADD", "ok", 20.0), ("ADD", "failed", 30.0), ("DEL", "ok", 10.0), as_json=as_json)
    with node.log.open("a") as log:
        log.write("2026-01-01T00:00:00Z [error] [-] somebody said ADD ok in 5 ms\n{not JSON\n")
    found = node.ask()
    assert found['multus_requests_total{verb="ADD",outcome="ok"}'] == 1
    assert found['multus_requests_total{verb="ADD",outcome="failed"}'] == 1
    assert found['multus_request_seconds_total{verb="ADD"}'] == 0.05
    assert found['multus_requests_total{verb="DEL",outcome="ok"}'] == 1


def test_a_log_that_is_rotated_or_cut_off_is_gone_on_with(node: Node) -> None:
    counted = 'multus_requests_total{verb="DEL",outcome="ok"}'
    node.ask()
    node.write(("DEL", "ok", 1.0))
    assert node.ask()[counted] == 1
    node.write(("DEL", "ok", 1.0))
    node.log.rename(f"{node.log}-20260101")
    node.write(("DEL", "ok", 1.0))
    assert node.ask()[counted] == 3
    node.log.write_text("")
    assert node.ask()[counted] == 3
    half = TEXT.format(level="info", verb="DEL", outcome="ok", ms=1.0)
    for part, count in ((half[:40], 3), (half[40:], 4)):
        with node.log.open("a") as log:
            log.write(part)
        assert node.ask()[counted] == count


def test_the_watch_answers_with_them_and_speaks_as_the_log_does(site: Site, watch: Start) -> None:
    site.put("10-calico.conflist")
    watcher = watch("--multus-log-format=json")
    watcher.wait_for("health at ")
    first, *_ = [json.loads(line) for line in watcher.said.splitlines()]
    assert (first["level"], first["program"]) == ("info", "multus node watch")
    address = first["message"].rpartition(" ")[2]
    watcher.wait_for("10-calico.conflist")
    assert site.ours()["logFormat"] == "json"
    assert address.startswith("http://127.0.0.1:")


def test_numbers_are_part_of_the_metrics(site: Site, watch: Start) -> None:
    site.put("10-calico.conflist")
    watcher = watch()
    watcher.wait_until_ready()
    assert "multus_sandboxes 0\n" in watcher.ask("/metrics")[1]
