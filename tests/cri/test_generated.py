"""A containerd that reads what is generated from the primary's configuration, while that changes."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.node.configure import Configuration, configure
from cni_multus.node.generate import Options
from cni_multus.node.publish import withdraw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cri.site import Site

PATIENCE = 30.0


class Generated:
    """The daemon's directory with a primary in it, and ours made of that."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.directory = site.containerd.conf_dir

    def primary(self, version: str, **more: object) -> None:
        """Put the primary's file there, and make ours of it."""
        network = {"cniVersion": version, "name": "pods", "plugins": [self.site.node.bridge()], **more}
        (self.directory / ".new").write_text(json.dumps(network))
        (self.directory / ".new").rename(self.directory / "10-pods.conflist")
        keys = self.site.node.config()
        more = {key: keys[key] for key in keys.keys() - {"cniVersion", "name", "type", "delegates"}}
        options = Options(more=more)
        configure("/", Configuration(str(self.directory), str(self.directory), options=options))
        self.wait_for("multus-cni-network", version)

    def wait_for(self, *texts: str) -> None:
        """Until the daemon has read that."""
        deadline = time.monotonic() + PATIENCE
        while not all(json.dumps(text) in self.config for text in texts):
            assert time.monotonic() < deadline, f"{texts} are not in {self.config}\n{self.site.containerd.log()}"
            time.sleep(0.01)

    @property
    def config(self) -> str:
        """What the daemon has read."""
        told: Any = self.site.runtime.status().info["cniconfig"]
        return str(told)

    def clear(self) -> None:
        for path in self.directory.iterdir():
            path.unlink()


@pytest.fixture
def generated(site: Site) -> Iterator[Generated]:
    made = Generated(site)
    made.clear()
    yield made
    made.clear()


@pytest.mark.parametrize("version", ["0.3.1", "1.0.0"])
def test_pods_start_and_stop_while_the_primary_changes_its_version(generated: Generated, version: str) -> None:
    site = generated.site
    generated.primary(version)
    first = site.runtime.run_pod("first")
    assert first.interfaces() == {"eth0": ["10.1.0.2/24"]}
    generated.primary({"0.3.1": "1.0.0", "1.0.0": "0.4.0"}[version])
    second = site.runtime.run_pod("second")
    assert second.interfaces() == {"eth0": ["10.1.0.3/24"]}
    withdraw("/", str(generated.directory))
    generated.wait_for("pods")
    for sandbox in (first, second):
        sandbox.stop()
        sandbox.remove()
