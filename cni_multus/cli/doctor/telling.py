"""Findings for people: the cause in a line of its own, and below it what shows it, what it breaks, how to mend it."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

from cni_multus.cli.doctor.finding import CRITICAL, ERROR, WARNING
from cni_multus.cli.output import BOLD, FAINT, GREEN, RED, YELLOW, one_line, paint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from cni_multus.cli.doctor.finding import Examined, Finding

_COLOURS = {CRITICAL: RED, ERROR: RED, WARNING: YELLOW}
_MARGIN = 10
_FEW = 3
_MOST = 10
"""Findings of one check that are shown."""
_NARROWEST = 40


def tell(findings: Sequence[Finding], examined: Sequence[Examined], stream: TextIO, *, wide: bool) -> None:
    """Write it; `wide` shows all evidence, and what is in order."""
    width = max(_NARROWEST, shutil.get_terminal_size().columns) if stream.isatty() else 0
    count: dict[str, int] = {}
    for finding in findings:
        count[finding.check] = count.get(finding.check, 0) + 1
        if wide or count[finding.check] <= _MOST:
            _tell(finding, stream, width, wide=wide)
    for check, found in count.items():
        if found > _MOST and not wide:
            stream.write(f"{found - _MOST} more of {check} (-o wide)\n")
    looked = [each for each in examined if not each.trouble]
    fine = [each for each in looked if not each.findings]
    if not findings:
        stream.write(f"{paint('nothing is wrong', GREEN, stream)}: {len(looked)} checks of {len(examined)}\n")
    elif len(examined) > len(findings):
        stream.write(f"{len(fine)} of {len(examined)} checks are in order\n")
    if wide:
        for each in examined:
            state = "not looked at" if each.trouble else "FOUND" if each.findings else "in order"
            stream.write(f"  {each.check.id:22} {state:14} {each.check.title}\n")


def _tell(finding: Finding, stream: TextIO, width: int, *, wide: bool) -> None:
    head = f"{finding.severity} {finding.check}: "
    rest = _wrapped(head + one_line(finding.what), width, "  ")[len(head) :]
    mended = f" {paint('(mended)', GREEN, stream)}" if finding.fixed else ""
    stream.write(
        f"{paint(finding.severity, _COLOURS[finding.severity], stream)} {paint(finding.check, BOLD, stream)}: "
    )
    stream.write(f"{rest}{mended}\n")
    shown = finding.evidence if wide else finding.evidence[:_FEW]
    more = len(finding.evidence) - len(shown)
    lines = [*(("seen", each) for each in shown), *([("", f"and {more} more (-o wide)")] if more else [])]
    for title, text in (*lines, ("breaks", finding.breaks), ("mend", finding.mend)):
        whole = _wrapped(f"{title:>{_MARGIN - 2}}  {one_line(text)}", width, " " * _MARGIN)
        stream.write(paint(whole[:_MARGIN], FAINT, stream) + whole[_MARGIN:] + "\n")


def _wrapped(text: str, width: int, indent: str) -> str:
    if not width or len(text) <= width:
        return text
    return "\n".join(
        textwrap.wrap(text, width, subsequent_indent=indent, drop_whitespace=True, replace_whitespace=False)
    )
