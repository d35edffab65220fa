"""Delegates: how a plugin is found, what a program is given, and what is made of its answer."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError, DelegateFailure, ForeignFailure, InvalidNetworkConfig, TryAgainLater
from cni_multus.cni.request import Request
from cni_multus.cni.result import Result
from cni_multus.delegate import Program, find
from cni_multus.registry import MODULES
from tests.cni.programs import PluginDirectory

if TYPE_CHECKING:
    from collections.abc import Callable

RESULT: dict[str, Any] = {"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.2/24"}], "x-vendor": 1}
VERBS = {"ADD": "add", "DEL": "delete", "CHECK": "check", "STATUS": "status", "GC": "collect_garbage"}


@pytest.fixture
def directory(tmp_path: Path) -> PluginDirectory:
    return PluginDirectory(tmp_path / "bin")


def request(
    directory: PluginDirectory,
    config: dict[str, Any] | None = None,
    environment: dict[str, str] | None = None,
    *,
    previous: dict[str, Any] | None = None,
    arguments: dict[str, str] | None = None,
) -> Request:
    config = {"cniVersion": "1.0.0", "name": "net", "type": "foreign", **(config or {})}
    return Request(
        "ADD",
        Section(config),
        {"PATH": os.environ["PATH"], **(environment or {})},
        container_id="pod-1",
        netns="/run/netns/pod",
        ifname="eth0",
        arguments=arguments,
        path=("/nowhere", str(directory.path)),
        previous=Result.parse(Section(previous), "1.0.0") if previous is not None else None,
    )


def call(program: str, verb: str, asked: Request, timeout: float = 20.0) -> Result | None:
    asked.timeout = timeout
    method: Callable[[Request], Result | None] = getattr(Program(program), VERBS[verb])
    return method(asked)


# How a plugin is found.


def test_the_first_program_of_the_path_is_taken(tmp_path: Path) -> None:
    first, second = PluginDirectory(tmp_path / "a"), PluginDirectory(tmp_path / "b")
    second.write("foreign", "exit 0")
    path = ("/nowhere", str(first.path), str(second.path))
    found = find("foreign", path)
    assert isinstance(found, Program)
    assert found.path == str(second.path / "foreign")
    first.write("foreign", "exit 0")
    found = find("foreign", path)
    assert isinstance(found, Program)
    assert found.path == str(first.path / "foreign")


def test_a_directory_of_that_name_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a" / "foreign").mkdir(parents=True)
    second = PluginDirectory(tmp_path / "b")
    second.write("foreign", "exit 0")
    found = find("foreign", (str(tmp_path / "a"), str(second.path)))
    assert isinstance(found, Program)
    assert found.path == str(second.path / "foreign")


def test_a_link_to_a_program_is_a_program(tmp_path: Path) -> None:
    real, linked = PluginDirectory(tmp_path / "a"), PluginDirectory(tmp_path / "b")
    (linked.path / "foreign").symlink_to(real.write("v2", "exit 0"))
    (linked.path / "dangling").symlink_to(tmp_path / "gone")
    assert isinstance(find("foreign", (str(linked.path),)), Program)
    with pytest.raises(DelegateFailure, match="no program 'dangling'"):
        find("dangling", (str(linked.path),))


def test_a_file_that_may_not_be_executed_is_found_and_told_when_it_is_called(directory: PluginDirectory) -> None:
    directory.write("foreign", "exit 0", mode=0o644)
    with pytest.raises(DelegateFailure, match=r"cannot run .*/foreign: Permission denied"):
        find("foreign", (str(directory.path),)).add(request(directory))


@pytest.mark.parametrize("path", [(), ("/nowhere",), ("/nowhere", "/dev/null"), ("a\0b",), ("\ud800",)])
def test_a_missing_program_is_told_with_where_it_was_sought(path: tuple[str, ...]) -> None:
    with pytest.raises(DelegateFailure, match=r"^plugins\[1\]\.type: there is no program 'foreign' in ") as failure:
        find("foreign", path, "plugins[1].type")
    assert all(directory in failure.value.message for directory in path)
    assert f"built in are {', '.join(sorted(MODULES))}" in failure.value.details


@pytest.mark.parametrize("kind", ["../foreign", "/bin/true", "a/b", "a/", "/", ".", "..", "a\0b", ""])
def test_a_type_that_is_no_name_is_refused(directory: PluginDirectory, kind: str) -> None:
    directory.write("foreign", "exit 0")
    with pytest.raises(InvalidNetworkConfig, match=r"^ipam\.type: "):
        find(kind, (str(directory.path), str(directory.path / "x")), "ipam.type")


@pytest.mark.parametrize("kind", ["loopback", "bridge", "macvlan"])
def test_ours_is_preferred_to_a_program_of_that_name(directory: PluginDirectory, kind: str) -> None:
    program = directory.write(kind, "exit 0")
    found = find(kind, (str(directory.path),))
    assert f"{type(found).__module__}:{type(found).__name__}" == MODULES[kind]
    executed = find(kind, (str(directory.path),), programs_first=True)
    assert isinstance(executed, Program)
    assert executed.path == program


def test_ours_serves_where_the_path_has_no_such_program(directory: PluginDirectory) -> None:
    assert not isinstance(find("loopback", (str(directory.path),), programs_first=True), Program)


# What a program is given.


@pytest.mark.parametrize("verb", VERBS)
def test_a_program_gets_the_verb_and_its_attachment(directory: PluginDirectory, verb: str) -> None:
    program = directory.plugin("foreign", RESULT)
    runtime = {"CNI_COMMAND": "VERSION", "CNI_SECRET": "x"}
    asked = request(directory, environment=runtime, arguments={"IgnoreUnknown": "1", "K8S_POD_NAME": "a=b"})
    call(program, verb, asked)
    (given,) = directory.calls("foreign")
    assert given.environment == {
        "PATH": os.environ["PATH"],
        "CNI_COMMAND": verb,
        "CNI_CONTAINERID": "pod-1",
        "CNI_NETNS": "/run/netns/pod",
        "CNI_IFNAME": "eth0",
        "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAME=a=b",
        "CNI_PATH": f"/nowhere:{directory.path}",
    }
    assert given.stdin == {"cniVersion": "1.0.0", "name": "net", "type": "foreign"}


@pytest.mark.parametrize("verb", ["STATUS", "GC"])
def test_a_program_gets_no_attachment_where_there_is_none(directory: PluginDirectory, verb: str) -> None:
    program = directory.plugin("foreign")
    asked = request(directory)
    asked.container_id = asked.netns = asked.ifname = ""
    call(program, verb, asked)
    assert set(directory.calls("foreign")[0].environment) == {"PATH", "CNI_COMMAND", "CNI_PATH"}


def test_a_program_gets_the_permission_to_use_our_namespace(directory: PluginDirectory) -> None:
    call(directory.plugin("foreign"), "ADD", request(directory, environment={"CNI_NETNS_OVERRIDE": "1"}))
    assert directory.calls("foreign")[0].environment["CNI_NETNS_OVERRIDE"] == "1"


def test_a_program_gets_its_own_libraries(directory: PluginDirectory) -> None:
    ours = {
        "LD_LIBRARY_PATH": "/opt/multus/_internal",
        "LD_LIBRARY_PATH_ORIG": "/usr/lib",
        "_PYI_LINUX_PROCESS_NAME": "m",
    }
    call(directory.plugin("foreign"), "ADD", request(directory, environment=ours))
    given = directory.calls("foreign")[0].environment
    assert given["LD_LIBRARY_PATH"] == "/usr/lib"
    assert not [name for name in given if name.startswith("_PYI") or name.endswith("_ORIG")]


@pytest.mark.parametrize(
    ("version", "verb", "is_passed"),
    [
        ("1.0.0", "ADD", True),
        ("1.0.0", "DEL", True),
        ("1.0.0", "CHECK", True),
        ("0.4.0", "DEL", True),
        ("0.3.1", "ADD", True),
        ("0.3.1", "DEL", False),
        ("0.2.0", "ADD", True),
        ("0.2.0", "DEL", False),
    ],
)
def test_the_result_so_far_is_passed_in_the_networks_version(
    directory: PluginDirectory, version: str, verb: str, is_passed: bool
) -> None:
    program = directory.plugin("foreign")
    call(program, verb, request(directory, {"cniVersion": version}, previous=RESULT))
    given = directory.calls("foreign")[0].stdin
    assert ("prevResult" in given) == is_passed
    if is_passed:
        assert given["prevResult"]["cniVersion"] == version
        assert given["prevResult"]["x-vendor"] == 1


def test_a_program_gets_its_configuration_as_it_was_written(directory: PluginDirectory) -> None:
    config = {"Ipam": {"x": [1, 2.5, None, True, "ü😀"]}, "big": 2**63 + 1, "small": 1e-7}
    call(directory.plugin("foreign"), "ADD", request(directory, config))
    assert {key: directory.calls("foreign")[0].stdin[key] for key in config} == config


def test_a_large_configuration_reaches_a_program_that_does_not_read_it(directory: PluginDirectory) -> None:
    program = directory.write("foreign", f"exec <&-; sleep 0.1; echo '{json.dumps(RESULT)}'")
    result = call(program, "ADD", request(directory, {"large": "x" * (8 << 20)}))
    assert result is not None
    assert str(result.ips[0].address) == "10.0.0.2/24"


# What is made of its answer.


def test_a_result_is_taken_with_what_we_do_not_know(directory: PluginDirectory) -> None:
    result = call(directory.plugin("foreign", RESULT), "ADD", request(directory))
    assert result is not None
    assert result.to_json("1.0.0") == RESULT


def test_a_result_without_version_is_of_the_networks(directory: PluginDirectory) -> None:
    program = directory.plugin("foreign", {"ip4": {"ip": "10.0.0.2/24"}})
    result = call(program, "ADD", request(directory, {"cniVersion": "0.2.0"}))
    assert result is not None
    assert str(result.ips[0].address) == "10.0.0.2/24"


def test_null_is_an_empty_result(directory: PluginDirectory) -> None:
    result = call(directory.write("foreign", "echo null"), "ADD", request(directory))
    assert result is not None
    assert result.to_json("1.0.0") == {"cniVersion": "1.0.0"}


@pytest.mark.parametrize("verb", ["DEL", "CHECK", "STATUS", "GC"])
@pytest.mark.parametrize("printed", ["", "garbage", "{}", "null"])
def test_what_is_printed_on_other_verbs_does_not_matter(directory: PluginDirectory, verb: str, printed: str) -> None:
    call(directory.write("foreign", f"printf '%s' '{printed}'"), verb, request(directory))


@pytest.mark.parametrize(
    ("printed", "why"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("garbage", "is not JSON: line 1, column 1"),
        ('{"ips": [}', "is not JSON: line 1, column 10"),
        ("{} {}", "more after the end"),
        ("[]", "is not a JSON object but a list"),
        ("0", "is not a JSON object but a number"),
        ('"ok"', "is not a JSON object but a string"),
        ('{"ips": {}}', "ips must be a list, and is an object"),
        ('{"ips": [{"address": "10.0.0.300/24"}]}', r"ips\[0\]\.address: .* is not an IP address"),
        ('{"cniVersion": "9.0.0"}', "cniVersion '9.0.0' is not supported"),
        (r'{"name": "\377"}', "is not UTF-8"),
        ("[" * 5000, "nested deeper than 200 levels"),
    ],
)
def test_an_add_without_a_proper_result_has_failed(directory: PluginDirectory, printed: str, why: str) -> None:
    program = directory.write("foreign", f"printf '{printed}'")
    with pytest.raises(DelegateFailure, match=f"^{program} gave no result: .*{why}") as failure:
        call(program, "ADD", request(directory))
    assert failure.value.code == 101


def test_what_was_printed_instead_is_quoted_in_part(directory: PluginDirectory) -> None:
    program = directory.write("foreign", "head -c 5000 /dev/zero | tr '\\0' x")
    with pytest.raises(DelegateFailure) as failure:
        call(program, "ADD", request(directory))
    assert failure.value.details == "x" * 600 + " …"


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    "error",
    [
        {"code": 11, "msg": "pool is empty", "details": "10.0.0.0/24"},
        {"cniVersion": "1.0.0", "code": 50, "msg": "not ready"},
        {"code": 4_294_967_295, "msg": "unheard of", "extra": 1},
    ],
)
def test_a_programs_own_error_is_passed_on(directory: PluginDirectory, verb: str, error: dict[str, Any]) -> None:
    program = directory.failing("foreign", verb, error)
    with pytest.raises(ForeignFailure) as failure:
        call(program, verb, request(directory))
    told = failure.value
    assert (told.code, told.message, told.details) == (error["code"], error["msg"], error.get("details", ""))


@pytest.mark.parametrize(
    ("body", "code", "message", "details"),
    [
        pytest.param("exit 1", 101, "failed with status 1 and no CNI error", "nothing", id="nothing"),
        pytest.param("echo why >&2; exit 2", 101, "failed with status 2 and no CNI error", "why", id="stderr only"),
        pytest.param("echo why; exit 1", 101, "failed with status 1 and no CNI error", "why", id="garbage"),
        pytest.param("echo out; echo err >&2; exit 1", 101, "no CNI error", "err", id="garbage and stderr"),
        pytest.param("echo '[]'; exit 1", 101, "not a JSON object but a list", "[]", id="another type"),
        pytest.param("""echo '{"code": "11"}'; exit 1""", 101, "code must be a whole number", "11", id="text for code"),
        pytest.param("""echo '{"code": -1}'; exit 1""", 101, "code: -1 is not between", "-1", id="negative code"),
        pytest.param(
            """echo '{"code": 7, "msg": []}'; exit 1""", 101, "msg must be a string", "msg", id="list for msg"
        ),
        pytest.param("""echo '{"msg": "broken"}'; echo x >&2; exit 1""", 101, ": broken$", "x", id="no code"),
        pytest.param("echo '{}'; exit 1", 101, "failed without a message", "", id="empty object"),
        pytest.param("""echo '{"code": 7}'; echo x >&2; exit 1""", 7, "failed without a message", "x", id="no message"),
        pytest.param("kill -9 $$", 101, "was killed by signal 9", "", id="killed"),
        pytest.param("echo out of memory >&2; kill -6 $$", 101, "killed by signal 6", "out of memory", id="aborted"),
    ],
)
@pytest.mark.parametrize("verb", ["ADD", "DEL"])
def test_whatever_a_failing_program_says_is_told(
    directory: PluginDirectory, verb: str, body: str, code: int, message: str, details: str
) -> None:
    program = directory.write("foreign", body)
    with pytest.raises(CniError, match=message) as failure:
        call(program, verb, request(directory))
    assert failure.value.code == code
    assert failure.value.message.startswith(program)
    assert details in failure.value.details


def test_a_program_that_hangs_is_tried_again_later(directory: PluginDirectory) -> None:
    program = directory.write("foreign", "sleep 300")
    started = time.monotonic()
    with pytest.raises(TryAgainLater) as failure:
        call(program, "ADD", request(directory), timeout=0.3)
    assert failure.value.code == 11
    assert time.monotonic() - started < 60


def test_complaints_of_a_program_that_succeeds_go_to_standard_error(
    directory: PluginDirectory, capfd: pytest.CaptureFixture[str]
) -> None:
    call(directory.write("foreign", "echo deprecated >&2"), "DEL", request(directory))
    assert capfd.readouterr() == ("", "deprecated\n")


def test_complaints_of_a_program_that_fails_go_into_the_error_alone(
    directory: PluginDirectory, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DelegateFailure):
        call(directory.write("foreign", "echo why >&2; exit 1"), "DEL", request(directory))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("target", ["/dev/full", ""])
def test_a_standard_error_that_takes_nothing_does_not_matter(directory: PluginDirectory, target: str) -> None:
    program = directory.write("foreign", f"echo deprecated >&2; echo '{json.dumps(RESULT)}'")
    kept = os.dup(2)
    try:
        if target:
            broken = os.open(target, os.O_WRONLY)
        else:
            reader, broken = os.pipe()
            os.close(reader)
        os.dup2(broken, 2)
        os.close(broken)
        assert call(program, "ADD", request(directory)) is not None
    finally:
        os.dup2(kept, 2)
        os.close(kept)
