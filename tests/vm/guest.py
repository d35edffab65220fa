"""pytest inside the virtual machine: runs the tests that the host chose, and writes down how each of them goes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.vm.initrd import INSIDE

if TYPE_CHECKING:
    from tests.vm.host import Record

CHOSEN, RECORDS = "chosen", "records"
"""What the files in the share are called: one node ID a line, one record a line."""

TIMEOUT = 360
"""Seconds for a test that does not say otherwise: Python is fifteen times slower in there."""

SHARE = Path(INSIDE) / "share"


class Guest:
    """A plugin that is registered where the environment says that this is the virtual machine."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._records = (SHARE / RECORDS).open("a")

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        places = {name: place for place, name in enumerate((SHARE / CHOSEN).read_text().splitlines())}
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in places])
        items[:] = sorted((item for item in items if item.nodeid in places), key=lambda item: places[item.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._write((report.nodeid, data))

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._write((nodeid, None))

    def pytest_unconfigure(self) -> None:
        self._records.close()

    def _write(self, record: Record) -> None:
        self._records.write(f"{record!r}\n")
        self._records.flush()
