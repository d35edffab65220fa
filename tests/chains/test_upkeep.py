"""CHECK looks and does not touch, and a DEL that IPAM fails has done everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chains.everything import files_of, things_of
from tests.chains.scene import ListScene, Scene

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime


@pytest.mark.parametrize("scenes", [Scene, ListScene], ids=["multus", "lists"])
def test_check_changes_nothing(scenes: type[Scene], node: Runtime, pod: Pod) -> None:
    def everything() -> tuple[dict[str, str], ...]:
        return things_of(node.host.path), things_of(pod.netns), files_of(node.root)

    scene = scenes(node, pod)
    scene.attach()
    before = everything()
    scene.check()
    assert everything() == before
    node.shown.run("nft flush ruleset")
    before = everything()
    with pytest.raises(AssertionError, match="102"):
        scene.check()
    assert everything() == before


@pytest.mark.parametrize("kind", ["bridge", "ptp"])
def test_ipam_that_fails_a_delete_keeps_no_rules(kind: str, node: Runtime, pod: Pod) -> None:
    ipam = node.given("10.5.0.2/24", gateway="10.5.0.1")
    config = {"cniVersion": "1.1.0", "name": "net", "type": kind, "ipMasq": True, "macspoofchk": True, "ipam": ipam}
    result = node.add(config, pod)
    assert "pod-1" in node.shown.run("nft list ruleset")
    node.program("given", node.runtime_path, DEL={"status": 1, "stdout": '{"code": 42, "msg": "not now"}'})
    for _ in range(2):
        assert node.ask("DEL", config, pod, result).failed(42) == "not now"
        assert "pod-1" not in node.shown.run("nft list ruleset; ip link")
    node.given("10.5.0.2/24", gateway="10.5.0.1")
    node.delete(config, pod, result)
