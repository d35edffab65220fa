"""What a check finds: the cause, what shows it, what it breaks, and how to mend it; and what a check is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cni_multus.cli.doctor.patient import Patient

CRITICAL, ERROR, WARNING = SEVERITIES = ("critical", "error", "warning")
"""No pod of the node gets, or loses, its networks; some do not; nothing suffers yet."""


@dataclass(frozen=True)
class Mending:
    """What --fix does: said first, then done; `do` tells whether anything was left to do."""

    says: str
    do: Callable[[], bool]


@dataclass
class Finding:
    """One cause; `evidence` has what was seen, a line each, and commands that show it."""

    severity: str
    what: str
    evidence: list[str]
    breaks: str
    mend: str
    fix: Mending | None = None
    check: str = ""
    fixed: bool | None = None
    """Whether --fix mended it; None where that was not tried."""

    def to_json(self) -> dict[str, object]:
        """All of it."""
        return {
            "check": self.check,
            "severity": self.severity,
            "finding": self.what,
            "evidence": self.evidence,
            "breaks": self.breaks,
            "mend": self.mend,
            "fix": self.fix.says if self.fix else None,
            **({} if self.fixed is None else {"fixed": self.fixed}),
        }


@dataclass(frozen=True)
class Check:
    """`id` is for --only, `title` says what is looked at."""

    id: str
    title: str
    look: Callable[[Patient], Iterable[Finding]]


@dataclass
class Examined:
    """What came of a check; `trouble` is why it could not look, or not at everything."""

    check: Check
    findings: list[Finding] = field(default_factory=list)
    trouble: str = ""

    def to_json(self) -> dict[str, object]:
        """What --list and -o json tell of it."""
        state = "not looked at" if self.trouble else "found" if self.findings else "in order"
        document: dict[str, object] = {"id": self.check.id, "title": self.check.title, "state": state}
        return {**document, "trouble": self.trouble} if self.trouble else document
