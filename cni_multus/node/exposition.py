"""Numbers as Prometheus reads them: its text format, version 0.0.4."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def metric(name: str, kind: str, text: str, samples: Sequence[tuple[Mapping[str, str], float]]) -> str:
    """A metric: `kind` is gauge or counter, `text` a line without a newline, each sample its labels and its value."""
    head = f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
    return head + "".join(f"{name}{_labels(labels)} {value:.12g}\n" for labels, value in samples)


def _labels(labels: Mapping[str, str]) -> str:
    def quoted(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    inside = ",".join(f'{key}="{quoted(value)}"' for key, value in labels.items())
    return f"{{{inside}}}" if inside else ""
