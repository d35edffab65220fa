"""A node with an uplink, and pods on it: fixtures that several directories have in their conftest.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from tests.node import Pod
from tests.plugins.runtime import Runtime

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.conftest import MakeNamespace


class MakePod(Protocol):
    def __call__(self, name: str = ...) -> Pod: ...


@pytest.fixture
def node(host: Namespace, tmp_path: Path) -> Runtime:
    return Runtime(host, tmp_path)


@pytest.fixture
def make_pod(netns: MakeNamespace) -> MakePod:
    def make(name: str = "pod-1") -> Pod:
        return Pod(netns(name), name)

    return make


@pytest.fixture
def pod(make_pod: MakePod) -> Pod:
    return make_pod()
