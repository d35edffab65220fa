"""--fix: one finding mended, said before it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.output import GREEN, RED, YELLOW, one_line, paint
from cni_multus.cni.errors import CniError

if TYPE_CHECKING:
    from typing import TextIO

    from cni_multus.cli.doctor.finding import Finding


def mend(finding: Finding, *, dry: bool, stream: TextIO) -> None:
    """Do what is safe, if anything is; the finding then says whether it is mended."""
    if finding.fix is None:
        return
    if dry:
        stream.write(f"{paint('would fix', YELLOW, stream)} {finding.check}: {one_line(finding.fix.says)}\n")
        return
    stream.write(f"fix {finding.check}: {one_line(finding.fix.says)}\n")
    stream.flush()
    try:
        done = finding.fix.do()
    except (CniError, OSError) as error:
        finding.fixed = False
        stream.write(f"  {paint('failed', RED, stream)}: {one_line(str(error))}\n")
        return
    finding.fixed = True
    stream.write(f"  {paint('done', GREEN, stream)}{'' if done else ': nothing was left to do'}\n")
