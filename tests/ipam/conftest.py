"""IPAMs with directories of their own, the Go program beside them, and mount namespaces that go with the test."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.ipam.runtime import Ipam
from tools.reference import reference_plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@pytest.fixture
def host_local(tmp_path: Path) -> Callable[..., Ipam]:
    """Make a host-local for one network; without ranges it gives the addresses of 10.1.2.0/24."""

    def make(*sets: object, name: str = "mynet", version: str = "1.1.0", **ipam: object) -> Ipam:
        config: dict[str, Any] = {
            "cniVersion": version,
            "name": name,
            "type": "bridge",
            "ipam": {"type": "host-local", "dataDir": str(tmp_path / "networks"), **ipam},
        }
        if sets or not ipam:
            config["ipam"]["ranges"] = list(sets) or [[{"subnet": "10.1.2.0/24"}]]
        return Ipam("host-local", tmp_path / "networks", config)

    return make


@pytest.fixture
def static(tmp_path: Path) -> Callable[..., Ipam]:
    """Make a static for one network; it gives the addresses that it is called with."""

    def make(*addresses: object, name: str = "mynet", version: str = "1.1.0", **ipam: object) -> Ipam:
        found = [{"address": address} if isinstance(address, str) else address for address in addresses]
        config: dict[str, Any] = {
            "cniVersion": version,
            "name": name,
            "type": "bridge",
            "ipam": {"type": "static", "dataDir": str(tmp_path / "static"), "addresses": found, **ipam},
        }
        return Ipam("static", tmp_path / "static", config)

    return make


@pytest.fixture(scope="session")
def go_host_local() -> Path:
    """The reference's program."""
    return reference_plugins() / "host-local"


class Mounts:
    """A mount namespace: what is mounted in it, nobody else sees, and it goes with the test."""

    def __init__(self, holder: int) -> None:
        self._holder = holder

    @property
    def enter(self) -> Sequence[str]:
        """What a command is run with to see the mounts."""
        return ("nsenter", f"--mount=/proc/{self._holder}/ns/mnt")

    def run(self, *command: str) -> str:
        """Run a command in there; what it prints."""
        return subprocess.run([*self.enter, *command], check=True, capture_output=True, text=True).stdout

    def see(self, path: Path) -> Path:
        """The path by which the test itself gets at what is mounted."""
        return Path(f"/proc/{self._holder}/root{path}")


@pytest.fixture
def mounts() -> Iterator[Mounts]:
    """A mount namespace, private and empty of mounts of its own."""
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", "echo ready; exec sleep 300"], stdout=subprocess.PIPE
    ) as one:
        assert one.stdout is not None
        assert one.stdout.readline() == b"ready\n"
        yield Mounts(one.pid)
        one.kill()
