import subprocess

import pytest

from cni_multus import VERSION
from cni_multus.cli.plugins import PURPOSES
from cni_multus.cni.versions import SUPPORTED
from cni_multus.registry import MODULES
from tests.cli.terminal import Terminal

SPOKEN = f"CNI protocol versions supported: {', '.join(SUPPORTED)}"


@pytest.mark.parametrize("option", ["--version", "-v"])
def test_the_version_is_one_line(node: Terminal, option: str) -> None:
    assert node.run_as("multus", option).succeeded().stdout == f"multus {VERSION}\n"


def test_the_version_command_tells_what_is_spoken(node: Terminal) -> None:
    lines = node.run_as("multus", "version").succeeded().stdout.splitlines()
    assert lines[:2] == [f"multus {VERSION}", f"CNI {', '.join(SUPPORTED)}"]


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_command(node: Terminal, option: str) -> None:
    text = node.run_as("multus", option).succeeded().stdout
    assert "plugins" in text
    assert "version" in text


def test_the_table_has_every_built_in_type(node: Terminal) -> None:
    lines = node.run_as("multus", "plugins").succeeded().stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == sorted(MODULES)
    assert set(PURPOSES) == set(MODULES)


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["version", "more"], ["--vers"]])
def test_an_unknown_argument_is_named_and_exits_with_2(node: Terminal, arguments: list[str]) -> None:
    ended = node.run_as("multus", *arguments)
    assert (ended.status, ended.stdout) == (2, "")
    assert arguments[-1] in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_plugin_without_a_command_says_what_it_is(node: Terminal, name: str) -> None:
    """As the reference: two lines on standard error, nothing on standard output, success."""
    ended = node.run_as(name)
    assert (ended.status, ended.stdout) == (0, "")
    assert ended.stderr.splitlines()[:2] == [f"CNI {name} plugin multus {VERSION}", SPOKEN]


def test_any_other_name_is_the_command_line(node: Terminal) -> None:
    assert node.run_as("multus-0.1.0", "--version").succeeded().stdout == f"multus {VERSION}\n"


def test_a_reader_who_leaves_early_is_no_traceback(node: Terminal) -> None:
    reader = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    reader.wait()
    assert reader.stdin is not None
    done = subprocess.run(
        [*node.command("multus"), "plugins"], stdout=reader.stdin, stderr=subprocess.PIPE, text=True, check=False
    )
    reader.stdin.close()
    assert (done.returncode, done.stderr) == (1, "")


def test_a_full_disk_is_one_line(node: Terminal) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*node.command("multus"), "plugins"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "multus: [Errno 28] No space left on device\n")
