"""The node as a picture: in SVG, as mermaid, or as lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.inspect.scene import scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cni_multus.cli.inspect.gather import Node
    from cni_multus.cli.inspect.sandbox import Sandbox

SVG, MERMAID, TEXT = FORMS = ("svg", "mermaid", "text")


def draw(form: str, node: Node, sandboxes: Sequence[Sandbox]) -> str:
    """The picture, in one of the forms."""
    drawn = scene(node, sandboxes)
    if form == SVG:
        from cni_multus.cli.inspect.picture import picture

        return picture(drawn)
    from cni_multus.cli.inspect.sketch import mermaid, tree

    return mermaid(drawn) if form == MERMAID else tree(drawn)
