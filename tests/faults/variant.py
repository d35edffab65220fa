"""The built program with other modules in it: those of the working tree, some lines of them replaced."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tools.build import PROGRAM, ROOT
from tools.modules import NAME, PACKAGES, pack

if TYPE_CHECKING:
    from collections.abc import Mapping


def make_variant(target: Path, replacements: Mapping[str, tuple[str, str]] | None = None) -> Path:
    """Make the directory `target`, and return the program in it; each replacement must find its text once."""
    shutil.copytree(PROGRAM.parent, target, symlinks=True)
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory)
        for package in PACKAGES:
            shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
        for name, (old, new) in (replacements or {}).items():
            text = (tree / name).read_text()
            if text.count(old) != 1:
                raise ValueError(f"{name}: {text.count(old)} times, not once: {old}")
            (tree / name).write_text(text.replace(old, new))
        pack(tree, target / "_internal" / NAME)
    return target / PROGRAM.name
