"""pytest on the host: tests marked `vm` run in a virtual machine, all of them in one, and are reported as if here.

They come last. The machine boots when the first of them is due, and each is reported as soon as it has ended in there.
"""

from __future__ import annotations

import os
import sys
import time
from ast import literal_eval
from typing import TYPE_CHECKING, Any

import pytest

from tests.vm.guest import CHOSEN, RECORDS, TIMEOUT
from tests.vm.machine import Machine
from tools.vmkit import VmkitMissing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Record = tuple[str, dict[str, Any] | None]
"""A test's node ID, and one of its reports, or None where it has ended."""

INSIDE = "MULTUS_TESTS_INSIDE_VM"
"""The environment variable that says to pytest that this is the virtual machine."""

SILENCE = TIMEOUT + 60
"""Seconds without a record after which the machine is taken for dead."""


class NoRecord(Exception):
    """A test's record will not come; the message says why."""


class Host:
    """A plugin that is registered where the tests were started."""

    def __init__(self) -> None:
        self._run: Run | None = None
        self._failure = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in filter(is_for_vm, items):
            item.add_marker(pytest.mark.timeout(0), append=False)  # waiting for the machine is no hang
        items.sort(key=turn)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        if not is_for_vm(item):
            return None
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports(item):
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_unconfigure(self) -> None:
        if self._run:
            self._run.machine.close()

    def _reports(self, item: pytest.Item) -> Iterator[pytest.TestReport]:
        if not self._failure:
            try:
                self._run = self._run or started(item)
                for data in self._run.reports(item.nodeid):
                    yield item.config.hook.pytest_report_from_serializable(config=item.config, data=data)
                return
            except (NoRecord, VmkitMissing) as error:
                self._failure = f"{item.nodeid} did not run to its end: {error}"
                yield failed(item, self._failure)
        else:
            yield failed(item, f"there is no virtual machine any more: {self._failure.splitlines()[0]}")


class Run:
    """One boot, and the tests that run in it."""

    def __init__(self, config: pytest.Config, items: Sequence[pytest.Item]) -> None:
        files = dict.fromkeys(item.nodeid.partition("::")[0] for item in items)
        options = ["-p", "no:cacheprovider", "-p", "pytest_timeout", f"--timeout={TIMEOUT}"]  # others take seconds
        options += [f"--verbosity={config.option.verbose}"]
        options += [f"--tb={config.option.tbstyle}", *(["--showlocals"] if config.option.showlocals else [])]
        self.machine = Machine(
            [sys.executable, "-m", "pytest", *options, f"--rootdir={config.rootpath}", *files],
            config.rootpath,
            {INSIDE: "1", "PYTEST_DEBUG_TEMPROOT": "/vm/tmp", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        )
        (self.machine.share / CHOSEN).write_text("".join(f"{item.nodeid}\n" for item in items))
        self._records = (self.machine.share / RECORDS).open("a+")
        self._begun = ""

    def begins(self) -> bool:
        """Whether the machine writes anything at all: waits until it does, or is over."""
        deadline = time.monotonic() + SILENCE
        reason = ""
        while not self._begun and not reason:
            reason = self._over(deadline)
            self._begun += self._records.readline()
            time.sleep(0.02)
        return bool(self._begun)

    def reports(self, nodeid: str) -> Iterator[dict[str, Any]]:
        """What the machine wrote about a test, as it writes it; the tests come in the order of their items."""
        while True:
            about, report = self._next()
            if about != nodeid:
                raise NoRecord(f"the machine ran {about} instead\n{self.machine.last_words()}")
            if report is None:
                return
            yield report

    def _next(self) -> Record:
        deadline = time.monotonic() + SILENCE
        while True:
            reason = self._over(deadline)  # asked first: what was written before the end is there to be read
            if not self._begun.endswith("\n"):
                self._begun += self._records.readline()
            if self._begun.endswith("\n"):
                line, self._begun = self._begun, ""
                record: Record = literal_eval(line)
                return record
            if reason:
                raise NoRecord(f"{reason}\n{self.machine.last_words()}")
            time.sleep(0.02)

    def _over(self, deadline: float) -> str:
        if self.machine.status() is not None:
            return "pytest in the virtual machine has ended"
        if reason := self.machine.why_not():
            return f"the virtual machine: {reason}"
        return f"nothing was heard for {SILENCE} s" if time.monotonic() > deadline else ""


def started(item: pytest.Item) -> Run:
    """The run of all tests for the virtual machine; qemu itself dies now and then at boot, and gets a second try."""
    items = [each for each in item.session.items if is_for_vm(each)]
    run = Run(item.config, items)
    if not run.begins():
        run.machine.close()
        run = Run(item.config, items)
    return run


def turn(item: pytest.Item) -> int:
    """When a test is due: tests for the virtual machine come late, and those that look back at all others last."""
    return 2 if item.get_closest_marker("last") else int(is_for_vm(item))


def is_for_vm(item: pytest.Item) -> bool:
    """Is this a test for the virtual machine?"""
    return item.get_closest_marker("vm") is not None


def failed(item: pytest.Item, reason: str) -> pytest.TestReport:
    """The report of a test that could not run."""
    return pytest.TestReport(item.nodeid, item.location, {}, "failed", reason, "setup")


def plugin(config: pytest.Config) -> object:
    """The one that is right here."""
    if os.environ.get(INSIDE):
        from tests.vm.guest import Guest

        return Guest(config)
    return Host()
