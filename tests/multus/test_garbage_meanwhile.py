"""GC while a pod is being attached: what the pod gets meanwhile is its own, though nobody knew of it before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.load.turns import await_that
from tests.multus.test_garbage import collect, three

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node
    from tests.pods import MakePod


def test_a_pod_that_comes_in_the_middle_of_a_sweep_keeps_its_addresses(
    node: Node, make_pod: MakePod, tmp_path: Path
) -> None:
    old, new = make_pod("pod-1"), make_pod("pod-2")
    node.call("ADD", three(node), old).succeeded()
    let_go = tmp_path / "go"
    held = {**node.program("held", GC={"until": str(let_go)}), "cniVersion": "1.1.0"}
    config = three(node)
    config["delegates"].insert(0, held)
    with ThreadPoolExecutor(2) as together:
        collecting = together.submit(collect, node, config, old, new)
        await_that(lambda: bool(node.calls("GC")))
        adding = together.submit(node.call, "ADD", three(node), new)
        await_that(lambda: node.record_file(new).exists() and node.record_file(new).stat().st_size > 0)
        assert len(node.reserved("primary")) == 1
        let_go.touch()
        collecting.result().succeeded()
        adding.result().succeeded()
    for pod in (old, new):
        node.call("CHECK", three(node), pod).succeeded()
        node.call("DEL", three(node), pod).succeeded()
    assert node.remains(old, new) == {}
