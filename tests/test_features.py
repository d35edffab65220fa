"""The table of features: whole, true of the files, and proved by the run that says so."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.features import DOCUMENT, NEVER, NOT_YET, ROWS, Feature, count, document, features
from tests.named import TESTS, is_there
from tests.proved import Proof

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

TWO = "tests/b.py::test_two"
TABLE = [
    Feature(1, "one", ("a.py::test_one", "b.py::test_two"), ""),
    Feature(2, "two", ("b.py::test_two",), ""),
    Feature(3, "three", (), f"{NOT_YET}there is no time"),
]


def test_every_feature_is_there_once() -> None:
    assert [row.number for row in features()] == list(range(1, ROWS + 1))
    assert all(row.what for row in features())


@pytest.mark.parametrize("row", features(), ids=lambda row: f"{row.number} {row.what}")
def test_a_feature_is_proved_or_it_is_said_why_not(row: Feature) -> None:
    assert [test for test in row.tests if not is_there(test)] == []
    assert len(set(row.tests)) == len(row.tests)
    if row.tests:
        assert not row.reason
    else:
        assert len(row.reason.removeprefix(NOT_YET).removeprefix(NEVER)) > 10


def test_the_document_is_what_would_be_made() -> None:
    assert DOCUMENT.read_text() == document(features()), "make features writes it anew"


def test_the_document_has_a_line_for_each() -> None:
    lines = document(TABLE).splitlines()
    assert lines[2] == "2 of 3 done and tested, 1 not yet. 2 tests prove it."
    assert lines[-3:] == [
        "| 1 | one | done and tested | [one](tests/a.py), [two](tests/b.py) |",
        "| 2 | two | done and tested | [two](tests/b.py) |",
        "| 3 | three | not yet | there is no time |",
    ]
    assert count(TABLE[:1]) == "1 of 1 done and tested, 0 not yet"


def told(*outcomes: tuple[str, Literal["passed", "failed", "skipped"]], whole: bool = True) -> list[str]:
    """What is said after these tests: each has set up, been called where it was not skipped, and torn down."""
    proof = Proof(TABLE)
    for nodeid, outcome in outcomes:
        for when in ("setup", "call", "teardown"):
            ended = outcome if when == "call" else "passed"
            if outcome == "skipped":
                ended = outcome if when == "setup" else "passed"
                if when == "call":
                    continue
            proof.add(pytest.TestReport(nodeid, ("", None, ""), {}, ended, None, when))
    return list(proof.lines(whole=whole))


def test_a_run_says_what_it_has_proved() -> None:
    assert told(("tests/a.py::test_one", "passed"), (f"{TWO}[x]", "passed"), ("tests/c.py::test", "failed")) == [
        "features: 2 of 3 done and tested, 1 not yet; every one of their 2 tests passed"
    ]


def test_a_run_says_what_it_has_refuted() -> None:
    lines = [
        "features: 2 of 3 done and tested, 1 not yet; but",
        f"feature 1 (one): {TWO}: failed",
        f"feature 2 (two): {TWO}: failed",
    ]
    reports = (("tests/a.py::test_one", "passed"), (f"{TWO}[x]", "failed"), (f"{TWO}[y]", "passed"))
    assert told(*reports) == lines  # type: ignore[arg-type]
    assert told(*reports, whole=False) == lines[1:]  # type: ignore[arg-type]


def test_what_was_not_run_proves_nothing() -> None:
    assert told(("tests/a.py::test_one", "skipped"))[1:] == [
        "feature 1 (one): tests/a.py::test_one: skipped",
        f"feature 1 (one): {TWO}: not run",
        f"feature 2 (two): {TWO}: not run",
    ]
    assert told(("tests/a.py::test_one", "passed"), whole=False) == []


PLUGIN = """
from pathlib import Path
from tests.proved import Proving
from tests.test_features import TABLE

def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Proving(config, TABLE, Path(__file__).parent / 'tests'))
"""


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize(
    ("asked", "fails", "said"),
    [
        ("tests", False, "features: 2 of 3 done and tested, 1 not yet; every one of their 2 tests passed"),
        ("tests", True, f"feature 2 (two): {TWO}: failed"),
        ("tests/a.py", False, ""),
    ],
)
def test_the_end_of_a_run(tmp_path: Path, workers: str, asked: str, fails: bool, said: str) -> None:
    (tmp_path / "tests").mkdir()
    files = {"plugin": PLUGIN, "tests/a": "def test_one(): pass\n", "tests/b": f"def test_two(): assert {not fails}\n"}
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    options = [f"-n{workers}", "-o", "python_files=?.py", "-p", "plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, f"--rootdir={tmp_path}", asked]
    ended = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PYTHONPATH": f"{TESTS.parent}:{tmp_path}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == fails, ended.stdout + ended.stderr
    if said:
        assert said in ended.stdout.splitlines()
    else:
        assert "feature" not in ended.stdout
