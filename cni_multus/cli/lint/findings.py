"""What lint has to say: a finding, and the collector that gives each the place at which its value stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cli.lint.rules import RULES

if TYPE_CHECKING:
    from cni_multus.cli.lint.tree import Steps, Tree

ERROR, WARNING, NOTE = LEVELS = ("error", "warning", "note")


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong, or worth a look; `line` and `column` count from 1, in characters."""

    file: str
    line: int
    column: int
    rule: str
    level: str
    message: str
    mend: str


class Report:
    """Collects findings; of one rule at one place the first is kept."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, int, str, str], Finding] = {}
        self._wrong: set[tuple[str, int, int]] = set()

    def add(self, rule: str, tree: Tree, steps: Steps, message: str, *, mend: str = "", key: bool = False) -> None:
        """Note it of the value that `steps` lead to from `tree`, or of its key; the rule says how bad it is."""
        line, column = tree.spot(steps, key=key)
        self.add_at(rule, tree.text.file, (line, column), message, mend=mend)

    def add_at(self, rule: str, file: str, place: tuple[int, int], message: str, *, mend: str = "") -> None:
        """The same of a place that is known already."""
        told = RULES[rule]
        level = told.level
        finding = Finding(file, *place, rule, level, " ".join(message.split()), mend or told.mend)
        self._found.setdefault((file, *place, rule, finding.message), finding)
        if level == ERROR:
            self._wrong.add((file, *place))

    def is_wrong(self, tree: Tree, steps: Steps) -> bool:
        """Whether there is an error at that very value already."""
        return (tree.text.file, *tree.spot(steps)) in self._wrong

    def findings(self) -> list[Finding]:
        """All of them, by file and place."""
        return sorted(self._found.values())
