"""A node with an operator in front of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.terminal import Terminal
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.conftest import MakeNamespace


@pytest.fixture
def node(host: Namespace, tmp_path: Path) -> Terminal:
    return Terminal(host, tmp_path)


@pytest.fixture
def pod(netns: MakeNamespace) -> str:
    """The path of a pod's namespace."""
    return netns("pod")


@pytest.fixture
def inside(pod: str) -> Shown:
    """The pod's namespace as `ip` shows it."""
    return Shown(pod)
