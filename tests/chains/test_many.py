"""Several pods at once, each with all networks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.chains.scene import ListScene, Scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

PODS = 8


def at_once(work: list[Callable[[], object]]) -> None:
    """All of them side by side; the first failure is raised."""
    with ThreadPoolExecutor(len(work)) as threads:
        for done in [threads.submit(each) for each in work]:
            done.result()


@pytest.mark.parametrize("scenes", [Scene, ListScene], ids=["multus", "lists"])
def test_pods_come_and_go_at_once(scenes: type[Scene], node: Runtime, make_pod: MakePod) -> None:
    first, *others = [scenes(node, make_pod(f"pod-{number}"), number) for number in range(PODS)]
    for _ in range(2):
        first.attach()
        at_once([scene.attach for scene in others])
        first.check()
        at_once([scene.check for scene in others])
        at_once([scene.detach for scene in (first, *others)])
        assert first.left() == {}


def test_processes_come_and_go_at_once(node: Runtime, make_pod: MakePod) -> None:
    scenes = [Scene(node, make_pod(f"pod-{number}"), number) for number in range(PODS)]
    scenes[0].before = scenes[0].now()
    node.command("multus")  # not by several at once

    def process(verb: str, scene: Scene) -> Callable[[], object]:
        config = {**scene.config, "type": "multus"}
        return lambda: node.process(verb, config, scene.pod).succeeded()

    for verb in ("ADD", "CHECK", "DEL"):
        at_once([process(verb, scene) for scene in scenes])
    assert (scenes[0].left(), scenes[0].lost()) == ({}, {})


def test_pods_come_while_others_go(node: Runtime, make_pod: MakePod) -> None:
    scenes = [Scene(node, make_pod(f"pod-{number}"), number) for number in range(PODS)]
    coming, going = scenes[::2], scenes[1::2]
    at_once([scene.attach for scene in going])
    at_once([*(scene.attach for scene in coming), *(scene.detach for scene in going)])
    at_once([scene.check for scene in coming])
    at_once([scene.detach for scene in coming])
    assert scenes[0].left() == {}
