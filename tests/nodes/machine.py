"""A node's root with a primary and other people's plugins on it, and a small program to be installed there."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cni_multus.node.bundle import Source
from cni_multus.node.changes import Changes
from cni_multus.node.configure import Configuration
from cni_multus.node.generate import Options
from cni_multus.node.install import Wanted, install
from cni_multus.node.uninstall import Options as Leaving
from cni_multus.node.uninstall import uninstall
from tests.nodes.kit import ROOT, primary

if TYPE_CHECKING:
    from cni_multus.node.changes import Change
    from cni_multus.node.uninstall import Outcome

BIN, NET_D, STATE = "/opt/cni/bin", "/etc/cni/net.d", "/var/lib/cni/multus"
RESULTS = "/var/lib/cni/results"
SHELL = """#!/bin/sh
[ "$1" = --version ] && echo "multus {version}" && exit
[ "$CNI_COMMAND" = VERSION ] && echo '{{"supportedVersions": ["1.0.0"]}}' && exit
echo "{version} $(cat "$(dirname "$(readlink -f "$0")")/_internal/part")"
"""
CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"

Tree = dict[str, tuple[object, ...]]


class Machine:
    """The node; `root` is where this process has it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.root = place / "node"
        for directory in (BIN, NET_D):
            self.at(directory).mkdir(parents=True)
        self.at(f"{NET_D}/10-calico.conflist").write_text(primary("10-calico.conflist"))
        for name in ("bridge", "loopback", "calico"):
            self.at(f"{BIN}/{name}").write_text(f"#!/bin/sh\necho {name} of another\n")
            self.at(f"{BIN}/{name}").chmod(0o755)
        self.account = place / "account"
        self.account.mkdir()
        self.renew("first")

    def at(self, path: str) -> Path:
        """Where the node's path is."""
        return self.root / path[1:]

    def renew(self, token: str) -> None:
        """Let the service account have this token."""
        (self.account / "token").write_text(token)
        (self.account / "ca.crt").write_bytes(CERTIFICATE)

    def program(self, version: str = "1.0.0") -> Source:
        """A program that says its version and what is in its bundle."""
        directory = self.place / f"program-{version}"
        if not directory.exists():
            (directory / "_internal").mkdir(parents=True)
            (directory / "_internal" / "part").write_text(f"part of {version}")
            (directory / "multus").write_text(SHELL.format(version=version))
            (directory / "multus").chmod(0o755)
        return Source.look(str(directory))

    def wanted(self, **changed: Any) -> Wanted:
        """What is to be installed."""
        options = changed.pop("options", Options(kubeconfig=f"{NET_D}/multus.d/multus.kubeconfig"))
        return Wanted(
            **{
                "root": str(self.root),
                "bin_dir": BIN,
                "conf_dir": NET_D,
                "cni_dir": STATE,
                "results_dir": RESULTS,
                "source": self.program(),
                "service_account": str(self.account),
                "kubeconfig": b'{"kind": "Config"}\n',
                "configuration": Configuration(NET_D, NET_D, rename=changed.pop("rename", False), options=options),
                **changed,
            }
        )

    def install(self, *, dry: bool = False, **changed: Any) -> list[Change]:
        """Install, and what that changed."""
        changes = Changes(dry)
        assert install(self.wanted(**changed), changes) == ""
        return changes.made

    def uninstall(self, *, dry: bool = False, **changed: Any) -> list[Change]:
        """Uninstall completely, and what that changed."""
        changes = Changes(dry)
        outcome = self.leave(changes, **changed)
        assert outcome.complete, outcome
        return changes.made

    def leave(self, changes: Changes | None = None, **changed: Any) -> Outcome:
        """Uninstall as far as it goes."""
        return uninstall(Leaving(str(self.root), BIN, **{"settle": 0.0, **changed}), changes or Changes())

    def says(self, name: str = "multus") -> str:
        """What the program says that is executed by that name."""
        return subprocess.run([self.at(f"{BIN}/{name}")], capture_output=True, text=True, check=True).stdout.strip()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command line."""
        command = [sys.executable, "-m", "cni_multus", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    def tree(self, *, times: bool = True) -> Tree:
        """Everything on the node: kind, permissions, owner, content, and when files were changed."""
        return dict(sorted((str(path.relative_to(self.root)), facts(path, times)) for path in self.root.rglob("*")))


def facts(path: Path, times: bool) -> tuple[object, ...]:
    """What a file is; the times of directories change with what is in them."""
    found = path.lstat()
    common = (stat.filemode(found.st_mode), found.st_uid, found.st_gid)
    if path.is_symlink():
        return (*common, os.readlink(path))
    if path.is_dir():
        return common
    return (*common, path.read_bytes(), found.st_mtime_ns if times else 0, found.st_nlink)
