"""All checks, in the order in which causes come before what follows from them."""

from __future__ import annotations

from cni_multus.cli.doctor import api, attachments, configuration, leaks, links, programs

CHECKS = (
    *configuration.CHECKS,
    *programs.CHECKS,
    *api.CHECKS,
    *links.CHECKS,
    *attachments.CHECKS,
    *leaks.CHECKS,
)
