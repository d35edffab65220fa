"""Running programs: what they inherit, how they may end, and that nothing of them is left."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import DelegateFailure, TryAgainLater
from cni_multus.program import LARGEST_OUTPUT, Outcome, foreign_environment, run
from tests.cni.programs import PluginDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


@pytest.fixture
def directory(tmp_path: Path) -> PluginDirectory:
    return PluginDirectory(tmp_path / "bin")


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Every test: as many descriptors as before, and no child, dead or alive."""
    before = descriptors()
    yield
    assert descriptors() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def descriptors() -> set[str]:
    return {name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")}


def outcome(program: str, stdin: bytes = b"", timeout: float = 20.0, **environment: str) -> Outcome:
    return run(program, {**ENVIRONMENT, **environment}, stdin, timeout)


def is_alive(pid: int) -> bool:
    """Whether a process exists and is no zombie that its new parent has yet to collect."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_alive(pid)


def test_input_and_both_outputs_pass_through(directory: PluginDirectory) -> None:
    program = directory.write("echo", "cat; echo complaint >&2; exit 3")
    ended = outcome(program, b"words")
    assert (ended.status, ended.stdout, ended.stderr) == (3, b"words", b"complaint\n")


def test_input_and_output_larger_than_the_pipes_pass_through(directory: PluginDirectory) -> None:
    words = os.urandom(3 << 20)
    assert outcome(directory.write("echo", "exec cat"), words).stdout == words


def test_output_before_input_does_not_deadlock(directory: PluginDirectory) -> None:
    program = directory.write("eager", "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2; cat | wc -c")
    ended = outcome(program, b"x" * 1_000_000)
    assert ended.stdout.endswith(b"1000000\n")
    assert len(ended.stderr) == 1_000_000


@pytest.mark.parametrize("body", ["exit 0", "exec <&-; exit 0", "head -c 1 > /dev/null", "exec <&-; sleep 0.2"])
def test_input_that_is_not_read_is_no_failure(directory: PluginDirectory, body: str) -> None:
    assert outcome(directory.write("deaf", body), b"x" * (4 << 20)).status == 0


def test_nothing_to_say_is_an_end_of_file(directory: PluginDirectory) -> None:
    assert outcome(directory.write("count", "wc -c")).stdout == b"0\n"


def test_the_environment_is_what_was_given_and_nothing_more(directory: PluginDirectory) -> None:
    program = directory.write("show", "tr '\\0' '\\n' < /proc/$$/environ")
    assert outcome(program, CNI_COMMAND="ADD").stdout == b"PATH=/usr/sbin:/usr/bin:/sbin:/bin\nCNI_COMMAND=ADD\n"


def test_it_gets_its_arguments(directory: PluginDirectory) -> None:
    echo = directory.write("echo", 'printf "%s|" "$@"')
    assert run(echo, ENVIRONMENT, b"", 20.0, ("one", "two words", "")).stdout == b"one|two words||"


def test_nothing_of_ours_is_inherited_but_the_three_streams(directory: PluginDirectory) -> None:
    foreign = {name for name in descriptors() if os.get_inheritable(int(name))}  # what whoever started us left open
    with open("/dev/null", "rb"):
        show = "import os\nprint(*os.listdir('/proc/self/fd'))"
        listed = outcome(directory.write("show", show, interpreter=f"{sys.executable} -S")).stdout
    assert set(listed.decode().split()) - foreign <= {"0", "1", "2", "3"}  # 3 is the directory itself


def test_signals_are_as_a_program_expects_them(directory: PluginDirectory) -> None:
    """Python ignores SIGPIPE, and what is ignored stays so across exec."""
    shown = outcome(directory.write("show", "grep SigIgn /proc/self/status")).stdout.split()
    assert int(shown[1], 16) & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1) == 0


def test_a_program_leads_a_session_of_its_own(directory: PluginDirectory) -> None:
    """So that it can be killed with all its children, and a terminal's Ctrl-C leaves it alone."""
    shown = outcome(directory.write("show", "cut -d' ' -f1,6 /proc/$$/stat")).stdout.split()
    assert shown[0] == shown[1]


# How it can fail to start.


@pytest.mark.parametrize(
    ("body", "mode", "why"),
    [
        pytest.param("#!/bin/sh\n", 0o644, "Permission denied", id="not executable"),
        pytest.param("#!/no/such/interpreter\n", 0o755, "interpreter .* is missing", id="no interpreter"),
        pytest.param("echo hello\n", 0o755, "Exec format error", id="no interpreter line"),
        pytest.param("", 0o755, "Exec format error", id="empty"),
        pytest.param("\x7fELF garbage", 0o755, "Exec format error", id="half a binary"),
    ],
)
def test_what_cannot_be_run_is_told(tmp_path: Path, body: str, mode: int, why: str) -> None:
    program = tmp_path / "broken"
    program.write_text(body)
    program.chmod(mode)
    with pytest.raises(DelegateFailure, match=rf"^cannot run {program}: .*{why}"):
        outcome(str(program))


@pytest.mark.parametrize(
    ("path", "why"),
    [("/nowhere/bridge", "No such file"), ("/tmp", "Permission denied"), ("/dev/null", "Permission denied")],
)
def test_what_is_no_program_is_told(path: str, why: str) -> None:
    with pytest.raises(DelegateFailure, match=f"^cannot run {path}: {why}"):
        outcome(path)


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_an_environment_that_cannot_be_passed_is_told(directory: PluginDirectory, value: str) -> None:
    program = directory.write("fine", "exit 0")
    with pytest.raises(DelegateFailure, match=r"^cannot run .*fine: "):
        outcome(program, CNI_ARGS=value)


def test_a_program_that_is_just_being_written_is_waited_for(directory: PluginDirectory) -> None:
    program = directory.write("busy", "echo ran")
    writer = os.open(program, os.O_WRONLY)
    Timer(0.3, os.close, [writer]).start()
    started = time.monotonic()
    assert outcome(program).stdout == b"ran\n"
    assert time.monotonic() - started > 0.25


# How it can end.


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_death_by_signal_is_a_negative_status(directory: PluginDirectory, number: int) -> None:
    assert outcome(directory.write("dying", f"kill -{number} $$")).status == -number


HANGING = """\
sleep 300 & echo $! > {pids}
(sleep 300 & echo $! >> {pids}; sleep 300) & echo $! >> {pids}
trap '' TERM
echo $$ >> {pids}
{then}
wait
"""


@pytest.mark.parametrize("then", ["", "exec >&- 2>&- <&-", "while :; do echo .; sleep 0.01; done", "cat >/dev/null"])
def test_what_hangs_is_killed_with_all_its_children(directory: PluginDirectory, tmp_path: Path, then: str) -> None:
    pids = tmp_path / "pids"
    program = directory.write("hanging", HANGING.format(pids=pids, then=then))
    started = time.monotonic()
    with pytest.raises(TryAgainLater, match=r"hanging did not end within 2\.5 s and was killed"):
        outcome(program, timeout=2.5)
    assert time.monotonic() - started < 60
    family = [int(line) for line in pids.read_text().split()]
    assert len(family) == 4
    assert all(gone(pid) for pid in family)


def test_what_never_stops_printing_is_killed_in_time_too(directory: PluginDirectory) -> None:
    slow = "import os, time\nwhile True:\n    os.write(1, b'x')\n    os.write(2, b'x')"
    program = directory.write("babbling", slow, interpreter=sys.executable)
    started = time.monotonic()
    with pytest.raises(TryAgainLater, match="did not end"):
        outcome(program, timeout=0.8)
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("to", ["", ">&2"])
def test_what_prints_without_bound_is_killed(directory: PluginDirectory, to: str) -> None:
    program = directory.write("flooding", f"yes {to}")
    with pytest.raises(DelegateFailure, match="printed more than 16 MiB and was killed"):
        outcome(program)


def test_as_much_as_is_allowed_may_be_printed(directory: PluginDirectory) -> None:
    program = directory.write("large", f"head -c {LARGEST_OUTPUT} /dev/zero")
    assert len(outcome(program).stdout) == LARGEST_OUTPUT


def test_a_daemon_that_keeps_the_output_open_is_not_waited_for(directory: PluginDirectory, tmp_path: Path) -> None:
    program = directory.write("parent", f"setsid sleep 300 & echo $! > {tmp_path}/pid; echo answer")
    started = time.monotonic()
    ended = outcome(program)
    daemon = int((tmp_path / "pid").read_text())
    try:
        assert (ended.status, ended.stdout) == (0, b"answer\n")
        assert time.monotonic() - started < 60
        assert is_alive(daemon)
    finally:
        os.kill(daemon, signal.SIGKILL)


def test_two_hundred_runs_leave_no_descriptor(directory: PluginDirectory) -> None:
    fine, failing = directory.write("fine", "exit 0"), directory.write("failing", "exit 1")
    missing = str(directory.path / "missing")
    for _ in range(100):
        assert outcome(fine).status == 0
        assert outcome(failing, b"x").status == 1
        with pytest.raises(DelegateFailure):
            outcome(missing)


@pytest.mark.parametrize("spare", range(7))
def test_a_shortage_of_descriptors_is_told_and_leaves_none(directory: PluginDirectory, spare: int) -> None:
    """Three pipes and the process: whichever of them cannot be had, the others are closed again."""
    program = directory.write("fine", "sleep 300")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + spare, hard))
    try:
        with pytest.raises(DelegateFailure, match=rf"^cannot run {program}: Too many open files$"):
            outcome(program)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_programs_run_side_by_side(directory: PluginDirectory) -> None:
    program = directory.write("echo", "sleep 2; exec cat")
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda at: outcome(program, b"%d" % at * 100_000).stdout, range(8)))
    assert answers == [b"%d" % at * 100_000 for at in range(8)]
    assert time.monotonic() - started < 12


# What it may see of our own environment.


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param({"PATH": "/bin", "HOME": "/root"}, {"PATH": "/bin", "HOME": "/root"}, id="the runtime's"),
        pytest.param({"LD_LIBRARY_PATH": "/opt/multus/_internal"}, {}, id="our libraries"),
        pytest.param(
            {"LD_LIBRARY_PATH": "/opt/multus/_internal", "LD_LIBRARY_PATH_ORIG": "/usr/local/lib"},
            {"LD_LIBRARY_PATH": "/usr/local/lib"},
            id="the libraries that the runtime meant",
        ),
        pytest.param({"LD_LIBRARY_PATH": "/x", "LD_LIBRARY_PATH_ORIG": ""}, {}, id="none meant"),
        pytest.param({"_PYI_ARCHIVE_FILE": "x", "_PYI_SPLASH_IPC": "0", "_MEIPASS2": "x"}, {}, id="the loader's"),
        pytest.param({"CNI_COMMAND": "ADD", "CNI_X": "y", "CNI": "z"}, {"CNI": "z"}, id="another call's"),
    ],
)
def test_a_program_sees_nothing_of_our_bundle(ours: dict[str, str], theirs: dict[str, str]) -> None:
    assert foreign_environment(ours) == theirs
