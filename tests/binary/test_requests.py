"""The built program as a runtime calls it: whatever name, streams, environment and directory it is given."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.versions import SUPPORTED
from cni_multus.registry import MODULES
from tests.node import Answer, Node, Pod, in_private_mounts
from tools.build import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from cni_multus.linux.netns import Namespace


@pytest.fixture(autouse=True)
def built() -> None:
    assert PROGRAM.exists(), f"there is no {PROGRAM}: run `make build` first"


@pytest.fixture
def node(host: Namespace, tmp_path: Path) -> Node:
    return Node(host, tmp_path)


@pytest.fixture
def pod(netns: Callable[[str], str]) -> Pod:
    return Pod(netns("pod-1"), "pod-1")


def three(node: Node, **more: object) -> dict[str, Any]:
    return node.config(node.bridge(), node.macvlan("red", "10.2.0.0/24"), node.macvlan("blue"), **more)


def call(
    node: Node,
    environment: Mapping[str, str],
    stdin: object = b"",
    *before: str,
    program: str = str(PROGRAM),
    redirected: str = "",
    cwd: Path | None = None,
) -> Answer:
    """Run the program on the node; `redirected` is the shell's, as in `<&-`, `before` a command that starts it."""
    data = stdin if isinstance(stdin, bytes) else json.dumps(stdin).encode()
    command = ["/usr/bin/nsenter", f"--net={node.host.path}", *before]
    if redirected:
        command += ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh"]
    ended = subprocess.run([*command, program], env=environment, input=data, capture_output=True, cwd=cwd, check=False)
    return Answer(ended.returncode, ended.stdout, ended.stderr)


def ask(node: Node, pod: Pod | None, command: str, config: object, *before: str, **options: Any) -> Answer:
    """The same with what a runtime sets."""
    environment = (pod or Pod("", "")).environment(command, str(node.runtime_path))
    if pod is None:
        environment = {key: environment[key] for key in ("PATH", "CNI_COMMAND", "CNI_PATH")}
    return call(node, environment, config, *before, **options)


def test_a_pod_with_three_networks_from_add_to_del(node: Node, pod: Pod) -> None:
    config = three(node)
    assert ask(node, None, "STATUS", config).succeeded().stdout == b""
    added = ask(node, pod, "ADD", config).succeeded()
    assert added.stderr == ""
    assert [ip["address"] for ip in added.document["ips"]] == ["10.1.0.2/24"]
    assert pod.links() == {"eth0": "veth", "net1": "macvlan", "net2": "macvlan"}
    ping = subprocess.run(
        ["nsenter", f"--net={pod.netns}", "ping", "-c1", "-W2", "10.1.0.1"], capture_output=True, check=False
    )
    assert ping.returncode == 0
    assert ask(node, pod, "CHECK", config).succeeded().stdout == b""
    valid = [{"containerID": "pod-1", "ifname": "eth0"}]
    assert ask(node, None, "GC", {**config, "cni.dev/valid-attachments": valid}).succeeded().stdout == b""
    ask(node, pod, "CHECK", config).succeeded()
    for _ in range(2):
        assert ask(node, pod, "DEL", config).succeeded().stdout == b""
    assert node.remains(pod) == {}
    ask(node, pod, "ADD", config).succeeded()
    ask(node, None, "GC", {**config, "cni.dev/valid-attachments": []}).succeeded()
    assert node.remains(pod) == {}


@pytest.mark.parametrize("name", [*MODULES, "something-else"])
def test_every_name_tells_its_versions(node: Node, tmp_path: Path, name: str) -> None:
    link = tmp_path / name
    link.symlink_to(PROGRAM)
    answer = call(node, {"CNI_COMMAND": "VERSION"}, b"not \xff JSON", program=str(link)).succeeded()
    assert answer.document == {"cniVersion": "1.1.0", "supportedVersions": list(SUPPORTED)}


@pytest.mark.parametrize("name", [name for name in MODULES if name != "multus"])
def test_a_plugin_without_command_says_what_it_is(node: Node, tmp_path: Path, name: str) -> None:
    link = tmp_path / name
    link.symlink_to(PROGRAM)
    answer = call(node, {}, program=str(link)).succeeded()
    assert answer.stdout == b""
    assert name in answer.stderr
    assert "1.1.0" in answer.stderr


def test_a_link_is_the_plugin_of_its_name(node: Node, pod: Pod, tmp_path: Path) -> None:
    link = tmp_path / "macvlan"
    link.symlink_to(PROGRAM)
    config = {"cniVersion": "1.1.0", **node.macvlan("red", "10.2.0.0/24")}
    added = ask(node, pod, "ADD", config, program=str(link)).succeeded()
    assert pod.links() == {"eth0": "macvlan"}
    ask(node, pod, "CHECK", {**config, "prevResult": added.document}, program=str(link)).succeeded()
    ask(node, pod, "DEL", config, program=str(link)).succeeded()
    assert node.remains(pod) == {}


GARBAGE: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 6),
    "blanks": (b" \n\t", 6),
    "text": (b"hello", 6),
    "half": (b'{"cniVersion": "1.0.0", "na', 6),
    "a list": (b"[]", 6),
    "null": (b"null", 6),
    "bytes": (bytes(range(256)), 6),
    "utf-16": ('{"name": "a"}'.encode("utf-16"), 6),
    "two documents": (b'{"name": "a"}{"name": "b"}', 6),
    "not a number": (b'{"name": "a", "mtu": NaN}', 6),
    "deep": (b"[" * 100_000, 6),
    "deep objects": (b'{"a":' * 50_000, 6),
    "a huge number": (b'{"name": "a", "delegateTimeout": ' + b"9" * 10_000 + b"}", 6),
    "huge": (b"x" * (20 << 20), 6),
    "a huge document": (b'{"name": "a", "x": "' + b"x" * (20 << 20) + b'"}', 6),
    "no name": (b"{}", 7),
    "a bad name": (b'{"name": "../a"}', 7),
    "a bad version": (b'{"name": "a", "cniVersion": "9.9.9"}', 1),
    "a version that is none": (b'{"name": "a", "cniVersion": {}}', 6),
    "no networks": (b'{"name": "a", "cniVersion": "1.0.0"}', 7),
}


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_on_standard_input_is_one_error(node: Node, pod: Pod, garbage: str) -> None:
    stdin, code = GARBAGE[garbage]
    answer = ask(node, pod, "ADD", stdin)
    answer.failed(code)
    assert answer.stderr == ""
    assert node.remains(pod) == {}
    assert ask(node, pod, "DEL", stdin).status in (0, 1)


ENVIRONMENTS: dict[str, dict[str, str]] = {
    "no container": {"CNI_CONTAINERID": ""},
    "a bad container": {"CNI_CONTAINERID": "../x"},
    "no namespace": {"CNI_NETNS": ""},
    "no interface": {"CNI_IFNAME": ""},
    "a long interface": {"CNI_IFNAME": "a" * 16},
    "a template": {"CNI_IFNAME": "eth%d"},
    "a verb that is none": {"CNI_COMMAND": "UPDATE"},
    "a verb in small letters": {"CNI_COMMAND": "add"},
    "bad arguments": {"CNI_ARGS": "what"},
}


@pytest.mark.parametrize("changed", ENVIRONMENTS)
def test_a_bad_environment_is_one_error(node: Node, pod: Pod, changed: str) -> None:
    environment = pod.environment("ADD", str(node.runtime_path), **ENVIRONMENTS[changed])
    answer = call(node, environment, three(node))
    answer.failed(4)
    assert answer.stderr == ""
    assert node.remains(pod) == {}
    assert not node.cni_dir.exists()


def test_bytes_that_are_no_text_in_the_environment_are_one_error(node: Node, pod: Pod) -> None:
    environment = {**pod.environment("ADD", str(node.runtime_path)), "CNI_IFNAME": os.fsdecode(b"eth\xff")}
    call(node, environment, three(node)).failed(4)


def test_without_any_environment_it_is_the_command_line(node: Node) -> None:
    answer = call(node, {})
    assert answer.status in (0, 2)
    assert "multus" in answer.stdout.decode() + answer.stderr


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


def test_all_links_of_a_pod_go_with_one_message(node: Node, pod: Pod, tmp_path: Path) -> None:
    """Each one alone would cost 15 ms."""
    log = tmp_path / "trace"
    ask(node, pod, "ADD", three(node)).succeeded()
    strace = ["strace", "-f", "-qq", "-e", "trace=sendto,sendmsg,write", "-s", "4096", "-o", str(log)]
    ask(node, pod, "DEL", three(node), *strace).succeeded()
    assert len(re.findall(r"nlmsg_type=(?:RTM_DELLINK|0x11\b)", log.read_text())) == 1
    assert node.remains(pod) == {}


def test_messages_of_the_log_stay_off_standard_output(node: Node, pod: Pod) -> None:
    answer = ask(node, pod, "ADD", three(node, logLevel="debug")).succeeded()
    assert answer.document["cniVersion"] == "1.1.0"
    assert answer.stderr.count("\n") == 5
    assert sys.executable not in answer.stderr
