"""What `multus node watch` says on standard error: a line each, as text, or as an object like those of the plugin."""

from __future__ import annotations

import sys
import time

from cni_multus.cli.output import one_line
from cni_multus.cni.document import print_compact

_WARNING = "warning: "


class Voice:
    """Called with what is to be said."""

    def __init__(self, name: str, *, as_json: bool) -> None:
        self._name = name
        self._as_json = as_json

    def __call__(self, text: str) -> None:
        """One line, with the time."""
        sys.stderr.write(self._line(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), text))
        sys.stderr.flush()

    def _line(self, stamp: str, text: str) -> str:
        if not self._as_json:
            return f"{stamp} {self._name}: {one_line(text)}\n"
        level = "error" if text.startswith(_WARNING) else "info"
        said = {"time": stamp, "level": level, "program": self._name, "message": text.removeprefix(_WARNING)}
        return print_compact(said).decode() + "\n"
