"""What an illness of a node is, and how it is made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.cli.inspect.conftest import shell

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.doctor.conftest import Ward


@dataclass(frozen=True)
class Illness:
    """What is done to the node, the check that must find it, and words that its first line must have."""

    spoil: Callable[[Ward], object]
    check: str
    words: tuple[str, ...]


def on_the_node(node: Ward, command: str) -> str:
    return shell(node.host.path, command)


def reconfigure(node: Ward, **changed: Any) -> None:
    """As an operator edits a file that nobody generated."""
    document = json.loads(node.own.read_text())
    document.pop("multus.io/generated", None)
    document["plugins"][0].update(changed)
    node.own.write_text(json.dumps(document))


def rewrite(node: Ward, name: str, **changed: Any) -> None:
    node.define(name, node.red(name=name, **changed))
