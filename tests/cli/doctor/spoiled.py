"""Ways in which a node is broken, each made for real on one that was in order, and what the doctor must say first."""

from __future__ import annotations

from tests.cli.doctor.illnesses import api, attachments, configuration, programs

ILLNESSES = {**configuration.ILLNESSES, **programs.ILLNESSES, **attachments.ILLNESSES, **api.ILLNESSES}
