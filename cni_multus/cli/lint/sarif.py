"""Findings as SARIF 2.1.0 (OASIS), which code hosts show beside the lines."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from cni_multus import VERSION
from cni_multus.cli.lint.rules import RULES

if TYPE_CHECKING:
    from cni_multus.cli.lint.findings import Finding

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def to_sarif(findings: list[Finding]) -> dict[str, object]:
    """The log of one run; every rule is described, whether it found something or not."""
    names = list(RULES)
    driver = {
        "name": "multus lint",
        "semanticVersion": VERSION,
        "rules": [
            {
                "id": name,
                "shortDescription": {"text": rule.about},
                "help": {"text": rule.mend},
                "defaultConfiguration": {"level": rule.level},
            }
            for name, rule in RULES.items()
        ],
    }
    results = [_result(each, names.index(each.rule)) for each in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(finding: Finding, at: int) -> dict[str, object]:
    place = {
        "artifactLocation": {"uri": quote(finding.file)},
        "region": {"startLine": finding.line, "startColumn": finding.column},
    }
    return {
        "ruleId": finding.rule,
        "ruleIndex": at,
        "level": finding.level,
        "message": {"text": f"{finding.message}: {finding.mend}" if finding.mend else finding.message},
        "locations": [{"physicalLocation": place}],
    }
