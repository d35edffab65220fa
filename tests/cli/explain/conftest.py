"""A node, and an operator who asks what would be."""

from __future__ import annotations

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cli.main import run
from tests.cli.terminal import Ended, Terminal
from tests.node import Pod

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.conftest import MakeNamespace

NETWORKS = "k8s.v1.cni.cncf.io/networks"


class Explained(Terminal):
    """A node where an operator types `multus explain`, in this process."""

    def __init__(self, host: Namespace, root: Path, make: MakeNamespace) -> None:
        super().__init__(host, root)
        self._make = make
        self.nads = root / "nads"
        self.nads.mkdir()

    @property
    def places(self) -> list[str]:
        """The options that name this node's directories."""
        return ["--conf-dir", str(self.networks), "--bin-dir", str(self.bin_dir), "--results-dir", str(self.cache)]

    def pod(self, name: str) -> Pod:
        """A pod's sandbox that nothing is attached to yet."""
        return Pod(self._make(name), name)

    def define(self, name: str, config: dict[str, Any], namespace: str = "blue") -> None:
        """A definition in a file."""
        document = {
            "apiVersion": "k8s.cni.cncf.io/v1",
            "kind": "NetworkAttachmentDefinition",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"config": json.dumps({"cniVersion": "1.0.0", "name": name, **config})},
        }
        (self.nads / f"{namespace}-{name}.json").write_text(json.dumps(document))

    def explain(self, *arguments: str) -> Ended:
        """Run `multus explain` on the node."""
        stdout, stderr = StringIO(), StringIO()
        with redirect_stdout(stdout), redirect_stderr(stderr):
            status = self.run(lambda: run("multus", ["explain", *arguments, *self.places]))
        return Ended(status, stdout.getvalue(), stderr.getvalue())

    def foreseen(self, *arguments: str) -> dict[str, Any]:
        """What it prints as JSON."""
        return self.explain(*arguments, "-o", "json").document


def manifest(annotation: object, **more: object) -> dict[str, Any]:
    """A pod that asks for networks."""
    text = annotation if isinstance(annotation, str) else json.dumps(annotation)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-0", "namespace": "blue", "annotations": {NETWORKS: text}},
        "spec": {"containers": [{"name": "web", "image": "web"}], **more},
    }


@pytest.fixture
def node(host: Namespace, tmp_path: Path, netns: MakeNamespace) -> Explained:
    return Explained(host, tmp_path, netns)
