"""The entry, as a process of its own: the name it is called by, its streams, its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.versions import SUPPORTED
from cni_multus.registry import MODULES

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.linux.netns import Namespace

ROOT = Path(__file__).parents[1]
START = "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_module('cni_multus.__main__', run_name='__main__')"
CONFIG = {"cniVersion": "1.0.0", "name": "net", "type": "loopback"}
STDIN = json.dumps(CONFIG)


def command_line(name: str, redirected: str = "") -> list[str]:
    return ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-S", "-E", "-c", START, name]


def call(name: str, stdin: str = STDIN, redirected: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program as `name`; `redirected` is the shell's, as in `<&-`."""
    return subprocess.run(
        command_line(name, redirected),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def attachment(netns: str, command: str = "ADD") -> dict[str, str]:
    return {"CNI_COMMAND": command, "CNI_CONTAINERID": "pod-1", "CNI_NETNS": netns, "CNI_IFNAME": "lo"}


def failed(ended: subprocess.CompletedProcess[str], code: int) -> str:
    answer = json.loads(ended.stdout)
    assert (ended.returncode, answer["code"]) == (1, code), ended
    return str(answer["msg"])


@pytest.mark.parametrize("name", [*MODULES, "/opt/cni/bin/bridge", "something-else"])
def test_every_name_tells_its_versions(name: str) -> None:
    ended = call(name, "nonsense", CNI_COMMAND="VERSION")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout) == {"cniVersion": "1.1.0", "supportedVersions": list(SUPPORTED)}
    assert ended.stdout.endswith("}\n")


@pytest.mark.parametrize("name", [name for name in MODULES if name != "multus"])
@pytest.mark.parametrize("blank", [{}, {"CNI_COMMAND": ""}])
def test_a_plugin_without_a_verb_says_what_it_is(name: str, blank: dict[str, str]) -> None:
    ended = call(name, **blank)
    assert (ended.returncode, ended.stdout) == (0, "")
    assert name in ended.stderr
    assert "1.1.0" in ended.stderr


@pytest.mark.parametrize("name", ["loopback", "/opt/cni/bin/loopback", "./loopback"])
def test_the_name_decides_which_plugin_it_is(
    name: str, container: Namespace, kernel: Callable[[Namespace], Any]
) -> None:
    ended = call(name, **attachment(container.path))
    assert ended.returncode == 0, ended
    assert json.loads(ended.stdout)["interfaces"][0]["name"] == "lo"
    assert kernel(container).link("get", index=1)[0].get_attr("IFLA_OPERSTATE") == "UNKNOWN"


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("command", ["ADD", "DEL", "CHECK", "GC", "STATUS"])
def test_every_name_refuses_what_is_no_configuration(name: str, command: str) -> None:
    ended = call(name, "{", **attachment("/gone", command))
    assert failed(ended, 6).startswith("standard input is not JSON: line 1, column 2")
    assert ended.stderr == ""


def test_a_verb_that_there_is_not_is_refused() -> None:
    assert "CNI_COMMAND 'FROB'" in failed(call("loopback", CNI_COMMAND="FROB"), 4)


# Streams that are not as they should be.


@pytest.mark.parametrize("redirected", ["<&-", "0>/dev/null"])
def test_input_that_cannot_be_read_is_told(redirected: str) -> None:
    ended = call("loopback", "", redirected, **attachment("/gone"))
    assert failed(ended, 5) == "cannot read standard input: Bad file descriptor"


@pytest.mark.parametrize("redirected", [">&-", ">/dev/full", "1</dev/null"])
@pytest.mark.parametrize("command", ["ADD", "VERSION", "FROB"])
def test_an_answer_that_nobody_gets_is_a_failure(redirected: str, command: str, container: Namespace) -> None:
    ended = call("loopback", STDIN, redirected, **attachment(container.path, command))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("cannot write the answer to standard output: ")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["ADD", "VERSION", "FROB"])
def test_an_answer_to_somebody_who_is_gone_is_a_failure(command: str, container: Namespace) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        command_line("loopback"),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **attachment(container.path, command)},
        input=STDIN.encode(),
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, b"cannot write the answer to standard output: Broken pipe\n")


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full", "2</dev/null"])
def test_complaints_that_nobody_hears_do_not_matter(redirected: str, container: Namespace) -> None:
    assert call("loopback", STDIN, redirected, **attachment(container.path)).returncode == 0
    assert call("loopback", "{", redirected, **attachment(container.path)).returncode == 1
    assert call("loopback", "", redirected).returncode == 0


def test_a_program_without_any_stream_does_its_work(container: Namespace) -> None:
    ended = call("loopback", "", "<&- >&- 2>&-", **attachment(container.path))
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "")


def test_a_closed_stream_is_nobodys_pipe(tmp_path: Path) -> None:
    """A delegate's pipes must not be taken for our own streams: numbers below three are the delegate's own."""
    plugin = tmp_path / "given"
    plugin.write_text('#!/bin/sh\ncat >&2\necho \'{"ips": [{"address": "10.0.0.2/24"}]}\'\n')
    plugin.chmod(0o755)
    script = (
        "from cni_multus.__main__ import _mend_streams; _mend_streams()\n"
        "import os, sys; from cni_multus.program import run\n"
        "ended = run(sys.argv[1], {'PATH': os.environ['PATH']}, b'words', 10)\n"
        "os.write(int(sys.argv[2]), b'%d %s %s' % (ended.status, ended.stdout, ended.stderr))"
    )
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as answer:
        subprocess.run(
            ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-S", "-c", script, plugin, str(writer)],
            cwd=ROOT,
            check=True,
            pass_fds=[writer],
        )
        os.close(writer)
        assert answer.read() == b'0 {"ips": [{"address": "10.0.0.2/24"}]}\n words'
