"""The node as a picture: in SVG, as mermaid, or as lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cni_multus.cli.inspect.gather import Node
    from cni_multus.cli.inspect.sandbox import Sandbox


def draw(form: str, node: Node, sandboxes: Sequence[Sandbox]) -> str:
    """The picture, in one of the forms svg, mermaid and text."""
    raise NotImplementedError
