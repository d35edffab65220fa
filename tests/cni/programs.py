"""A plugin directory of real programs, each of which writes down what it was given."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

NOTE = """\
count=$(ls "$0".*.stdin 2>/dev/null | wc -l)
tr '\\0' '\\n' < /proc/$$/environ > "$0.$count.environment"
cat > "$0.$count.stdin"
echo "$CNI_COMMAND ${0##*/}" >> "${0%/*}/order"
"""


@dataclass
class Call:
    """One execution: its environment, and the JSON on its standard input."""

    environment: dict[str, str]
    stdin: dict[str, Any]


class PluginDirectory:
    """Programs that can be found in `path`."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path

    def write(self, kind: str, body: str, *, interpreter: str = "/bin/sh", mode: int = 0o755) -> str:
        """A program of our own making; returns its path."""
        program = self.path / kind
        program.write_text(f"#!{interpreter}\n{body}\n")
        program.chmod(mode)
        return str(program)

    def plugin(self, kind: str, result: object = None, *, then: str = "") -> str:
        """A plugin that writes the call down, does `then` (shell), and answers an ADD with `result`."""
        answer = json.dumps(result if result is not None else {})
        return self.write(kind, f"{NOTE}{then}\n[ $CNI_COMMAND != ADD ] || cat <<'EOF'\n{answer}\nEOF")

    def failing(self, kind: str, verb: str, error: object) -> str:
        """A plugin that fails at `verb` with this CNI error and does the rest."""
        text = json.dumps(error)
        return self.plugin(kind, then=f"[ $CNI_COMMAND != {verb} ] || {{ cat <<'EOF'\n{text}\nEOF\nexit 1; }}")

    @property
    def order(self) -> list[str]:
        """The verbs and plugins as they ran."""
        log = self.path / "order"
        return log.read_text().splitlines() if log.exists() else []

    def calls(self, kind: str) -> list[Call]:
        """What a plugin was given, in order."""
        calls = []
        for at in range(len(list(self.path.glob(f"{kind}.*.stdin")))):
            pairs = (self.path / f"{kind}.{at}.environment").read_text().splitlines()
            stdin = (self.path / f"{kind}.{at}.stdin").read_text()
            calls.append(Call(dict(pair.split("=", 1) for pair in pairs), json.loads(stdin)))
        return calls
