"""The CNI_* variables: what each verb needs, what is refused, and that this comes before anything happens."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cni_multus.cni.names import is_name, wrong_with_ifname
from tests.cni.recorder import Conversation, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from cni_multus.cni.request import Request
    from cni_multus.linux.netns import Namespace

OWN = "/proc/self/ns/net"
VERBS = ["ADD", "DEL", "CHECK", "GC", "STATUS"]
OF_A_CONTAINER = ["ADD", "DEL", "CHECK"]
COMPLETE = {"CNI_CONTAINERID": "pod-1", "CNI_NETNS": "/run/netns/pod", "CNI_IFNAME": "eth0", "CNI_PATH": "/opt/cni/bin"}
CONFIG = {"cniVersion": "1.1.0", "name": "net", "type": "recorder"}
STDIN = json.dumps(CONFIG).encode()


def hold(plugin: Recorder, command: str, environment: Mapping[str, str], stdin: bytes = STDIN) -> Conversation:
    return Conversation(plugin, {"CNI_COMMAND": command, **environment}, stdin)


def refused(command: str, environment: Mapping[str, str], code: int = 4) -> str:
    """Why it is; nobody has been called."""
    plugin = Recorder()
    message = hold(plugin, command, environment).failed(code)
    assert plugin.asked == []
    return message


def accepted(command: str, environment: Mapping[str, str]) -> Request:
    plugin = Recorder()
    talk = hold(plugin, command, environment)
    assert talk.status == 0, talk.stdout
    ((verb, request),) = plugin.asked
    assert verb == command
    return request


# What each verb needs.


@pytest.mark.parametrize(
    ("command", "required"),
    [
        ("ADD", ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"]),
        ("CHECK", ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"]),
        ("DEL", ["CNI_CONTAINERID", "CNI_IFNAME"]),
    ],
)
@pytest.mark.parametrize("how", ["absent", "empty"])
def test_all_that_is_missing_is_told_at_once(command: str, required: list[str], how: str) -> None:
    nothing = {} if how == "absent" else dict.fromkeys(COMPLETE, "")
    assert refused(command, nothing) == f"required variables are missing: {', '.join(required)}"
    for name in required:
        incomplete = {key: value for key, value in COMPLETE.items() if key != name}
        if how == "empty":
            incomplete[name] = ""
        assert refused(command, incomplete) == f"required variables are missing: {name}"


@pytest.mark.parametrize("command", ["GC", "STATUS"])
def test_a_verb_of_no_container_needs_the_verb_alone(command: str) -> None:
    request = accepted(command, {"CNI_IFNAME": "../nonsense", "CNI_ARGS": "nonsense", "CNI_CONTAINERID": "/"})
    assert (request.container_id, request.netns, request.ifname, request.arguments) == ("", "", "", {})


@pytest.mark.parametrize("command", OF_A_CONTAINER)
def test_what_is_given_is_what_the_plugin_gets(command: str) -> None:
    request = accepted(command, {**COMPLETE, "CNI_PATH": "/a::/b:", "CNI_ARGS": "IP=10.0.0.1;MAC=x=y;"})
    assert request.command == command
    assert request.config.raw == CONFIG
    assert (request.container_id, request.netns, request.ifname) == ("pod-1", "/run/netns/pod", "eth0")
    assert (request.attachment.network, request.attachment.container_id, request.attachment.ifname) == (
        "net",
        "pod-1",
        "eth0",
    )
    assert request.path == ("/a", "/b")
    assert request.arguments == {"IP": "10.0.0.1", "MAC": "x=y"}


def test_a_sandbox_is_a_container_and_the_interface_that_the_runtime_asked_for() -> None:
    one = accepted("ADD", COMPLETE)
    assert one.sandbox == accepted("DEL", {**COMPLETE, "CNI_NETNS": ""}).sandbox
    assert one.sandbox == one.with_config(one.config, None).sandbox
    assert one.sandbox != accepted("ADD", {**COMPLETE, "CNI_CONTAINERID": "pod-2"}).sandbox
    assert one.sandbox != accepted("ADD", {**COMPLETE, "CNI_IFNAME": "eth1"}).sandbox


@pytest.mark.parametrize("command", VERBS)
def test_a_path_is_needed_by_those_who_delegate_alone(command: str) -> None:
    environment = {key: value for key, value in COMPLETE.items() if key != "CNI_PATH"}
    assert accepted(command, environment).path == ()


@pytest.mark.parametrize("command", ["", "add", "Add", "ADD ", "FROB", "VERSION\n", "NIL", "ADD,DEL"])
def test_a_verb_that_there_is_not_is_refused(command: str) -> None:
    message = refused(command, COMPLETE)
    assert message == (
        f"CNI_COMMAND {command!r} is not one of ADD, DEL, CHECK, GC, STATUS, VERSION"
        if command
        else "required variables are missing: CNI_COMMAND"
    )


def test_no_verb_at_all_is_refused() -> None:
    plugin = Recorder()
    assert Conversation(plugin, COMPLETE, STDIN).failed(4) == "required variables are missing: CNI_COMMAND"


# What the names may be.


@pytest.mark.parametrize("container_id", ["a", "7", "pod-1", "a_b.c-d", "0" * 64, "a" * 200])
@pytest.mark.parametrize("command", OF_A_CONTAINER)
def test_a_container_id_is_letters_digits_and_three_marks(command: str, container_id: str) -> None:
    assert accepted(command, {**COMPLETE, "CNI_CONTAINERID": container_id}).container_id == container_id


@pytest.mark.parametrize(
    "container_id",
    ["pod-1\n", "\n", "-a", ".a", "_a", "..", "a/b", "../a", "a b", "a:b", "é", "a\0", "a\udc80", "٣", "a" * 201],
)
@pytest.mark.parametrize("command", OF_A_CONTAINER)
def test_a_container_id_of_anything_else_is_refused(command: str, container_id: str) -> None:
    assert refused(command, {**COMPLETE, "CNI_CONTAINERID": container_id}).startswith("CNI_CONTAINERID ")


@pytest.mark.parametrize("ifname", ["eth0", "e", "a" * 15, "-x", "net1.100", "a@b", "€uro", "ü" * 7, "...", "\x01"])
@pytest.mark.parametrize("command", OF_A_CONTAINER)
def test_an_interface_may_have_any_name_that_the_kernel_takes(command: str, ifname: str) -> None:
    assert accepted(command, {**COMPLETE, "CNI_IFNAME": ifname}).ifname == ifname


@pytest.mark.parametrize(
    ("ifname", "why"),
    [
        ("a" * 16, "longer than 15 bytes"),
        ("ü" * 8, "longer than 15 bytes"),
        (".", "a directory's name"),
        ("..", "a directory's name"),
        ("a/b", "contains '/'"),
        ("a:b", "contains"),
        ("net%d", "contains"),
        ("a\0", "contains"),
        *((f"a{space}b", "white space") for space in " \t\n\v\f\r\u0085\u00a0\u1680\u2003\u2028\u3000"),
        ("eth0\n", "white space"),
        ("a\udc80", "not UTF-8"),
        ("\ud800", "not UTF-8"),
        ("à", "the byte 0xa0"),
    ],
)
@pytest.mark.parametrize("command", OF_A_CONTAINER)
def test_an_interface_name_that_the_kernel_would_not_take_is_refused(command: str, ifname: str, why: str) -> None:
    message = refused(command, {**COMPLETE, "CNI_IFNAME": ifname})
    assert message.startswith(f"CNI_IFNAME {ifname!r} cannot name an interface: ")
    assert why in message


@given(name=st.text(st.characters(max_codepoint=0x2100, exclude_categories=["Cs"]), min_size=1, max_size=15))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_kernel_takes_what_we_take(name: str, host: Namespace, kernel: Callable[[Namespace], Any]) -> None:
    assume(not wrong_with_ifname(name) and name != "lo")
    links = kernel(host)
    links.link("add", ifname=name, kind="bridge")
    links.link("del", ifname=name)


def test_what_is_malformed_is_told_before_what_is_missing() -> None:
    assert refused("ADD", {"CNI_IFNAME": "a/b"}).startswith("CNI_IFNAME 'a/b'")


@pytest.mark.parametrize("name", ["", "../net", "a/b", "net\n", ".net", "a b", "\ud800", "n" * 256, None])
@pytest.mark.parametrize("command", VERBS)
def test_a_network_name_that_is_none_is_refused(command: str, name: str | None) -> None:
    plugin = Recorder()
    config = {**CONFIG, "name": name}
    talk = hold(plugin, command, COMPLETE, json.dumps(config).encode())
    assert talk.failed(7).startswith("name: ")
    assert talk.answer["cniVersion"] == "1.1.0"
    assert plugin.asked == []


@given(st.text())
def test_a_name_is_never_a_path(text: str) -> None:
    if is_name(text):
        assert text.isascii()
        assert os.path.basename(text) == text
        assert text not in {".", ".."}


@given(st.text(max_size=18))
def test_an_interface_name_fits_where_the_kernel_puts_it(text: str) -> None:
    if not wrong_with_ifname(text):
        assert 0 < len(text.encode()) < 16
        assert os.path.basename(text) == text
        assert len(text.split()) == 1


# CNI_ARGS.


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", {}),
        (";", {}),
        ("IP=10.0.0.1", {"IP": "10.0.0.1"}),
        ("IP=10.0.0.1;", {"IP": "10.0.0.1"}),
        (";IP=;;MAC=x", {"IP": "", "MAC": "x"}),
        ("MAC=a=b==", {"MAC": "a=b=="}),
        ("IP=1;IP=2", {"IP": "2"}),
        ("GATEWAY=10.0.0.1,fd00::1", {"GATEWAY": "10.0.0.1,fd00::1"}),
        ("K8S_POD_NAME=x;K8S_POD_ANYTHING=y", {"K8S_POD_NAME": "x", "K8S_POD_ANYTHING": "y"}),
        ("IgnoreUnknown=1;FOO=bar", {"IgnoreUnknown": "1", "FOO": "bar"}),
        ("FOO=bar;IgnoreUnknown=true", {"FOO": "bar", "IgnoreUnknown": "true"}),
        ("IgnoreUnknown=True;ip=x", {"IgnoreUnknown": "True", "ip": "x"}),
        ("IgnoreUnknown=0;IP=x", {"IgnoreUnknown": "0", "IP": "x"}),
        ("IgnoreUnknown=false", {"IgnoreUnknown": "false"}),
    ],
)
@pytest.mark.parametrize("command", OF_A_CONTAINER)
def test_arguments_are_pairs(command: str, text: str, arguments: dict[str, str]) -> None:
    assert accepted(command, {**COMPLETE, "CNI_ARGS": text}).arguments == arguments


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "CNI_ARGS: 'nonsense' is not KEY=VALUE"),
        ("IP=x;nonsense", "CNI_ARGS: 'nonsense' is not KEY=VALUE"),
        ("=x", "CNI_ARGS: '=x' is not KEY=VALUE"),
        ("FOO=bar", "CNI_ARGS: unknown FOO (IgnoreUnknown=1 passes over them)"),
        ("A=1;IP=x;B=2", "CNI_ARGS: unknown A, B (IgnoreUnknown=1 passes over them)"),
        ("ip=x", "CNI_ARGS: unknown ip (IgnoreUnknown=1 passes over them)"),
        ("IgnoreUnknown=0;FOO=bar", "CNI_ARGS: unknown FOO (IgnoreUnknown=1 passes over them)"),
        ("IgnoreUnknown=yes", "CNI_ARGS: IgnoreUnknown must be true or false, and is 'yes'"),
        ("ignoreunknown=1", "CNI_ARGS: unknown ignoreunknown (IgnoreUnknown=1 passes over them)"),
    ],
)
@pytest.mark.parametrize("command", ["ADD", "CHECK"])
def test_arguments_that_nobody_understands_are_refused(command: str, text: str, message: str) -> None:
    assert refused(command, {**COMPLETE, "CNI_ARGS": text}) == message


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("nonsense", {}),
        ("IP=x;nonsense;=;MAC=y", {"IP": "x", "MAC": "y"}),
        ("FOO=bar", {"FOO": "bar"}),
        ("IgnoreUnknown=yes", {"IgnoreUnknown": "yes"}),
    ],
)
def test_no_argument_keeps_a_container_from_being_deleted(text: str, arguments: dict[str, str]) -> None:
    assert accepted("DEL", {**COMPLETE, "CNI_ARGS": text}).arguments == arguments


# Our own namespace.


@pytest.mark.parametrize("command", OF_A_CONTAINER)
@pytest.mark.parametrize("path", [OWN, "/proc/thread-self/ns/net", "/proc/{pid}/ns/net"])
def test_our_own_namespace_is_refused_before_the_plugin_is_called(command: str, path: str) -> None:
    path = path.format(pid=os.getpid())
    message = refused(command, {**COMPLETE, "CNI_NETNS": path}, code=8)
    assert message == f"CNI_NETNS {path} is the network namespace that this program runs in"


def test_our_own_namespace_is_refused_by_any_name(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(OWN)
    refused("ADD", {**COMPLETE, "CNI_NETNS": str(tmp_path / "link")}, code=8)


def test_our_own_namespace_is_refused_before_the_plugin_is_even_loaded() -> None:
    loaded = []

    def load() -> Recorder:
        loaded.append("recorder")
        return Recorder()

    Conversation(load, {"CNI_COMMAND": "ADD", **COMPLETE, "CNI_NETNS": OWN}, STDIN).failed(8)
    assert loaded == []


@pytest.mark.parametrize("command", OF_A_CONTAINER)
@pytest.mark.parametrize("override", ["1", "true", "TRUE", "True"])
def test_our_own_namespace_is_used_where_that_is_meant(command: str, override: str) -> None:
    accepted(command, {**COMPLETE, "CNI_NETNS": OWN, "CNI_NETNS_OVERRIDE": override})


@pytest.mark.parametrize("override", ["", "0", "false", "yes", "2"])
def test_anything_else_is_no_permission(override: str) -> None:
    refused("ADD", {**COMPLETE, "CNI_NETNS": OWN, "CNI_NETNS_OVERRIDE": override}, code=8)


@pytest.mark.parametrize("path", ["/gone", "/etc/passwd", "a\0b", "\ud800", "/proc/1/ns/uts", "/" + "x" * 5000])
def test_a_namespace_that_is_not_ours_is_the_plugins_business(path: str) -> None:
    assert accepted("DEL", {**COMPLETE, "CNI_NETNS": path}).netns == path


def test_another_namespace_passes(netns: Any) -> None:
    accepted("ADD", {**COMPLETE, "CNI_NETNS": netns()})


# Whatever the environment.

NAMES = st.sampled_from(["CNI_COMMAND", "CNI_NETNS_OVERRIDE", "CNI_ARGS", *COMPLETE]) | st.text(max_size=5)
VALUES = st.sampled_from([*VERBS, "VERSION", "eth0", "pod-1", OWN, "IP=10.0.0.1", "1"]) | st.text(max_size=20)


@given(st.dictionaries(NAMES, VALUES | st.text(st.characters(min_codepoint=0xD7F0, max_codepoint=0xDFFF))))
def test_any_environment_is_answered_with_one_document(environment: dict[str, str]) -> None:
    talk = Conversation(Recorder(), environment, STDIN)
    if talk.status == 0:
        assert environment["CNI_COMMAND"] in {*VERBS, "VERSION"}
    else:
        assert talk.answer["code"] in {4, 8}
        talk.failed(talk.answer["code"])
