"""The built program in whatever streams, environment and directory it is started, and from whatever link."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.binary.calls import ask, call, three
from tests.node import in_private_mounts
from tools.build import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod


STREAMS = {
    "<&-": 1,
    ">&-": 1,
    "2>&-": 0,
    "<&- 2>&-": 1,
    ">&- 2>&-": 1,
    "<&- >&- 2>&-": 1,
    "0> /dev/null": 1,
    "> /dev/full": 1,
    "2> /dev/full": 0,
}


@pytest.mark.parametrize(("redirected", "status"), STREAMS.items())
def test_closed_streams_leave_nothing_half_done(node: Node, pod: Pod, redirected: str, status: int) -> None:
    answer = ask(node, pod, "ADD", three(node, logLevel="debug"), redirected=redirected)
    assert answer.status == status
    if status == 0:
        assert len(pod.links()) == len(answer.document["interfaces"]) == 3
    else:
        assert node.remains(pod) == {}
    if redirected in ("<&-", "<&- 2>&-", "0> /dev/null"):
        assert "standard input" in answer.failed(5)
    ask(node, pod, "DEL", three(node), redirected="2>&-").succeeded()
    assert node.remains(pod) == {}


@pytest.mark.parametrize("redirected", ["<&-", "2>&-", "<&- 2>&-", "0> /dev/null"])
def test_versions_are_told_without_the_other_streams(node: Node, redirected: str) -> None:
    answer = call(node, {"CNI_COMMAND": "VERSION"}, redirected=redirected).succeeded()
    assert answer.document["supportedVersions"]


def test_a_reader_that_went_away_costs_the_attachment(node: Node, pod: Pod) -> None:
    """The runtime cannot know the result, so there is none."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        ["nsenter", f"--net={node.host.path}", PROGRAM],
        env=pod.environment("ADD", str(node.runtime_path)),
        input=json.dumps(three(node)).encode(),
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert ended.returncode == 1
    assert b"cannot write" in ended.stderr
    assert node.remains(pod) == {}


def environment_seen(node: Node, pod: Pod, **theirs: str) -> dict[str, str]:
    """What a program that is executed finds in its environment."""
    program, seen = node.bin_dir / "calico", node.root / "seen"
    program.write_text(f"#!/bin/sh\n/usr/bin/env -0 > {seen}\necho '{{}}'\n")
    program.chmod(0o755)
    environment = {**pod.environment("ADD", str(node.runtime_path)), **theirs}
    call(node, environment, node.config({"name": "calico", "type": "calico"})).succeeded()
    pairs = [pair.partition("=") for pair in seen.read_text().split("\0") if pair]
    return {name: value for name, _, value in pairs if name not in ("PWD", "SHLVL", "OLDPWD", "_")}


def test_a_program_that_is_executed_sees_the_runtimes_environment_alone(node: Node, pod: Pod) -> None:
    theirs = {"LANG": "C", "PATH": "/usr/bin", "KUBECONFIG": "/x"}
    seen = environment_seen(node, pod, **theirs)
    of_cni = {name: value for name, value in seen.items() if name.startswith("CNI_")}
    assert {name: value for name, value in seen.items() if name not in of_cni} == theirs
    assert of_cni.keys() == {f"CNI_{name}" for name in ("COMMAND", "CONTAINERID", "NETNS", "IFNAME", "ARGS", "PATH")}


def test_a_library_path_of_the_runtimes_own_is_passed_on(node: Node, pod: Pod) -> None:
    seen = environment_seen(node, pod, LD_LIBRARY_PATH="/nonexistent/lib")
    assert seen["LD_LIBRARY_PATH"] == "/nonexistent/lib"
    assert not [name for name in seen if name.startswith(("_PYI", "_MEI")) or name == "LD_LIBRARY_PATH_ORIG"]


def test_links_to_it_work_from_anywhere(node: Node, pod: Pod, tmp_path: Path) -> None:
    absolute, relative, chained = tmp_path / "link", tmp_path / "there" / "multus", tmp_path / "again" / "multus"
    for link in (relative, chained):
        link.parent.mkdir()
    absolute.symlink_to(PROGRAM)
    relative.symlink_to(os.path.relpath(PROGRAM, relative.parent))
    chained.symlink_to("../there/multus")
    programs = [str(absolute), str(relative), str(chained), "./multus", "../there/multus"]
    for program in programs:
        ask(node, pod, "ADD", three(node), program=program, cwd=chained.parent).succeeded()
        ask(node, pod, "DEL", three(node), program=program, cwd=chained.parent).succeeded()


def test_a_working_directory_that_is_gone_does_not_matter(node: Node, pod: Pod, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    before = ["/bin/sh", "-c", f'cd {gone} && rmdir {gone} && exec "$@"', "sh"]
    ask(node, pod, "ADD", three(node), *before).succeeded()
    gone.mkdir()
    ask(node, pod, "DEL", three(node), *before).succeeded()
    assert node.remains(pod) == {}


def test_read_only_temporary_directories_do_not_matter(node: Node, pod: Pod, tmp_path: Path) -> None:
    def run() -> None:
        for directory in ("/tmp", "/var/tmp"):
            if not str(tmp_path).startswith(directory) and not str(PROGRAM).startswith(directory):
                subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", directory], check=True)
        ask(node, pod, "ADD", three(node)).succeeded()
        ask(node, pod, "DEL", three(node)).succeeded()

    in_private_mounts(run)
    assert node.remains(pod) == {}


def test_only_the_variables_of_cni_are_needed(node: Node, pod: Pod) -> None:
    for command in ("ADD", "CHECK", "DEL"):
        environment = pod.environment(command, str(node.runtime_path), PATH="")
        assert all(key.startswith("CNI_") for key in environment)
        call(node, environment, three(node)).succeeded()


def test_odd_variables_do_not_matter(node: Node, pod: Pod) -> None:
    """What would change another Python, or another program of PyInstaller's."""
    odd = {
        "PYTHONHOME": "/nonexistent",
        "PYTHONPATH": "/nonexistent",
        "PYTHONSTARTUP": "/nonexistent",
        "PYTHONIOENCODING": "utf-16",
        "PYTHONINSPECT": "1",
        "LC_ALL": "nowhere.nothing",
        "TMPDIR": "/nonexistent",
        "HOME": "/nonexistent",
        "LD_LIBRARY_PATH_ORIG": "/odd",
    }
    for command in ("ADD", "DEL"):
        answer = call(node, {**pod.environment(command, str(node.runtime_path)), **odd}, three(node)).succeeded()
        assert answer.stderr == ""
    assert node.remains(pod) == {}


def test_a_call_from_within_another_bundle_works(node: Node, pod: Pod) -> None:
    """A runtime that is itself a program of PyInstaller's leaks its variables to us."""
    theirs = {
        "_PYI_APPLICATION_HOME_DIR": "/nonexistent",
        "_PYI_ARCHIVE_FILE": "/nonexistent/archive",
        "_PYI_PARENT_PROCESS_LEVEL": "1",
        "_MEIPASS2": "/nonexistent",
    }
    for command in ("ADD", "DEL"):
        call(node, {**pod.environment(command, str(node.runtime_path)), **theirs}, three(node)).succeeded()
