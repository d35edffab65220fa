"""A node and a pod for the built program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.node import Node, Pod
from tools.build import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cni_multus.linux.netns import Namespace


@pytest.fixture(autouse=True)
def built() -> None:
    assert PROGRAM.exists(), f"there is no {PROGRAM}: run `make build` first"


@pytest.fixture
def node(host: Namespace, tmp_path: Path) -> Node:
    return Node(host, tmp_path)


@pytest.fixture
def pod(netns: Callable[[str], str]) -> Pod:
    return Pod(netns("pod-1"), "pod-1")
