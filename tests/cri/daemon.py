"""One containerd: its configuration, and its life."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

from tests.cri.image import IMAGE, write_image
from tests.cri.runtime import Refused, Runtime

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cri.enclosure import Enclosure
    from tools.crikit import Kit

SOCKET = "/run/containerd/containerd.sock"
PID = "/run/containerd.pid"
PATIENCE = 60

# A plugin makes /opt/containerd otherwise, and programs want a security module that need not be there.
FIRST_GENERATION = """version = 2
disabled_plugins = ["io.containerd.internal.v1.opt"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{image}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "{runc}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{bin_dir}"
    conf_dir = "{conf_dir}"
"""
SECOND_GENERATION = """version = 3
disabled_plugins = ["io.containerd.internal.v1.opt"]
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{image}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = "{runc}"
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["{bin_dir}"]
    conf_dir = "{conf_dir}"
"""


class Containerd:
    """A containerd in an enclosure; its networks are below `directory`, unless it is told where they are in there."""

    def __init__(
        self, kit: Kit, release: str, enclosure: Enclosure, directory: Path, bin_dir: Path, conf_dir: Path | None = None
    ) -> None:
        self.release = release
        self.enclosure = enclosure
        self.bin_dir = bin_dir
        self.conf_dir = conf_dir or directory / "net.d"
        if conf_dir is None:
            self.conf_dir.mkdir()
        self._kit = kit
        self._programs = kit.containerd(release)
        self._config = directory / "config.toml"
        self._log = directory / "containerd.log"
        generation = SECOND_GENERATION if release.startswith("2") else FIRST_GENERATION
        self._config.write_text(
            generation.format(image=IMAGE, runc=kit.program("runc"), bin_dir=bin_dir, conf_dir=self.conf_dir)
        )
        self._process: subprocess.Popen[bytes] | None = None
        self.runtime = Runtime(kit, enclosure.path(SOCKET), enclosure.cgroup)
        self.start()
        archive = directory / "image.tar"
        write_image(archive, kit.program("busybox"))
        self.ctr("images", "import", archive)

    @property
    def newest_version(self) -> str:
        """The newest version of CNI that it speaks."""
        return "1.1.0" if self.release.startswith("2") else "1.0.0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = f"echo $$ >{PID}; exec containerd --config {self._config}"
        environment = {"PATH": f"{self._programs}:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
        with self._log.open("ab") as log:
            self._process = self.enclosure.start(["sh", "-c", command], log, environment)
        deadline = time.monotonic() + PATIENCE
        while reason := self._silence():
            alive = self._process.poll() is None and time.monotonic() < deadline
            assert alive, f"containerd {self.release} did not start: {reason}\n{self.log()}"
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill the daemon; the shims and their containers live on."""
        self.enclosure.run("sh", "-c", f"kill -9 $(cat {PID})")
        assert self._process is not None
        self._process.wait()

    def ctr(self, *arguments: object) -> str:
        """What its command line tool prints."""
        return self.enclosure.run(self._programs / "ctr", "--namespace=k8s.io", *arguments)

    def configure(self, network: dict[str, Any]) -> None:
        """Let this be the network of pods from now on, under a name that no network has had before."""
        written = self.conf_dir / "written"
        written.write_text(json.dumps(network))
        single, many = self.conf_dir / "00-multus.conf", self.conf_dir / "00-multus.conflist"
        target, other = (many, single) if "plugins" in network else (single, many)
        written.rename(target)
        other.unlink(missing_ok=True)
        deadline = time.monotonic() + PATIENCE
        wanted = json.dumps(network["name"])
        while wanted not in self.runtime.status().info["cniconfig"]:
            assert time.monotonic() < deadline, f"containerd does not read {network['name']}\n{self.log()}"
            time.sleep(0.01)

    def log(self) -> str:
        """The last of what it said."""
        return self._log.read_text()[-4000:]

    def close(self) -> None:
        """Let go of it; its enclosure ends it."""
        self.runtime.close()
        assert self._process is not None
        if self._process.poll() is None:
            self.kill()

    def _silence(self) -> str:
        """Why it does not answer, if it does not."""
        try:
            self.runtime.status()
        except Refused as refusal:
            return str(refusal)
        return ""
