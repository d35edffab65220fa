"""`multus ipam reconcile` with a real API server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cni_multus.cli.main import run
from cni_multus.cli.options import seconds
from tests.cli.terminal import Ended
from tests.ipam.whereabouts.cluster.nodes import Node
from tests.ipam.whereabouts.cluster.reconciling import POOL, Scene

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cluster.cluster import Cluster

    Typed = Callable[..., Ended]


@pytest.fixture
def scene(cluster: Cluster) -> Scene:
    return Scene(cluster)


@pytest.fixture
def reconcile(scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Typed:
    """The command, with directories of the test's own and no grace."""

    def type_it(*arguments: str) -> Ended:
        capsys.readouterr()
        places = [f"--kubeconfig={scene.kubeconfig}", f"--data-dir={tmp_path / 'data'}", f"--conf-dir={tmp_path}"]
        status = run("multus", ["ipam", "reconcile", "--grace=0", *places, *arguments])
        told = capsys.readouterr()
        return Ended(status, told.out, told.err)

    return type_it


def test_what_was_done_is_told(scene: Scene, reconcile: Typed) -> None:
    scene.add_pool(at5=scene.entry("dead"))
    ended = reconcile()
    assert (ended.status, ended.stderr) == (0, "")
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert lines[0] == ["ACTION", "ADDRESS", "POOL", "POD", "INTERFACE", "WHY"]
    assert lines[1][:5] == ["free", "10.0.0.5", POOL, scene.ref("dead"), "net1"]
    assert scene.held() == []
    assert reconcile().stdout == "nothing is to be done\n"


@pytest.mark.parametrize(("form", "parse"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_programs_are_told_everything(scene: Scene, reconcile: Typed, form: str, parse: Callable[[str], Any]) -> None:
    scene.add_pod("alive")
    scene.add_pod("other")
    scene.add_pool(at5=scene.entry("dead"), at6=scene.entry("alive"))
    scene.reserve("10.0.0.6", "other")
    ended = reconcile("--dry-run", "-o", form)
    assert ended.status == 1
    document = parse(ended.stdout)
    assert document["namespace"] == scene.cluster.namespace
    assert document["dryRun"] is True
    assert document["looked"] == {"pools": 1, "allocations": 2, "reservations": 1, "pods": 2}
    assert [row["address"] for row in document["done"]] == ["10.0.0.5"]
    assert [row["action"] for row in document["left"]] == ["look at"]
    assert document["failed"] == []
    assert scene.held() == ["5", "6"]


def test_a_dry_run_with_work_to_do_says_so(scene: Scene, reconcile: Typed) -> None:
    scene.add_pool(at5=scene.entry("dead"))
    assert reconcile("--dry-run").status == 1
    assert scene.held() == ["5"]
    assert reconcile().status == 0
    assert reconcile("--dry-run").status == 0


def test_what_could_not_be_done_is_told(scene: Scene, reconcile: Typed) -> None:
    scene.add_pool(at5=scene.entry("dead"))
    road = scene.cluster.road()
    road.disturb("PATCH", POOL, times=-1, cut=True)
    scene.kubeconfig = scene.cluster.kubeconfig(server=road.url)
    ended = reconcile()
    assert ended.status == 3
    assert "failed" in ended.stdout


def test_what_cannot_be_looked_at_is_told(scene: Scene, reconcile: Typed) -> None:
    road = scene.cluster.road()
    scene.kubeconfig = scene.cluster.kubeconfig(server=road.url)
    road.close()
    ended = reconcile()
    assert (ended.status, ended.stdout) == (4, "")
    assert ended.stderr.startswith("multus ipam reconcile: ")


def test_a_node_gives_back_what_its_journal_says(scene: Scene, reconcile: Typed, tmp_path: Path) -> None:
    road = scene.cluster.road()
    node = Node(tmp_path / "data", scene.cluster.kubeconfig(server=road.url))
    node.add("web-0")
    road.close()
    node.delete("web-0")
    assert scene.held("10.1.2.0-24") == ["1"]
    road.open()
    reconcile()
    assert scene.held("10.1.2.0-24") == []
    assert scene.reserved() == []


def test_a_node_without_a_cluster_is_told_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("multus", ["ipam", "reconcile", f"--conf-dir={tmp_path}", f"--data-dir={tmp_path}"]) == 2
    assert "--kubeconfig" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("90", 90), ("90s", 90), ("2m", 120), ("1h", 3600), ("7d", 604800)]
)
def test_times_are_read(text: str, number: int) -> None:
    assert seconds(text) == number


@pytest.mark.parametrize("text", ["", "m", "1w", "-1", "1.5h", "soon"])
def test_what_is_no_time_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("multus", ["ipam", "reconcile", f"--grace={text}"]) == 2
    assert "is not a time like 90s" in capsys.readouterr().err
