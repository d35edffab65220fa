"""The preStop hook with a real API server: it uninstalls where no other pod comes, and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from cni_multus.cli.command import DONE, FOUND
from tests.cluster.cluster import Cluster
from tests.deploy.kit import BASE, ROOT, of_kind, rendered
from tests.nodes.machine import BIN, Machine

if TYPE_CHECKING:
    from pathlib import Path

DAEMONSETS = "/apis/apps/v1/namespaces/{}/daemonsets"
ROLE = {"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": ["get"]}


class Leaving:
    """A node with the program on it, and the pod whose hook is run."""

    def __init__(self, place: Path, cluster: Cluster) -> None:
        self.cluster = cluster
        self.machine = Machine(place)
        self.before = self.machine.tree()
        self.machine.install()
        self.installed = self.machine.tree()
        self.account = place / "pod"
        self.account.mkdir()
        (self.account / "token").write_text(cluster.token(ROLE))
        (self.account / "ca.crt").write_bytes(cluster.server.ca.read_bytes())
        (self.account / "namespace").write_text(cluster.namespace)
        self.address = urlsplit(cluster.server.url)
        self.path = DAEMONSETS.format(cluster.namespace)
        manifest = of_kind(rendered(BASE), "DaemonSet")
        manifest["metadata"]["namespace"] = cluster.namespace
        cluster.api.post(self.path, manifest).expect(201)

    def hook(self, port: int | None = None) -> tuple[int, str]:
        """Run it as the kubelet does; its status, and what it says."""
        options = [f"--root={self.machine.root}", f"--bin-dir={BIN}", "--daemonset=multus", "--settle=0"]
        done = subprocess.run(
            [sys.executable, "-m", "cni_multus", "node", "leave", *options, f"--service-account-dir={self.account}"],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "KUBERNETES_SERVICE_HOST": str(self.address.hostname),
                "KUBERNETES_SERVICE_PORT": str(port or self.address.port),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == ""
        return done.returncode, done.stderr


@pytest.fixture
def leaving(tmp_path: Path, cluster: Cluster) -> Leaving:
    return Leaving(tmp_path, cluster)


def test_a_roll_out_changes_nothing(leaving: Leaving) -> None:
    status, said = leaving.hook()
    assert (status, leaving.machine.tree()) == (DONE, leaving.installed)
    assert "this pod is replaced, and everything stays" in said


def test_nothing_is_left_when_the_daemonset_is_gone(leaving: Leaving) -> None:
    leaving.cluster.api.delete(f"{leaving.path}/multus").expect(200)
    status, said = leaving.hook()
    assert (status, leaving.machine.tree()) == (DONE, leaving.before)
    assert f"the DaemonSet {leaving.cluster.namespace}/multus is gone: uninstalling" in said
    assert leaving.hook()[0] == DONE


def test_a_daemonset_that_waits_for_its_pods_is_being_deleted(leaving: Leaving) -> None:
    foreground = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"}
    leaving.cluster.api.delete(f"{leaving.path}/multus", foreground).expect(200)
    status, said = leaving.hook()
    assert (status, leaving.machine.tree()) == (DONE, leaving.before)
    assert "is being deleted: uninstalling" in said


def test_whoever_deletes_everything_deletes_our_account_first(leaving: Leaving) -> None:
    [role] = leaving.cluster.objects("rolebindings")
    leaving.cluster.api.delete(leaving.cluster.path("rolebindings", role)).expect(200)
    status, said = leaving.hook()
    assert (status, leaving.machine.tree()) == (DONE, leaving.before)
    assert "may not ask for the DaemonSet" in said


def test_everything_stays_while_the_api_server_is_away(leaving: Leaving) -> None:
    status, said = leaving.hook(port=1)
    assert (status, leaving.machine.tree()) == (FOUND, leaving.installed)
    assert "cannot tell whether the DaemonSet multus is there; everything stays" in said
