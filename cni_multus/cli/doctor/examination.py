"""The checks, one after another: none stops the others, and none lasts longer than its time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from cni_multus.cli.doctor.finding import SEVERITIES, Examined
from cni_multus.cni.errors import CniError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cni_multus.cli.doctor.finding import Check, Finding
    from cni_multus.cli.doctor.patient import Patient

PATIENCE = 20.0
"""Seconds for one check: what hangs (a dead file system) is left behind."""
_LEAST = 0.5

_MESS = (CniError, OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""How a check may fail on what it finds; the last ones are our own defects, which must not hide the other checks."""


def examine(patient: Patient, checks: Sequence[Check], patience: float = PATIENCE) -> Iterator[Examined]:
    """Make each check, in a thread that nobody waits for too long."""
    for check in checks:
        examined = Examined(check)
        thread = threading.Thread(target=_look, args=(patient, examined), daemon=True)
        thread.start()
        waited = patience
        thread.join(waited)
        if thread.is_alive():
            patience = max(_LEAST, patience / 4)  # what it hangs in, others may wait for as well
            yield Examined(check, list(examined.findings), f"it has not ended after {waited:g} s")
        else:
            yield examined


def ordered(examined: Sequence[Examined]) -> list[Finding]:
    """The most severe first; of one severity, causes before what follows from them, as the checks are listed."""
    found = [finding for each in examined for finding in each.findings]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def _look(patient: Patient, examined: Examined) -> None:
    try:
        for finding in examined.check.look(patient):
            finding.check = examined.check.id
            examined.findings.append(finding)
    except _MESS as error:
        examined.trouble = _why(error)


def _why(error: BaseException) -> str:
    if isinstance(error, CniError):
        return f"{error.message} ({error.details})" if error.details else error.message
    if isinstance(error, OSError):
        return f"{error.filename or 'the system'}: {error.strerror or error}"
    return f"{type(error).__name__}: {error}"
