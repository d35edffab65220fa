"""A node on which multus is installed, pods are attached, and nothing is wrong; each test spoils one thing of it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus import VERSION
from cni_multus.cli.main import run
from cni_multus.node.bundle import Source
from cni_multus.node.changes import Changes
from cni_multus.node.configure import Configuration
from cni_multus.node.generate import Options
from cni_multus.node.install import Wanted, install
from tests.cli.terminal import Ended, Terminal
from tests.conftest import LIBC, MS_BIND, checked
from tests.node import Pod, in_private_mounts
from tests.nodes.machine import SHELL
from tests.settled import await_local_routes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.conftest import MakeNamespace

PRIMARY = "10-primary.conflist"
PATIENCE = 30
ANNOTATIONS = "io.kubernetes.cri.pod-annotations"


class Ward(Terminal):
    """The node, and an operator who types `multus doctor` on it."""

    def __init__(self, host: Namespace, root: Path, make: MakeNamespace) -> None:
        super().__init__(host, root)
        self._make = make
        self.mounts: list[Callable[[], object]] = []
        """What else is mounted where the operator looks."""
        self.started: list[subprocess.Popen[bytes]] = []
        self.defined = root / "defined"
        self.defined.mkdir()
        self.named = root / "named"
        self.named.mkdir()
        self.log_dir = root / "log"
        self.log_dir.mkdir()
        (self.run_dir / "netns").mkdir()
        self.write(PRIMARY, self.primary())
        self.define("red", self.red())

    def primary(self) -> dict[str, Any]:
        """What the primary CNI wrote."""
        tuning = {"type": "tuning", "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"}, "dataDir": f"{self.root}/tuned"}
        plugins = [self.bridge(ipMasq=True, macspoofchk=True), tuning]
        return {"cniVersion": "1.0.0", "name": "primary", "plugins": plugins}

    def red(self, **changed: Any) -> dict[str, Any]:
        """A network that pods ask for."""
        return {"cniVersion": "1.0.0", **self.macvlan("red", "10.2.0.0/24"), **changed}

    def define(self, name: str, config: dict[str, Any] | str) -> Path:
        """Put a definition into nadDir."""
        path = self.defined / f"{name}.json"
        text = config if isinstance(config, str) else json.dumps(config)
        document = {
            "apiVersion": "k8s.cni.cncf.io/v1",
            "kind": "NetworkAttachmentDefinition",
            "metadata": {"name": name, "namespace": "blue"},
            "spec": {"config": text},
        }
        path.write_text(json.dumps(document))
        return path

    def install(self, version: str = VERSION, **more: Any) -> None:
        """`multus install`, with directories of this test."""
        source = self.root / "program"
        (source / "_internal").mkdir(parents=True)
        (source / "_internal" / "part").write_text("part")
        (source / "multus").write_text(SHELL.format(version=version))
        (source / "multus").chmod(0o755)
        places = {"cniDir": str(self.cni_dir), "nadDir": str(self.defined)}
        options = Options(bin_dir=str(self.bin_dir), networks_dir=str(self.named), more={**places, **more})
        net_d = str(self.networks)
        wanted = Wanted(
            "/",
            str(self.bin_dir),
            net_d,
            str(self.cni_dir),
            str(self.cache),
            source=Source.look(str(source)),
            links=(),
            configuration=Configuration(net_d, net_d, options=options),
            states=(str(self.addresses),),
        )
        assert install(wanted, Changes()) == ""

    @property
    def own(self) -> Path:
        """The configuration that was generated."""
        [path] = self.networks.glob("00-multus.*")
        return path

    def config(self, *_: object, **more: object) -> dict[str, Any]:
        """What a runtime hands over of it."""
        document = json.loads(self.own.read_text())
        plugin = document["plugins"][0] if "plugins" in document else document
        return {**plugin, "name": document["name"], "cniVersion": document["cniVersion"], **more}

    def attach(self, name: str, networks: str = "red") -> Pod:
        """A pod with the primary's network, and these."""
        pod = Pod(self._make(name), name)
        annotations = {"k8s.v1.cni.cncf.io/networks": networks} if networks else {}
        self.call("ADD", self.config(runtimeConfig={ANNOTATIONS: annotations}), pod).succeeded()
        await_local_routes(pod.netns)
        return pod

    def die(self, pod: Pod) -> None:
        """A pod's namespace goes, and nobody sends a DEL."""
        before = list(self.links().values()).count("veth")
        subprocess.run(["umount", "-l", pod.netns], check=True)
        os.unlink(pod.netns)
        deadline = time.monotonic() + PATIENCE
        while list(self.links().values()).count("veth") == before:  # the kernel takes its time with namespaces
            assert time.monotonic() < deadline, "the kernel keeps a namespace that nobody has"
            time.sleep(0.01)

    @property
    def places(self) -> list[str]:
        """The options that name this node's directories."""
        named = {
            "conf": self.networks,
            "bin": self.bin_dir,
            "results": self.cache,
            "host-local": self.addresses,
            "data": self.leases,
            "static": self.root / "static",
        }
        return [word for name, path in named.items() for word in (f"--{name}-dir", str(path))]

    def doctor(self, *arguments: str) -> Ended:
        """Run `multus doctor` on the node, in a thread of this process."""
        stdout, stderr = StringIO(), StringIO()
        with redirect_stdout(stdout), redirect_stderr(stderr):
            status = self.run(lambda: in_private_mounts(lambda: self._typed(*arguments)))
        return Ended(status, stdout.getvalue(), stderr.getvalue())

    def findings(self, *arguments: str) -> list[dict[str, Any]]:
        """What it finds, as JSON."""
        found = json.loads(self.doctor(*arguments, "-o", "json").stdout)["findings"]
        assert isinstance(found, list)
        return found

    def _typed(self, *arguments: str) -> int:
        """Where /run and /var/log are the node's own."""
        checked(LIBC.mount(bytes(self.run_dir), b"/run", None, MS_BIND, None))
        checked(LIBC.mount(bytes(self.log_dir), b"/var/log", None, MS_BIND, None))
        for mount in self.mounts:
            mount()
        return run("multus", ["doctor", *self.places, *arguments])


@pytest.fixture
def node(host: Namespace, tmp_path: Path, netns: MakeNamespace) -> Iterator[Ward]:
    ward = Ward(host, tmp_path, netns)
    ward.install()
    yield ward
    for process in ward.started:
        process.kill()
        process.wait()


@pytest.fixture
def ill(node: Ward) -> Ward:
    """One with two pods, which a test then spoils."""
    node.attach("web-0")
    node.attach("db-0")
    return node
