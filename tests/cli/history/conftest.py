"""A node with a log, and an operator who looks back."""

from __future__ import annotations

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cli.main import run
from tests.cli.terminal import Ended
from tests.pods import make_pod, node, pod

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["make_pod", "node", "pod"]

ADDED = (
    "2026-02-03T04:05:06Z [info] [shop/web-0/5d1c] ADD ok in 23.4 ms (api 4.1, ipam 1.2, eth0=9.8, net1=6.1), "
    "container 3fa9c1d2e4b5, eth0 primary 10.244.0.7/24, net1 shop/storage 192.168.1.20/24"
)
FAILED = (
    "2026-02-03T04:05:09Z [error] [shop/web-1/77ab] ADD failed in 3008.2 ms (api 3000.1, eth0=5.0), "
    "container 81c07d0a92ee, eth0 primary, net1 shop/storage: code 11: no answer: code 7: from the API server"
)
DELETED = (
    "2026-02-03T04:06:00Z [info] [shop/web-0/5d1c] DEL ok in 18.0 ms (eth0=1.5, net1=16.0), "
    "container 3fa9c1d2e4b5, eth0 primary 10.244.0.7/24, net1 shop/storage 192.168.1.20/24"
)
CHATTER = "2026-02-03T04:05:06Z [verbose] [shop/web-0/5d1c] attached net1 to network shop/storage"
COLLECTED = "2026-02-03T05:00:00Z [info] [-] GC ok in 2.0 ms"
DOCUMENT = {
    "time": "2026-02-03T04:07:00Z",
    "level": "info",
    "pod": "shop/db-0/91ff",
    "verb": "ADD",
    "container": "b83d5e60f1a2" * 5,
    "networks": [{"name": "primary", "interface": "eth0", "ips": ["10.244.0.9/24"], "ms": 220.5}],
    "outcome": "ok",
    "ms": 250.5,
    "programsMs": 201.0,
    "waitingMs": 10.5,
}


class Past:
    """A node of which there are only files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = root / "multus.log"
        self.cni_dir = root / "multus"
        self.conf_dir = root / "net.d"
        self.conf_dir.mkdir()

    def configure(self, **more: object) -> None:
        """The node's configuration, with its log."""
        config = {"name": "multus", "type": "multus", "cniVersion": "1.1.0", "logFile": str(self.log), **more}
        (self.conf_dir / "00-multus.conf").write_text(json.dumps(config))

    def write(self, *lines: str | dict[str, object]) -> None:
        """The log has these lines."""
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        self.log.write_text("".join(text + "\n" for text in texts))

    def history(self, *arguments: str) -> Ended:
        """Run `multus history`."""
        places = ["--conf-dir", str(self.conf_dir), "--cni-dir", str(self.cni_dir), "--results-dir", str(self.root)]
        stdout, stderr = StringIO(), StringIO()
        with redirect_stdout(stdout), redirect_stderr(stderr):
            status = run("multus", ["history", *arguments, *places])
        return Ended(status, stdout.getvalue(), stderr.getvalue())

    def document(self, *arguments: str) -> dict[str, Any]:
        """What it prints as JSON."""
        return self.history(*arguments, "-o", "json").document


@pytest.fixture
def past(tmp_path: Path) -> Past:
    past = Past(tmp_path)
    past.configure()
    return past
