"""The version switched a hundred times, forwards and back, while requests run: none fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from cni_multus.node.bundle import Source
from cni_multus.node.changes import Changes
from cni_multus.node.versions import roll_back
from tests.node import Pod
from tests.nodes.load import Load
from tests.nodes.test_uninstall_pods import Place
from tools.build import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.conftest import MakeNamespace

SWITCHES = 100


@pytest.fixture
def place(host: Namespace, tmp_path: Path) -> Place:
    return Place(host, tmp_path)


def other_version(directory: Path, mark: str) -> Source:
    """The same program as another version: one more file in its bundle."""
    shutil.copytree(PROGRAM.parent, directory, symlinks=True)
    (directory / "_internal" / mark).write_text(mark)
    return Source.look(str(directory))


def test_no_request_fails_while_versions_are_switched(place: Place, netns: MakeNamespace, tmp_path: Path) -> None:
    place.install(links=("macvlan",))
    other = other_version(tmp_path / "other", "mark")
    pods = [Pod(netns(f"pod-{at}"), f"pod-{at}") for at in range(2)]

    def attach(pod: Pod) -> Callable[[int], None]:
        def work(_: int) -> None:
            place.runtime.add(pod.container_id, pod.netns)
            place.runtime.delete(pod.container_id, pod.netns)

        return work

    def ask(_: int) -> None:
        done = subprocess.run(
            [place.bins / "macvlan"], env={"CNI_COMMAND": "VERSION"}, input=b"{}", capture_output=True, check=True
        )
        assert "1.1.0" in json.loads(done.stdout)["supportedVersions"]

    with Load(attach(pods[0]), attach(pods[1]), ask) as load:
        place.install(source=other)
        for _ in range(SWITCHES - 1):
            roll_back("/", str(place.bins), Changes())
            time.sleep(0.1)
    assert load.failures == []
    assert min(load.done) > 10, load.done
    for pod in pods:
        assert pod.links() == {}
    assert place.node.reserved("second") == {}


def test_a_version_that_a_process_executes_stays_until_it_ends(place: Place, tmp_path: Path) -> None:
    place.install()
    first = os.readlink(place.bins / ".multus" / "current")
    holder = subprocess.Popen(
        [place.bins / "multus"],
        env=Pod("/run/netns/none", "holder").environment("DEL", str(place.bins)),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        while os.readlink(f"/proc/{holder.pid}/exe") != os.path.realpath(place.bins / "multus"):
            time.sleep(0.01)
        for at in range(3):
            place.install(source=other_version(tmp_path / f"other{at}", f"mark{at}"))
        assert (place.bins / ".multus" / first).is_dir()
    finally:
        holder.communicate(b"{}")
    place.install(source=other_version(tmp_path / "last", "last"))
    assert not (place.bins / ".multus" / first).exists()
    assert len(list((place.bins / ".multus" / "versions").iterdir())) == 2
