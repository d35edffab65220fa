"""All checks, in the order in which causes come before what follows from them."""

from __future__ import annotations

from cni_multus.cli.doctor import (
    api,
    attachments,
    configuration,
    denials,
    kernel,
    leaks,
    links,
    linted,
    places,
    programs,
)

CHECKS = (
    *configuration.CHECKS,
    *programs.CHECKS,
    *places.CHECKS,
    *kernel.CHECKS,
    *api.CHECKS,
    *links.CHECKS,
    *denials.CHECKS,
    *attachments.CHECKS,
    *leaks.CHECKS,
    *linted.CHECKS,
)
