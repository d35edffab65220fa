"""Nothing is wrong on a healthy node, and nothing is said to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE

if TYPE_CHECKING:
    from tests.cli.doctor.conftest import Ward


def test_a_node_without_a_pod(node: Ward) -> None:
    ended = node.doctor()
    assert (ended.status, ended.stderr) == (DONE, ""), ended.stdout + ended.stderr
    assert ended.stdout.startswith("nothing is wrong")


def test_a_node_with_pods(ill: Ward) -> None:
    ended = ill.doctor("-o", "wide")
    assert (ended.status, ended.stderr) == (DONE, ""), ended.stdout + ended.stderr
    assert "FOUND" not in ended.stdout
    assert "not looked at" not in ended.stdout
