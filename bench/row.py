"""One line of the table: what was measured on both sides, and the budget that it is held against."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from bench.measure import Samples
    from bench.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Row:
    """`budget` bounds the ratio of the medians of the measures `judged`, or ours itself if it is `absolute`."""

    what: str
    ours: Samples
    reference: Samples = field(default_factory=dict)
    budget: float | None = None
    judged: tuple[str, ...] = ("cpu", "wall")
    absolute: bool = False

    def figures(self) -> dict[str, float]:
        """What a budget is held against, by measure."""
        if self.absolute:
            return {measure: median(values) for measure, values in self.ours.items()}
        return {
            measure: median(values) / median(self.reference[measure])
            for measure, values in self.ours.items()
            if measure in self.reference
        }

    def over(self) -> list[str]:
        """The measures that are over budget."""
        if self.budget is None:
            return []
        figures = self.figures()
        return [measure for measure in self.judged if figures[measure] > self.budget]

    def to_json(self) -> dict[str, Any]:
        """Everything: samples, medians and what follows from them."""
        sides = {"ours": self.ours, "reference": self.reference}
        return {
            "what": self.what,
            "samples": sides,
            "medians": {
                side: {measure: median(values) for measure, values in measured.items()}
                for side, measured in sides.items()
            },
            "figures": self.figures(),
            "budget": self.budget,
            "absolute": self.absolute,
            "judged": list(self.judged) if self.budget is not None else [],
            "over": self.over(),
        }


@dataclass(frozen=True, slots=True)
class Bench:
    """What rows measure with: both sides, the frozen program that does nothing, and how often."""

    ours: Runtime
    reference: Runtime
    baseline: Path
    runs: int
    warmups: int = 3
    quick: bool = False
    """Whether what takes minutes to prepare is left out."""
