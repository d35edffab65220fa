"""pytest on the host: tests marked `vm` run in a virtual machine, all of them in one, and are reported as if here.

The machine boots as the first test begins, and runs beside the others. What it reports comes after theirs; where
workers share the tests, it comes from the process that started them: the workers have no part in it.
"""

from __future__ import annotations

import os
import sys
import time
from ast import literal_eval
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from tests.vm.chosen import Test, failed, is_for_vm, read_tests, test_of, tests_of
from tests.vm.guest import CHOSEN, RECORDS, TIMEOUT
from tests.vm.machine import Machine
from tests.vm.way import Server
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

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._directory: TemporaryDirectory[str] | None = None
        self._of_workers: list[Test] = []
        self._run: Run | None = None
        self._failure = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in filter(is_for_vm, items):
            item.add_marker(pytest.mark.timeout(0), append=False)  # waiting for the machine is no hang
        items.sort(key=is_for_vm)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Let a worker of xdist know where it says which tests there are."""
        self._directory = self._directory or TemporaryDirectory(dir=os.environ.get("PYTEST_DEBUG_TEMPROOT"))
        node.workerinput[CHOSEN] = f"{self._directory.name}/{node.gateway.id}"

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any) -> None:
        """All workers have collected the same: the first to tell is taken at its word."""
        if not self._of_workers:
            self._of_workers = read_tests(Path(node.workerinput[CHOSEN]))
            self._start(self._of_workers)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Iterator[None]:
        if not self._config.option.collectonly:
            self._start(tests_of(session))
        result = yield
        session.testscollected += len(self._of_workers)
        for test in self._of_workers:
            self._report(test)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        if not is_for_vm(item):
            return None
        self._report(test_of(item))
        # As the last test that is run here would do: the directories that fixtures are in are about to go.
        if nextitem is None:
            item.session._setupstate.teardown_exact(None)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Before the directory of this test run is taken away."""
        if self._run:
            self._run.close()

    def pytest_unconfigure(self) -> None:
        if self._directory:
            self._directory.cleanup()

    def _start(self, tests: Sequence[Test]) -> None:
        try:
            self._run = Run(self._config, tests) if tests else None
        except VmkitMissing as error:
            self._failure = str(error)

    def _report(self, test: Test) -> None:
        hook = self._config.hook
        hook.pytest_runtest_logstart(nodeid=test.nodeid, location=test.location)
        for report in self._reports(test):
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=test.nodeid, location=test.location)

    def _reports(self, test: Test) -> Iterator[pytest.TestReport]:
        if self._run is None or self._failure:
            yield failed(test, f"there is no virtual machine: {self._failure.splitlines()[0]}")
            return
        try:
            for data in self._run.reports(test.nodeid):
                yield self._config.hook.pytest_report_from_serializable(config=self._config, data=data)
        except NoRecord as error:
            self._failure = f"{test.nodeid} did not run to its end: {error}"
            yield failed(test, self._failure)


class Worker:
    """A plugin that is registered in a worker of xdist: it keeps no test that is for the virtual machine."""

    def __init__(self, chosen: Path) -> None:
        self._chosen = chosen

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._chosen.write_text("".join(f"{tuple(test)!r}\n" for test in tests_of(session)))
        session.items[:] = [item for item in session.items if not is_for_vm(item)]


class Run:
    """The tests that run in the machine; qemu itself dies now and then at boot, and gets a second try."""

    def __init__(self, config: pytest.Config, tests: Sequence[Test]) -> None:
        self._config = config
        self._tests = tests
        self._started = False
        self._server = Server(directory_of(config)) if any(test.wants_server for test in tests) else None
        self._boot()

    def close(self) -> None:
        """Turn the machine off, and let go of the server."""
        self.machine.close()
        if self._server:
            self._server.close()

    def _boot(self) -> None:
        config = self._config
        files = dict.fromkeys(test.nodeid.partition("::")[0] for test in self._tests)
        options = ["-p", "no:cacheprovider", "-p", "pytest_timeout", f"--timeout={TIMEOUT}"]  # others take seconds
        options += [f"--verbosity={config.option.verbose}"]
        options += [f"--tb={config.option.tbstyle}", *(["--showlocals"] if config.option.showlocals else [])]
        self.machine = Machine(
            [sys.executable, "-m", "pytest", *options, f"--rootdir={config.rootpath}", *files],
            config.rootpath,
            {INSIDE: "1", "PYTEST_DEBUG_TEMPROOT": "/vm/tmp", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        )
        (self.machine.share / CHOSEN).write_text("".join(f"{test.nodeid}\n" for test in self._tests))
        self._records = (self.machine.share / RECORDS).open("a+")
        self._begun = ""
        if self._server:
            self._server.lead(self.machine.way)

    def reports(self, nodeid: str) -> Iterator[dict[str, Any]]:
        """What the machine wrote about a test, as it writes it; the tests come in the order that was chosen."""
        if not self._started and not self._begins():
            self.machine.close()
            self._boot()
        self._started = True
        while True:
            about, report = self._next()
            if about != nodeid:
                raise NoRecord(f"the machine ran {about} instead\n{self.machine.last_words()}")
            if report is None:
                return
            yield report

    def _begins(self) -> bool:
        """Whether the machine writes anything at all: waits until it does, or is over."""
        deadline = time.monotonic() + SILENCE
        reason = ""
        while not self._begun and not reason:
            reason = self._over(deadline)
            self._begun += self._records.readline()
            time.sleep(0.02)
        return bool(self._begun)

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


def directory_of(config: pytest.Config) -> Path:
    """The directory of this test run, which its workers have theirs in; xdist asks in the same way."""
    factory: pytest.TempPathFactory = config._tmp_path_factory  # type: ignore[attr-defined]
    return factory.getbasetemp()


def plugin(config: pytest.Config) -> object:
    """The one that is right here."""
    if os.environ.get(INSIDE):
        from tests.vm.guest import Guest

        return Guest(config)
    workerinput = getattr(config, "workerinput", None)
    return Host(config) if workerinput is None else Worker(Path(workerinput[CHOSEN]))
