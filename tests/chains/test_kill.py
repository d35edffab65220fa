"""The built program killed in the middle of a pod with everything: the next request makes good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chains.everything import fewer, more, things_of
from tests.chains.lists import full
from tests.chains.scene import Scene
from tests.killing import Killer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chains.everything import Things
    from tests.node import Pod
    from tests.plugins.runtime import Runtime

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def empty(pod: Pod) -> Things:
    return things_of(pod.netns)


@pytest.fixture
def scene(node: Runtime, pod: Pod, empty: Things) -> Scene:
    return Scene(node, pod)


@pytest.fixture
def killer(scene: Scene) -> Killer:
    return Killer(scene.node, scene.pod, full(scene.node))


def spread(points: list[str], number: int) -> list[str]:
    """Some of them, at equal distances."""
    return [points[at * len(points) // number] for at in range(number)]


def assert_nothing_is_left(scene: Scene, empty: Things, point: str) -> None:
    assert (scene.left(), scene.lost()) == ({}, {}), point
    inside = things_of(scene.pod.netns)
    assert (more(inside, empty), fewer(inside, empty)) == ({}, {}), point


def add_points(scene: Scene, killer: Killer, log: Path, number: int) -> list[str]:
    found = killer.points("ADD", log)
    scene.detach()
    return spread(found, number)


def test_after_a_killed_add_a_del_leaves_nothing(scene: Scene, killer: Killer, empty: Things, tmp_path: Path) -> None:
    points = add_points(scene, killer, tmp_path / "log", 40)
    killed = 0
    for point in points:
        killed += killer.kill("ADD", point)
        scene.detach()
        assert_nothing_is_left(scene, empty, point)
    assert killed > len(points) * 0.4  # a busy machine makes more calls the first time, as it waits


def test_after_a_killed_add_gc_leaves_nothing(scene: Scene, killer: Killer, empty: Things, tmp_path: Path) -> None:
    for point in add_points(scene, killer, tmp_path / "log", 21):
        killer.kill("ADD", point)
        scene.collect()
        assert_nothing_is_left(scene, empty, point)


def test_after_a_killed_add_the_next_one_works(scene: Scene, killer: Killer, empty: Things, tmp_path: Path) -> None:
    for point in add_points(scene, killer, tmp_path / "log", 11)[:-1]:
        if not killer.kill("ADD", point):
            scene.detach()
        scene.attach()
        scene.check()
        scene.detach()
        assert_nothing_is_left(scene, empty, point)


def test_after_a_killed_del_another_one_leaves_nothing(
    scene: Scene, killer: Killer, empty: Things, tmp_path: Path
) -> None:
    scene.attach()
    for point in spread(killer.points("DEL", tmp_path / "log"), 25):
        scene.attach()
        killer.kill("DEL", point)
        scene.detach()
        assert_nothing_is_left(scene, empty, point)
