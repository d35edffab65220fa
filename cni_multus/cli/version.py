"""`multus version`: which program this is, and what it speaks."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from cni_multus import VERSION
from cni_multus.cli.command import Command
from cni_multus.cni.versions import SUPPORTED

if TYPE_CHECKING:
    import argparse


class Version(Command):
    """Three lines: the program, CNI, the interpreter."""

    name = "version"
    summary = "print the versions of this program, of CNI and of the interpreter"

    def run(self, arguments: argparse.Namespace) -> int:
        print(f"multus {VERSION}")
        print(f"CNI {', '.join(SUPPORTED)}")
        print(f"Python {platform.python_version()}")
        return 0
