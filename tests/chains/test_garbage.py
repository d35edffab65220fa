"""GC over networks of all plugins, some of whose attachments are valid: those stay as they were, the others go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chains.everything import more
from tests.chains.scene import ListScene, Scene
from tests.chains.test_degraded import leave

if TYPE_CHECKING:
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod


@pytest.mark.parametrize("scenes", [Scene, ListScene], ids=["multus", "lists"])
def test_what_is_stale_goes_and_what_is_valid_stays(scenes: type[Scene], node: Runtime, make_pod: MakePod) -> None:
    all_of_them = [scenes(node, make_pod(f"pod-{number}"), number) for number in range(4)]
    valid, stale = all_of_them[::2], all_of_them[1::2]
    pods = [scene.pod for scene in valid]
    for scene in valid:
        scene.attach()
    first = valid[0]
    first.collect(*pods)
    first.before = first.now()
    for scene in stale:
        scene.attach()
        leave(scene)
    assert more(first.now(), first.before) != {}
    first.collect(*pods)
    assert (first.left(), first.lost()) == ({}, {})
    for scene in valid:
        scene.check()
    for scene in stale:
        scene.detach()
    assert (first.left(), first.lost()) == ({}, {})


def test_a_stale_pod_whose_namespace_is_there_is_detached(node: Runtime, make_pod: MakePod) -> None:
    """The journal tells the meta-plugin where it is."""
    valid, stale = (Scene(node, make_pod(f"pod-{number}"), number) for number in range(2))
    stale.attach()
    valid.attach()
    valid.collect(valid.pod)
    assert stale.pod.links() == {}
    valid.check()


@pytest.mark.parametrize("scenes", [Scene, ListScene], ids=["multus", "lists"])
def test_with_nobody_valid_nothing_is_left(scenes: type[Scene], node: Runtime, make_pod: MakePod) -> None:
    all_of_them = [scenes(node, make_pod(f"pod-{number}"), number) for number in range(3)]
    for scene in all_of_them:
        scene.attach()
    for scene in all_of_them:
        leave(scene)
    all_of_them[0].collect()
    assert (all_of_them[0].left(), all_of_them[0].lost()) == ({}, {})
