"""Every plugin in lists of one pod: attached, as each of them says, and detached without a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chains.everything import fewer, files_of, more, things_of
from tests.chains.lists import full

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime


def test_a_pod_with_everything_leaves_no_trace(node: Runtime, pod: Pod) -> None:
    node.call("ADD", full(node), pod).succeeded()
    node.call("DEL", full(node), pod).succeeded()
    before = things_of(node.host.path), things_of(pod.netns), files_of(node.root)
    node.call("ADD", full(node), pod).succeeded()
    node.call("CHECK", full(node), pod).succeeded()
    node.call("DEL", full(node), pod).succeeded()
    after = things_of(node.host.path), things_of(pod.netns), files_of(node.root)
    for now, then in zip(after, before, strict=True):
        assert (more(now, then), fewer(now, then)) == ({}, {})
