"""What an operator's command is; each has a module of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


class Command:
    """A command of `multus`: `name` is what is typed, `summary` what --help says of it."""

    name = ""
    summary = ""

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Say which arguments it takes; none unless it says so."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; the exit status."""
        raise NotImplementedError
