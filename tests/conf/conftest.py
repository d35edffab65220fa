"""A node that has what the examples of conf/ name: the uplink ens5, and the program that is not built in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cni_multus.linux.links import add_veth, change_link
from tests.cli.terminal import Terminal
from tests.plugins.shown import Shown
from tools.reference import reference_plugins

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.conftest import MakeNamespace


@pytest.fixture
def node(host: Namespace, tmp_path: Path) -> Terminal:
    uplink = add_veth(host, "ens5", mac="02:00:00:00:00:05", peer="switch", peer_namespace=host)
    change_link(host, uplink.parent, up=True)
    node = Terminal(host, tmp_path)
    (node.bin_dir / "site-tuning").symlink_to(reference_plugins() / "tuning")
    return node


@pytest.fixture
def pod(netns: MakeNamespace) -> str:
    return netns("pod")


@pytest.fixture
def inside(pod: str) -> Shown:
    return Shown(pod)
