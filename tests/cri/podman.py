"""Podman with its CNI backend: another runtime, which calls plugins by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.cri.image import FOREVER, IMAGE, write_image

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cri.enclosure import Enclosure
    from tools.crikit import Kit

CONTAINERS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
apparmor_profile = "unconfined"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
conmon_path = ["{conmon}"]
[engine.runtimes]
runc = ["{runc}"]
[network]
network_backend = "cni"
cni_plugin_dirs = ["{bin_dir}"]
network_config_dir = "{conf_dir}"
"""
STORAGE = """
[storage]
driver = "overlay"
graphroot = "/var/lib/containers/storage"
runroot = "/run/containers/storage"
"""
ANYTHING_GOES = {"default": [{"type": "insecureAcceptAnything"}]}


class Podman:
    """A podman in an enclosure, with its settings and networks below `directory`."""

    def __init__(self, kit: Kit, enclosure: Enclosure, directory: Path, bin_dir: Path) -> None:
        self.enclosure = enclosure
        self.conf_dir = directory / "net.d"
        self.conf_dir.mkdir()
        self._program = kit.program("podman")
        settings, storage = directory / "containers.conf", directory / "storage.conf"
        settings.write_text(
            CONTAINERS.format(
                conmon=kit.program("conmon"), runc=kit.program("runc"), bin_dir=bin_dir, conf_dir=self.conf_dir
            )
        )
        storage.write_text(STORAGE)
        policy = directory / ".config/containers/policy.json"
        policy.parent.mkdir(parents=True)
        policy.write_text(json.dumps(ANYTHING_GOES))
        self._environment = {
            "PATH": f"{self._program.parent}:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(directory),
            "LD_LIBRARY_PATH": str(kit.libraries),
            "CONTAINERS_CONF": str(settings),
            "CONTAINERS_STORAGE_CONF": str(storage),
        }
        archive = directory / "image.tar"
        write_image(archive, kit.program("busybox"))
        self("load", "--quiet", "--input", archive)

    def __call__(self, *arguments: object) -> str:
        """What one command prints, which must succeed."""
        return self.enclosure.run(self._program, *arguments, environment=self._environment)

    def configure(self, network: dict[str, Any]) -> None:
        """Add a network, a list of plugins."""
        (self.conf_dir / f"{network['name']}.conflist").write_text(json.dumps(network))

    def run(self, name: str, network: str, *options: str) -> str:
        """A container that is only there to be looked into; its ID."""
        below = f"--cgroup-parent=/{self.enclosure.cgroup}"
        return self(
            "run", "--detach", f"--name={name}", f"--network={network}", below, *options, IMAGE, *FOREVER
        ).strip()

    def containers(self) -> list[str]:
        """The IDs of all containers."""
        return self("ps", "--all", "--quiet").split()
