"""A node with pods that are attached, and an operator who looks at it."""

from __future__ import annotations

import json
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cli.main import run
from tests.cli.terminal import Ended, Terminal
from tests.conftest import LIBC, MS_BIND, checked
from tests.node import Pod, in_private_mounts
from tests.settled import await_local_routes

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.conftest import MakeNamespace


class Inspected(Terminal):
    """A node whose pods are attached in this process, where an operator types `multus inspect`."""

    def __init__(self, host: Namespace, root: Path, make: MakeNamespace) -> None:
        super().__init__(host, root)
        self._make = make

    @property
    def places(self) -> list[str]:
        """The options that name this node's directories."""
        return ["--conf-dir", str(self.networks), "--cni-dir", str(self.cni_dir), "--results-dir", str(self.cache)]

    def pod(self, name: str) -> Pod:
        """A pod's sandbox that nothing is attached to yet."""
        return Pod(self._make(name), name)

    def attach(self, name: str, *delegates: object) -> Pod:
        """A pod with these networks, the primary first; the configuration is the node's."""
        pod = self.pod(name)
        config = self.config(*delegates)
        self.write("00-multus.conf", config)
        self.call("ADD", config, pod).succeeded()
        await_local_routes(pod.netns)
        return pod

    def inspect(self, *arguments: str) -> Ended:
        """Run `multus inspect` on the node, in a thread of this process."""
        stdout, stderr = StringIO(), StringIO()
        with redirect_stdout(stdout), redirect_stderr(stderr):
            status = self.run(lambda: in_private_mounts(lambda: self._typed(*arguments)))
        return Ended(status, stdout.getvalue(), stderr.getvalue())

    def _typed(self, *arguments: str) -> int:
        """Where /run is the node's own: the machine may have namespaces with names."""
        checked(LIBC.mount(bytes(self.run_dir), b"/run", None, MS_BIND, None))
        return run("multus", ["inspect", *arguments, *self.places])

    def document(self, *arguments: str) -> dict[str, Any]:
        """What it prints as JSON."""
        found = json.loads(self.inspect(*arguments, "-o", "json").stdout)
        assert isinstance(found, dict)
        return found

    def differences(self, pod: Pod) -> dict[str, list[str]]:
        """What differs, by interface; "" has what is the sandbox's."""
        [sandbox] = self.document(pod.container_id)["sandboxes"]
        found = {"": sandbox["differences"], **{one["interface"]: one["differences"] for one in sandbox["interfaces"]}}
        return {name: wrong for name, wrong in found.items() if wrong}


def shell(netns: str, command: str) -> str:
    """What a command prints in a namespace."""
    done = subprocess.run(
        ["nsenter", f"--net={netns}", "sh", "-ec", command], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture
def node(host: Namespace, tmp_path: Path, netns: MakeNamespace) -> Inspected:
    return Inspected(host, tmp_path, netns)
