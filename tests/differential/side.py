"""One of the two programs that are compared: its plugins, and a node, a pod and files of its own."""

from __future__ import annotations

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pyroute2 import IPRoute

from cni_multus.linux.netns import setns
from tests.conftest import entered
from tests.differential.kernel import shown
from tests.node import with_run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.conftest import MakeNamespace

UPLINK = "up0"
CONTAINER = "c0ffee"
TIMEOUT = 60

Config = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """How a plugin ended and what it printed."""

    status: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Config:
        """The one JSON document on standard output; {} where there is nothing."""
        document = json.loads(self.stdout) if self.stdout.strip() else {}
        assert isinstance(document, dict), self.stdout
        return document

    def succeeded(self) -> Config:
        """The document; the plugin must not have failed."""
        assert self.status == 0, self.stdout + self.stderr
        return self.document


class Side:
    """A node whose runtime finds its plugins in `plugins`; what it does, it does in a thread that is on that node."""

    def __init__(self, name: str, plugins: Path, netns: MakeNamespace, root: Path) -> None:
        self.name = name
        self.plugins = plugins
        self.data = root / name
        self.data.mkdir()
        self._run = root / f"{name}-run"
        self._run.mkdir()
        self.node = netns(f"{root.name}-{name}-node")
        self.pod = netns(f"{root.name}-{name}-pod")
        self._worker = ThreadPoolExecutor(1, initializer=self._enter)
        self._witnesses: dict[str, IPRoute] = {}
        self.start(self._prepare).result()

    @property
    def start(self) -> Callable[..., Any]:
        """Begin something on the node; a future of what it returns."""
        return self._worker.submit

    def close(self) -> None:
        """Leave the namespaces to themselves."""
        self.start(lambda: [witness.close() for witness in self._witnesses.values()]).result()
        self._worker.shutdown()

    def call(
        self,
        verb: str,
        config: Config | str,
        *,
        kind: str = "",
        previous: Config | None = None,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """Execute the plugin `kind` (by default the configuration's); a variable that is "" is left out.

        DATA in the configuration stands for the directory of this side's files.
        """
        if not isinstance(config, str):
            kind = kind or config["type"]
            config = json.dumps({**config, **({"prevResult": previous} if previous else {})})
        variables = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": CONTAINER,
            "CNI_NETNS": self.pod,
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(self.plugins),
            **environment,
        }
        done = subprocess.run(
            [*with_run(self._run), str(self.plugins / kind)],
            input=config.replace("DATA", str(self.data)),
            env={name: value for name, value in variables.items() if value},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def shown(self) -> dict[str, Any]:
        """Everything that the kernel and the file system show of this side."""
        return {
            "node": shown(self.kernel(self.node)),
            "pod": shown(self.kernel(self.pod), self.pod),
            "files": files(self.data),
        }

    def kernel(self, netns: str) -> IPRoute:
        """pyroute2 in one of the namespaces; to be used in what `start` begins."""
        if netns not in self._witnesses:
            with entered(netns):
                self._witnesses[netns] = IPRoute()
        return self._witnesses[netns]

    def _enter(self) -> None:
        with open(self.node, "rb") as target:
            setns(target.fileno())

    def _prepare(self) -> None:
        add_uplink(self.kernel(self.node))


def add_uplink(kernel: IPRoute) -> None:
    """A pair of links, up, that macvlans can stand on."""
    kernel.link("add", ifname=UPLINK, kind="veth", peer="up1")
    for name in ("lo", UPLINK, "up1"):
        kernel.link("set", index=kernel.link_lookup(ifname=name)[0], state="up")
    while len(kernel.link_lookup(operstate="UP")) < len((UPLINK, "up1")):
        time.sleep(0.001)


def files(root: Path) -> dict[str, tuple[str, str]]:
    """Mode and content of every file below a directory."""
    return {
        str(path.relative_to(root)): (f"{path.stat().st_mode & 0o777:o}", path.read_text(errors="replace"))
        for path in root.rglob("*")
        if path.is_file()
    }
