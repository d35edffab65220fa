"""The image: what is in it, and the DaemonSet's pod run from it with the manifest's own privileges and limits."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus import VERSION
from tests.deploy.kit import BASE, ROOT, of_kind, rendered
from tests.deploy.pod import Pod
from tests.kubelet.node import until
from tests.nodes.kit import primary
from tools import image
from tools.build import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.cluster import Cluster

BIN, NET_D = "/opt/cni/bin", "/etc/cni/net.d"
DAEMONSETS = {"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": ["get"]}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("image") / "root"
    image.lay_out(made)
    return made


@pytest.fixture
def pod(root: Path, tmp_path: Path, cluster: Cluster) -> Iterator[Pod]:
    shutil.copytree(root, tmp_path / "root", symlinks=True)  # runc makes places in it to mount on
    template = of_kind(rendered(BASE), "DaemonSet")["spec"]["template"]
    pod = Pod(tmp_path, tmp_path / "root", template, cluster, cluster.token(DAEMONSETS))
    yield pod
    pod.close()


def tree(directory: Path) -> dict[str, Any]:
    """Every file with its content, link with its target, directory; with their modes."""
    found: dict[str, Any] = {}
    for path in sorted(directory.rglob("*")):
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(directory))] = (path.lstat().st_mode, content)
    return found


def inside(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A program with a directory as its root."""
    return subprocess.run(
        ["/usr/sbin/chroot", str(root), *command], env={}, capture_output=True, text=True, check=False
    )


def test_it_holds_the_program_and_nothing_else(root: Path) -> None:
    files = {path for path in root.rglob("*") if not path.is_dir() or path.is_symlink()}
    program = root / image.HOME
    others = {path for path in files if not path.is_relative_to(program)}
    assert others == {root / image.ENTRYPOINT[1:]}
    built = {path.relative_to(PROGRAM.parent) for path in PROGRAM.parent.rglob("*") if path.is_file()}
    assert {path.relative_to(program) for path in files - others} == built
    assert not [path for path in files if path.lstat().st_mode & 0o6000]


def test_it_starts_with_nothing_else_there(root: Path) -> None:
    done = inside(root, image.ENTRYPOINT, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"multus {VERSION}\n", "")


def test_the_archive_is_the_same_each_time(root: Path, tmp_path: Path) -> None:
    image.lay_out(tmp_path / "again")
    for name, made in (("a.tar", root), ("b.tar", tmp_path / "again")):
        image.write_archive(tmp_path / name, made)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert {"oci-layout", "index.json"} < set(archive.getnames())


def test_the_containerfile_builds_it_by_the_same_steps() -> None:
    lines = [line for line in (ROOT / "Containerfile").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "FROM docker.io/library/debian:bookworm AS build"
    assert "RUN make build && .venv/bin/python -m tools.image /image" in lines
    assert lines[-4:] == [
        "FROM scratch",
        "COPY --from=build /image /",
        "ENV PATH=/usr/bin",
        f'ENTRYPOINT ["{image.ENTRYPOINT}"]',
    ]


def test_the_pod_installs_watches_and_leaves(pod: Pod, cluster: Cluster) -> None:
    manifest = of_kind(rendered(BASE), "DaemonSet")
    manifest["metadata"]["namespace"] = cluster.namespace
    daemonsets = f"/apis/apps/v1/namespaces/{cluster.namespace}/daemonsets"
    cluster.api.post(daemonsets, manifest).expect(201)
    pod.at(f"{NET_D}/10-calico.conflist").write_text(primary("10-calico.conflist"))
    before = tree(pod.node)
    [install], [watch] = pod.spec["initContainers"], pod.spec["containers"]

    done = pod.run(install)
    assert done.returncode == 0, done.stdout + done.stderr
    process = pod.start(watch)
    until(lambda: pod.ask(watch["readinessProbe"]), pod.log.read_text, 20)
    assert pod.ask(watch["livenessProbe"])
    assert pod.at(f"{NET_D}/00-multus.conf").exists()
    assert pod.at(f"{NET_D}/multus.d/token").read_text()
    assert inside(pod.node, f"{BIN}/multus", "--version").stdout == f"multus {VERSION}\n"

    hook = watch["lifecycle"]["preStop"]["exec"]["command"]
    kept = tree(pod.node)
    assert pod.execute(watch, hook) == 0
    assert tree(pod.node) == kept
    assert "this pod is replaced" in pod.log.read_text()

    cluster.api.delete(f"{daemonsets}/multus").expect(200)
    assert pod.execute(watch, [*hook, "--settle=0"]) == 0
    assert "uninstalled" in pod.log.read_text()
    assert pod.peak(watch) < 48 << 20  # the hook included; the limit is a third more
    pod.kill(watch)
    process.wait(20)
    assert tree(pod.node) == before
