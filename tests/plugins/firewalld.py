"""A real firewalld for one node: it and its D-Bus run in the node's network namespace, with files of their own."""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tools.firewalld import BUS, firewalld_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.plugins.runtime import Runtime

MOUNTS = 'mount --bind "$1" "$0/run" && mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev"'
IN_ITS_ROOT = f'{MOUNTS} && exec chroot "$0" "${{@:2}}"'
PATIENCE = 60
"""Seconds: it takes two on an idle machine."""


@contextmanager
def firewalld(node: Runtime) -> Iterator[str]:
    """The address of its bus; firewalld is gone afterwards, its rules with the node."""
    # The path of a socket has 107 bytes, which a test's own directory may need for itself.
    with TemporaryDirectory(prefix="bus-") as directory:
        yield from _running(node, Path(directory))


def _running(node: Runtime, run: Path) -> Iterator[str]:
    root = firewalld_root()
    bus = run / BUS.removeprefix("/run/")
    bus.parent.mkdir(parents=True)
    log = run / "log"
    with ExitStack() as running:

        def start(*command: str) -> None:
            private = ["nsenter", f"--net={node.host.path}", "unshare", "--mount", "--propagation=private"]
            rooted = ["bash", "-c", IN_ITS_ROOT, str(root), str(run)]
            with log.open("ab") as output:
                process = subprocess.Popen([*private, *rooted, *command], stdout=output, stderr=output)
            running.callback(process.wait)
            running.callback(process.terminate)

        def wait(happened: Callable[[], bool]) -> None:
            deadline = time.monotonic() + PATIENCE
            while not happened():
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)

        start("/usr/bin/dbus-daemon", "--config-file=/etc/bus.conf", "--nofork", "--nopidfile")
        wait(bus.exists)
        start("/usr/sbin/firewalld", "--nofork", "--nopid", "--log-target=console")
        wait(lambda: "inet firewalld" in node.shown.run("nft list tables"))
        yield f"unix:path={bus}"
