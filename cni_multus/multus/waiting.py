"""Waiting for the file by which the primary CNI says that it is ready."""

from __future__ import annotations

import os
import time

from cni_multus.cni.errors import TryAgainLater

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.multus.settings import Settings

READINESS_WAIT = 45.0


def await_readiness(settings: Settings) -> None:
    """Until `readinessindicatorfile` is there; raises TryAgainLater where it does not come."""
    deadline = time.monotonic() + READINESS_WAIT
    while settings.readiness_file and not os.path.exists(settings.readiness_file):
        if time.monotonic() > deadline:
            raise TryAgainLater(
                f"readinessindicatorfile: {settings.readiness_file} did not appear within {READINESS_WAIT:g} s: "
                "the primary CNI is not ready"
            )
        time.sleep(0.1)
