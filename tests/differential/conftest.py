"""Both programs, each with a node and a pod of its own; a reference that cannot be had fails the tests."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cni_multus.registry import MODULES
from tests.differential.pair import Pair, Versions
from tests.differential.side import Side
from tools.build import PROGRAM
from tools.reference import reference_plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import MakeNamespace
    from tests.differential.tally import Record


@pytest.fixture(scope="session")
def reference() -> Path:
    """The directory of the Go plugins."""
    return reference_plugins()


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory where the built program has the names of its plugins."""
    assert PROGRAM.exists(), "run `make build` first"
    directory = tmp_path_factory.mktemp("ours")
    for name in MODULES:
        (directory / name).symlink_to(PROGRAM)
    return directory


@pytest.fixture
def make_pair(
    ours: Path, reference: Path, netns: MakeNamespace, tmp_path: Path, record_property: Record
) -> Iterator[Callable[[], Pair]]:
    """Ours and the Go plugins, on a node each; every call gives other nodes."""
    made: list[Side] = []
    number = count()

    def make() -> Pair:
        root = tmp_path / str(next(number))
        root.mkdir()
        sides = [Side(name, plugins, netns, root) for name, plugins in (("ours", ours), ("theirs", reference))]
        made.extend(sides)
        mine, other = sides
        return Pair(mine, other, record_property)

    yield make
    for side in made:
        side.close()


@pytest.fixture
def pair(make_pair: Callable[[], Pair]) -> Pair:
    """Ours and the Go plugins, on a node each."""
    return make_pair()


@pytest.fixture
def versions(make_pair: Callable[[], Pair]) -> Versions:
    """A pair for every version."""
    return Versions(make_pair)


@pytest.fixture
def mixed(ours: Path, reference: Path, netns: MakeNamespace, tmp_path: Path) -> Iterator[Side]:
    """A node with both: ours under their names, the Go plugins with `go-` before theirs where we have one as well."""
    plugins = tmp_path / "mixed"
    plugins.mkdir()
    for program in reference.iterdir():
        name = f"go-{program.name}" if (ours / program.name).exists() else program.name
        (plugins / name).symlink_to(program)
    for program in ours.iterdir():
        (plugins / program.name).symlink_to(program.resolve())
    side = Side("node", plugins, netns, tmp_path)
    yield side
    side.close()
