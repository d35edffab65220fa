"""What a request says of itself: its version, the result so far, and what is still valid."""

from __future__ import annotations

import json
from io import FileIO
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.errors import InvalidNetworkConfig
from cni_multus.cni.request import Request
from cni_multus.cni.verbs import Plugin
from cni_multus.cni.versions import OLDEST, SUPPORTED
from tests.cni.recorder import CONFIG, RESULT, VERBS, Conversation, Recorder, say

if TYPE_CHECKING:
    pass

# Versions.


@pytest.mark.parametrize("command", VERBS)
@pytest.mark.parametrize("version", SUPPORTED)
def test_each_verb_came_with_its_version(command: str, version: str) -> None:
    first = {"CHECK": "0.4.0", "GC": "1.1.0", "STATUS": "1.1.0"}.get(command, OLDEST)
    plugin = Recorder(RESULT)
    talk = say(plugin, command, cniVersion=version)
    if version >= first:
        assert (talk.status, plugin.verbs) == (0, [command])
    else:
        assert talk.failed(1) == f"{command} needs cniVersion {first} or newer, and the configuration says {version}"
        assert plugin.asked == []


@pytest.mark.parametrize("written", [{}, {"cniVersion": ""}, {"cniVersion": None}])
def test_no_version_is_the_oldest(written: dict[str, str]) -> None:
    plugin = Recorder(RESULT)
    config = {"name": "net", "type": "recorder", **written}
    talk = say(plugin, stdin=json.dumps(config).encode())
    assert talk.answer == {"cniVersion": "0.1.0", "ip4": {"ip": "10.0.0.2/24"}, "dns": {}}
    assert say(plugin, "CHECK", json.dumps(config).encode()).failed(1)


@pytest.mark.parametrize("version", ["0.0.9", "0.3.2", "0.5.0", "1.2.0", "2.0.0", "1", "1.1", "01.1.0", "1.1.00"])
@pytest.mark.parametrize("command", VERBS)
def test_a_version_that_nobody_speaks_is_refused(command: str, version: str) -> None:
    plugin = Recorder()
    talk = say(plugin, command, cniVersion=version)
    assert talk.failed(1) == f"cniVersion {version!r} is not supported"
    assert talk.answer["details"] == (
        f"config is {version!r}, plugin supports 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0"
    )
    assert plugin.asked == []


@pytest.mark.parametrize(
    "version", ["latest", "v1.0.0", "1.0.0-rc1", "1..0", "1.0.0.0", " 1.0.0", "1.0.0\n", "-1", "٣"]
)
def test_a_version_that_is_none_is_refused(version: str) -> None:
    assert say(Recorder(), cniVersion=version).failed(6) == f"cniVersion {version!r} is not a version (as in 1.1.0)"


def test_a_plugin_may_speak_fewer_versions() -> None:
    class Modern(Recorder):
        versions = ("1.0.0", "1.1.0")

    assert say(Modern(), cniVersion="1.0.0").status == 0
    talk = say(Modern(), cniVersion="0.4.0")
    assert talk.failed(1) == "cniVersion '0.4.0' is not supported"
    assert talk.answer["details"] == "config is '0.4.0', plugin supports 1.0.0, 1.1.0"


@pytest.mark.parametrize("stdin", [b"", b"{", b'{"cniVersion": "0.1.0"}', b"\xff"])
def test_the_versions_are_told_whatever_the_input(stdin: bytes) -> None:
    talk = Conversation(Recorder(), {"CNI_COMMAND": "VERSION", "CNI_IFNAME": "../x"}, stdin)
    assert talk.status == 0
    assert talk.stdout == (
        b'{"cniVersion":"1.1.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}\n'
    )


def test_the_versions_are_told_without_reading_the_input(unreadable: FileIO) -> None:
    assert Conversation(Recorder(), {"CNI_COMMAND": "VERSION"}, unreadable).status == 0


def test_a_request_can_be_made_without_a_conversation() -> None:
    """As a command does that calls a plugin by hand."""
    request = Request.parse({"CNI_COMMAND": "GC", "CNI_PATH": "/a"}, json.dumps(CONFIG).encode())
    assert (request.command, request.name, request.version, request.path) == ("GC", "net", "1.1.0", ("/a",))
    with pytest.raises(InvalidNetworkConfig, match=r"^name: '' is not a network name"):
        Request.parse({"CNI_COMMAND": "GC"}, b"{}")


# prevResult.

PREVIOUS = {"cniVersion": "0.4.0", "ips": [{"version": "4", "address": "10.0.0.2/24"}], "x": 1}


@pytest.mark.parametrize("command", ["ADD", "DEL", "CHECK"])
def test_the_result_so_far_is_read_in_its_own_version(command: str) -> None:
    plugin = Recorder(RESULT)
    assert say(plugin, command, prevResult=PREVIOUS).status == 0
    previous = plugin.asked[0][1].previous
    assert previous is not None
    assert previous.to_json("1.0.0") == {"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.2/24"}], "x": 1}


@pytest.mark.parametrize("command", ["ADD", "DEL", "CHECK"])
@pytest.mark.parametrize("absent", [{}, {"prevResult": None}])
def test_there_may_be_no_result_so_far(command: str, absent: dict[str, None]) -> None:
    plugin = Recorder(RESULT)
    assert say(plugin, command, **absent).status == 0
    assert plugin.asked[0][1].previous is None


BROKEN: list[tuple[object, int, str]] = [
    ([], 6, "prevResult must be an object, and is a list"),
    ("x", 6, "prevResult must be an object, and is a string"),
    ({"ips": 5}, 6, "prevResult.ips must be a list, and is a number"),
    ({"ips": [{"address": "x"}]}, 7, "prevResult.ips[0].address: "),
    ({"cniVersion": "7.0.0"}, 1, "cniVersion '7.0.0' is not supported"),
]


@pytest.mark.parametrize("command", ["ADD", "CHECK"])
@pytest.mark.parametrize(("previous", "code", "message"), BROKEN)
def test_a_broken_result_is_told(command: str, previous: object, code: int, message: str) -> None:
    plugin = Recorder()
    assert say(plugin, command, prevResult=previous).failed(code).startswith(message)
    assert plugin.asked == []


@pytest.mark.parametrize("command", ["DEL", "GC", "STATUS"])
@pytest.mark.parametrize("previous", [previous for previous, _, _ in BROKEN])
def test_a_broken_result_keeps_nothing_from_being_removed(command: str, previous: object) -> None:
    plugin = Recorder()
    assert say(plugin, command, prevResult=previous).status == 0
    assert plugin.asked[0][1].previous is None


# GC.

VALID = "cni.dev/valid-attachments"


def collect(plugin: Plugin, keys: dict[str, Any]) -> Conversation:
    return say(plugin, "GC", json.dumps({**CONFIG, **keys}).encode())


def test_what_is_valid_is_a_list_of_pairs() -> None:
    plugin = Recorder()
    listed = [{"containerID": "a", "ifname": "eth0"}, {"ContainerID": "b", "IfName": "net1"}]
    assert collect(plugin, {VALID: listed}).status == 0
    assert plugin.asked[0][1].valid_attachments() == {("a", "eth0"), ("b", "net1")}


def test_an_empty_list_says_that_nothing_is_valid() -> None:
    plugin = Recorder()
    collect(plugin, {VALID: []})
    assert plugin.asked[0][1].valid_attachments() == set()


@pytest.mark.parametrize(
    ("keys", "code"),
    [({}, 7), ({VALID: None}, 7), ({VALID: {}}, 6), ({VALID: ["a"]}, 6), ({VALID: [{"containerID": 1}]}, 6)],
)
def test_no_list_does_not_say_that_nothing_is_valid(keys: dict[str, Any], code: int) -> None:
    class Collector(Recorder):
        def collect_garbage(self, request: Any) -> None:
            super().collect_garbage(request)
            request.valid_attachments()

    assert collect(Collector(), keys).failed(code).startswith(VALID)
