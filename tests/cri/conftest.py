"""A containerd of each release, with the built program among its plugins; a kit that cannot be had fails the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cni_multus.registry import MODULES
from tests.cri.daemon import Containerd
from tests.cri.enclosure import Enclosure
from tests.cri.site import Site
from tools.build import PROGRAM
from tools.crikit import CONTAINERD, Kit, crikit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def kit() -> Kit:
    """The runtimes."""
    return crikit()


@pytest.fixture(scope="session")
def bin_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is /opt/cni/bin elsewhere: the built program under the names of all plugins."""
    assert PROGRAM.exists(), f"there is no {PROGRAM}: run `make build` first"
    directory = tmp_path_factory.mktemp("bin")
    for name in MODULES:
        (directory / name).symlink_to(PROGRAM)
    return directory


@pytest.fixture(scope="session", params=CONTAINERD)
def containerd(
    request: pytest.FixtureRequest, kit: Kit, bin_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Containerd]:
    """A daemon; its tests stand together, so that there is one at a time."""
    enclosure = Enclosure()
    try:
        daemon = Containerd(kit, request.param, enclosure, tmp_path_factory.mktemp("containerd"), bin_dir)
        yield daemon
        daemon.close()
    finally:
        enclosure.close()


@pytest.fixture
def site(containerd: Containerd, tmp_path: Path) -> Iterator[Site]:
    """A node with that daemon, on which there is nothing yet."""
    site = Site(containerd, tmp_path)
    yield site
    site.close()
