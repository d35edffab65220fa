"""Whether a run has all tests of a directory: only then can it be said what none of them showed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def asks_for_all(config: pytest.Config, directory: Path) -> bool:
    """Whether the command line leaves out no test below a directory."""
    option = config.option
    chosen = (option.keyword, option.markexpr, option.deselect, option.ignore, option.ignore_glob)
    if any(chosen) or option.collectonly or getattr(option, "lf", False) or getattr(option, "stepwise", False):
        return False
    return any(directory.is_relative_to(config.invocation_params.dir / argument) for argument in config.args)
