"""Networks: what each member of a list is given, in which order, and how one is taken apart again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.config import Section
from cni_multus.cni.errors import (
    CniError,
    DecodingFailure,
    DelegateFailure,
    ForeignFailure,
    IncompatibleVersion,
    InvalidNetworkConfig,
)
from cni_multus.cni.request import Request
from cni_multus.cni.result import Result
from cni_multus.linux.links import add_veth, change_link
from cni_multus.network import Network
from tests.cni.programs import PluginDirectory
from tests.cni.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.cni.verbs import Plugin
    from cni_multus.linux.netns import Namespace

NOTHING = Section({})
FIRST: dict[str, Any] = {"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.2/24"}]}
SECOND: dict[str, Any] = {**FIRST, "routes": [{"dst": "0.0.0.0/0"}], "x-second": True}
THIRD: dict[str, Any] = {**SECOND, "dns": {"domain": "example.org"}}
BUSY = {"cniVersion": "1.0.0", "code": 11, "msg": "pool is empty"}


@pytest.fixture
def directory(tmp_path: Path) -> PluginDirectory:
    """Three plugins that succeed: first, second, third."""
    made = PluginDirectory(tmp_path / "bin")
    made.plugin("first", FIRST)
    made.plugin("second", SECOND)
    made.plugin("third", THIRD)
    return made


def network(*plugins: dict[str, Any], **keys: Any) -> Network:
    return Network(Section({"cniVersion": "1.0.0", "name": "net", "plugins": list(plugins), **keys}))


def three(**keys: Any) -> Network:
    return network({"type": "first"}, {"type": "second"}, {"type": "third"}, **keys)


def request(directory: PluginDirectory, command: str = "ADD") -> Request:
    return Request(
        command,
        Section({"name": "of-the-caller", "type": "multus"}),
        {"PATH": os.environ["PATH"]},
        container_id="pod-1",
        netns="/run/netns/pod",
        ifname="net1",
        path=(str(directory.path),),
    )


def result(document: dict[str, Any]) -> Result:
    return Result.parse(Section(document), "1.0.0")


# What is a network.


@pytest.mark.parametrize(
    ("config", "types"),
    [
        ({"name": "n", "type": "first"}, ["first"]),
        ({"name": "n", "plugins": [{"type": "first"}]}, ["first"]),
        (
            {"name": "n", "plugins": [{"type": "first"}, {"type": "second"}, {"type": "first"}]},
            ["first", "second", "first"],
        ),
        ({"Name": "n", "Plugins": [{"TYPE": "first"}]}, ["first"]),
        ({"name": "n", "type": "first", "plugins": None}, ["first"]),
    ],
)
def test_a_configuration_is_one_plugin_or_a_list(config: dict[str, Any], types: list[str]) -> None:
    read = Network(Section(config))
    assert read.name == "n"
    assert read.version == "0.1.0"
    assert [plugin.text("type") for plugin in read.plugins] == types


def test_a_configuration_without_name_and_version_has_those_it_is_given() -> None:
    read = Network(Section({"type": "first"}), name="nad", version="0.4.0")
    assert (read.name, read.version) == ("nad", "0.4.0")
    read = Network(Section({"type": "first", "name": "own", "cniVersion": "1.0.0"}), name="nad", version="0.4.0")
    assert (read.name, read.version) == ("own", "1.0.0")


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({"type": "x"}, InvalidNetworkConfig, "^name: the network has no name"),
        ({"type": "x", "name": ""}, InvalidNetworkConfig, "^name: the network has no name"),
        ({"type": "x", "name": "../x"}, InvalidNetworkConfig, r"^name: '\.\./x' is not a network name"),
        ({"type": "x", "name": "a/b"}, InvalidNetworkConfig, "^name: "),
        ({"type": "x", "name": ".hidden"}, InvalidNetworkConfig, "^name: "),
        ({"type": "x", "name": "new\n"}, InvalidNetworkConfig, "^name: "),
        ({"type": "x", "name": "n" * 256}, InvalidNetworkConfig, "^name: "),
        ({"type": "x", "name": ["n"]}, DecodingFailure, "^name must be a string, and is a list"),
        ({"name": "n"}, InvalidNetworkConfig, "^type: the plugin's type is missing"),
        ({"name": "n", "type": ""}, InvalidNetworkConfig, "^type: the plugin's type is missing"),
        ({"name": "n", "type": 1}, DecodingFailure, "^type must be a string"),
        ({"name": "n", "plugins": []}, InvalidNetworkConfig, "^plugins: the list is empty"),
        ({"name": "n", "plugins": {}}, DecodingFailure, "^plugins must be a list"),
        ({"name": "n", "plugins": ["x"]}, DecodingFailure, r"^plugins\[0\] must be an object"),
        ({"name": "n", "plugins": [{"type": "x"}, {}]}, InvalidNetworkConfig, r"^plugins\[1\]\.type: .* missing"),
        ({"name": "n", "type": "x", "cniVersion": "one"}, DecodingFailure, "^cniVersion 'one' is not a version"),
        ({"name": "n", "type": "x", "cniVersions": ["1.x"]}, DecodingFailure, "^cniVersion '1.x' is not a version"),
        ({"name": "n", "type": "x", "cniVersions": "1.0.0"}, DecodingFailure, "^cniVersions must be a list"),
        ({"name": "n", "type": "x", "disableCheck": "yes"}, DecodingFailure, "^disableCheck must be a boolean"),
        ({"name": "n", "type": "x", "disableGC": 1}, DecodingFailure, "^disableGC must be a boolean"),
    ],
)
def test_what_is_wrong_with_a_network_is_told_with_its_path(
    config: dict[str, Any], error: type[CniError], message: str
) -> None:
    with pytest.raises(error, match=message):
        Network(Section(config))


@pytest.mark.parametrize(
    ("offered", "written", "chosen"),
    [
        (None, "0.4.0", "0.4.0"),
        (None, None, "0.1.0"),
        (None, "1.2.3", "1.2.3"),
        ([], "0.4.0", "0.4.0"),
        (["0.3.1", "1.0.0", "0.4.0"], None, "1.0.0"),
        (["0.3.1"], "1.0.0", "1.0.0"),
        (["1.0.0"], "0.3.1", "1.0.0"),
        (["1.0.0", "1.1.0", "1.2.0", "2.0.0"], "0.4.0", "1.1.0"),
        (["0.4.0", "1.0.0"], "2.0.0", "1.0.0"),
        (["0.4.0", "1.0.7"], None, "0.4.0"),
        (["2.0.0"], "3.0.0", "3.0.0"),
        (["2.0.0"], None, "0.1.0"),
    ],
)
def test_of_the_versions_offered_the_newest_that_we_speak_is_taken(
    offered: list[str] | None, written: str | None, chosen: str
) -> None:
    config: dict[str, Any] = {"name": "n", "type": "x", "cniVersions": offered, "cniVersion": written}
    assert Network(Section(config)).version == chosen


# ADD.


def test_the_members_of_a_list_run_in_order_each_with_the_result_so_far(directory: PluginDirectory) -> None:
    assert three().add(request(directory), NOTHING).to_json("1.0.0") == THIRD
    assert directory.order == ["ADD first", "ADD second", "ADD third"]
    previous = [directory.calls(kind)[0].stdin.get("prevResult") for kind in ("first", "second", "third")]
    assert previous == [None, FIRST, SECOND]


def test_a_member_gets_the_name_and_version_of_the_list(directory: PluginDirectory) -> None:
    plugin = {"type": "first", "name": "own", "cniVersion": "0.2.0", "prevResult": THIRD, "mtu": 9000}
    network(plugin).add(request(directory), NOTHING)
    assert directory.calls("first")[0].stdin == {"type": "first", "name": "net", "cniVersion": "1.0.0", "mtu": 9000}


def test_a_single_plugin_gets_its_whole_configuration(directory: PluginDirectory) -> None:
    config: dict[str, Any] = {
        "cniVersion": "0.4.0",
        "name": "net",
        "type": "first",
        "ipam": {"type": "x"},
        "args": {"cni": {}},
    }
    Network(Section(config)).add(request(directory), NOTHING)
    assert directory.calls("first")[0].stdin == config


def test_the_configuration_itself_is_left_as_it_was(directory: PluginDirectory) -> None:
    plugin = {"type": "first", "capabilities": {"mac": True}, "prevResult": {}}
    read = network(dict(plugin))
    read.add(request(directory), Section({"mac": "02:00:00:00:00:01"}))
    read.collect_garbage(request(directory, "GC"), [])
    assert read.raw["plugins"] == [plugin]


@pytest.mark.parametrize(
    ("capabilities", "runtime", "passed"),
    [
        (None, {"mac": "m"}, None),
        ({}, {"mac": "m"}, None),
        ({"mac": True}, {}, None),
        ({"mac": False}, {"mac": "m"}, None),
        ({"mac": None}, {"mac": "m"}, None),
        ({"mac": True, "ips": True, "bandwidth": False}, {"mac": "m", "bandwidth": {}}, {"mac": "m"}),
        ({"portMappings": True}, {"portMappings": [{"hostPort": 80}]}, {"portMappings": [{"hostPort": 80}]}),
        ({"io.example/anything": True}, {"io.example/anything": [1, None]}, {"io.example/anything": [1, None]}),
        ({"empty": True}, {"empty": []}, {"empty": []}),
    ],
)
def test_a_member_gets_the_capabilities_that_it_asks_for(
    directory: PluginDirectory, capabilities: dict[str, Any] | None, runtime: dict[str, Any], passed: object
) -> None:
    plugin = {"type": "first", **({} if capabilities is None else {"capabilities": capabilities})}
    network(plugin, {"type": "second"}).add(request(directory), Section(runtime))
    assert directory.calls("first")[0].stdin.get("runtimeConfig") == passed
    assert "runtimeConfig" not in directory.calls("second")[0].stdin


def test_a_capability_that_is_neither_true_nor_false_is_told(directory: PluginDirectory) -> None:
    plugin = {"type": "first", "capabilities": {"mac": "yes"}}
    with pytest.raises(DecodingFailure, match=r"^plugins\[0\]\.capabilities\.mac must be a boolean"):
        network(plugin).add(request(directory), Section({"mac": "m"}))


@pytest.mark.parametrize(
    ("failed", "order"),
    [
        ("first", ["ADD first", "DEL first"]),
        ("second", ["ADD first", "ADD second", "DEL second", "DEL first"]),
        ("third", ["ADD first", "ADD second", "ADD third", "DEL third", "DEL second", "DEL first"]),
    ],
)
def test_a_member_that_fails_is_taken_back_with_all_before_it(
    directory: PluginDirectory, failed: str, order: list[str]
) -> None:
    directory.failing(failed, "ADD", BUSY)
    with pytest.raises(ForeignFailure, match=r"^pool is empty$") as failure:
        three().add(request(directory), NOTHING)
    assert directory.order == order
    assert (failure.value.code, failure.value.details, failure.value.leftovers) == (11, "", False)


def test_what_is_taken_back_is_told_what_there_was(directory: PluginDirectory) -> None:
    directory.failing("third", "ADD", BUSY)
    with pytest.raises(ForeignFailure):
        three().add(request(directory), NOTHING)
    deletions = [directory.calls(kind)[-1] for kind in ("first", "second", "third")]
    assert [call.environment["CNI_COMMAND"] for call in deletions] == ["DEL"] * 3
    assert [call.stdin["prevResult"] for call in deletions] == [SECOND] * 3


def test_a_missing_program_takes_back_what_came_before_it(directory: PluginDirectory) -> None:
    with pytest.raises(DelegateFailure, match=r"^plugins\[1\]\.type: there is no program 'missing'"):
        network({"type": "first"}, {"type": "missing"}, {"type": "third"}).add(request(directory), NOTHING)
    assert directory.order == ["ADD first", "DEL first"]


@pytest.mark.parametrize("body", ["cat >/dev/null; exit 0", "cat >/dev/null; echo garbage", "kill -9 $$"])
def test_a_member_that_answers_with_nonsense_takes_back_what_came_before_it(
    directory: PluginDirectory, body: str
) -> None:
    directory.plugin("second", then=f"[ $CNI_COMMAND != ADD ] || {{ {body}; exit 0; }}")
    with pytest.raises(DelegateFailure):
        three().add(request(directory), NOTHING)
    assert directory.order == ["ADD first", "ADD second", "DEL second", "DEL first"]


def test_what_cannot_be_taken_back_is_told_with_the_failure_and_stops_nothing(directory: PluginDirectory) -> None:
    directory.failing("second", "DEL", {"code": 5, "msg": "disk is full"})
    directory.failing("third", "ADD", BUSY)
    with pytest.raises(ForeignFailure, match="pool is empty") as failure:
        three().add(request(directory), NOTHING)
    assert directory.order[-3:] == ["DEL third", "DEL second", "DEL first"]
    assert failure.value.details == "taking it back failed too: disk is full"
    assert failure.value.leftovers


def test_one_of_ours_refuses_a_version_that_it_does_not_speak(directory: PluginDirectory) -> None:
    with pytest.raises(IncompatibleVersion):
        network({"type": "first"}, {"type": "loopback"}, cniVersion="1.2.0").add(request(directory), NOTHING)


# DEL.


def test_a_network_is_detached_backwards_with_the_result_of_the_add(directory: PluginDirectory) -> None:
    assert three().delete(request(directory, "DEL"), result(THIRD), NOTHING) == []
    assert directory.order == ["DEL third", "DEL second", "DEL first"]
    assert [directory.calls(kind)[0].stdin["prevResult"] for kind in ("first", "second", "third")] == [THIRD] * 3


def test_a_network_is_detached_without_a_result_too(directory: PluginDirectory) -> None:
    assert three().delete(request(directory, "DEL"), None, NOTHING) == []
    assert "prevResult" not in directory.calls("third")[0].stdin


def test_every_member_is_detached_whatever_fails(directory: PluginDirectory) -> None:
    directory.failing("third", "DEL", BUSY)
    directory.write("second", "kill -9 $$")
    many = network({"type": "first"}, {"type": "second"}, {"type": "gone"}, {"type": "third"})
    failures = many.delete(request(directory, "DEL"), result(THIRD), NOTHING)
    assert [failure.code for failure in failures] == [11, 101, 101]
    assert [failure.message.split(":")[0] for failure in failures] == [
        "pool is empty",
        "plugins[2].type",
        f"{directory.path}/second was killed by signal 9",
    ]
    assert directory.order == ["DEL third", "DEL first"]


def test_detaching_asks_for_del_whatever_the_request_is_about(directory: PluginDirectory) -> None:
    three().delete(request(directory, "ADD"), None, NOTHING)
    assert directory.order == ["DEL third", "DEL second", "DEL first"]


# CHECK, STATUS, GC.


def test_every_member_is_checked_with_the_result_of_the_add(directory: PluginDirectory) -> None:
    three().check(request(directory, "CHECK"), result(THIRD), Section({"mac": "m"}))
    assert directory.order == ["CHECK first", "CHECK second", "CHECK third"]
    assert directory.calls("second")[0].stdin["prevResult"] == THIRD


def test_the_first_difference_ends_a_check(directory: PluginDirectory) -> None:
    directory.failing("second", "CHECK", {"code": 102, "msg": "route is missing"})
    with pytest.raises(ForeignFailure, match="route is missing"):
        three().check(request(directory, "CHECK"), result(THIRD), NOTHING)
    assert directory.order == ["CHECK first", "CHECK second"]


@pytest.mark.parametrize("flag", [True, "true", "True", "TRUE"])
def test_a_check_that_is_disabled_asks_nobody(directory: PluginDirectory, flag: object) -> None:
    three(disableCheck=flag).check(request(directory, "CHECK"), None, NOTHING)
    assert directory.order == []


@pytest.mark.parametrize("flag", [False, "false", "False", None])
def test_a_check_that_is_not_disabled_asks_all(directory: PluginDirectory, flag: object) -> None:
    three(disableCheck=flag).check(request(directory, "CHECK"), None, NOTHING)
    assert directory.order == ["CHECK first", "CHECK second", "CHECK third"]


@pytest.mark.parametrize(("version", "asked"), [("0.3.1", 0), ("0.4.0", 3), ("1.0.0", 3), ("1.1.0", 3)])
def test_programs_are_checked_since_0_4_0(directory: PluginDirectory, version: str, asked: int) -> None:
    three(cniVersion=version).check(request(directory, "CHECK"), None, NOTHING)
    assert len(directory.order) == asked


@pytest.mark.parametrize(("version", "asked"), [("0.1.0", 0), ("1.0.0", 0), ("1.1.0", 3)])
def test_programs_tell_their_status_and_collect_garbage_since_1_1_0(
    directory: PluginDirectory, version: str, asked: int
) -> None:
    three(cniVersion=version).status(request(directory, "STATUS"))
    assert directory.order == ["STATUS first", "STATUS second", "STATUS third"][:asked]
    assert three(cniVersion=version).collect_garbage(request(directory, "GC"), []) == []
    assert directory.order[asked:] == ["GC first", "GC second", "GC third"][:asked]


def test_the_first_that_is_not_ready_tells_the_status(directory: PluginDirectory) -> None:
    directory.failing("second", "STATUS", {"code": 50, "msg": "no daemon"})
    with pytest.raises(ForeignFailure, match="no daemon") as failure:
        three(cniVersion="1.1.0").status(request(directory, "STATUS"))
    assert failure.value.code == 50
    assert directory.order == ["STATUS first", "STATUS second"]


@pytest.mark.parametrize("valid", [[], [{"containerID": "pod-1", "ifname": "eth0"}]])
def test_what_is_valid_is_passed_under_both_names(directory: PluginDirectory, valid: list[dict[str, object]]) -> None:
    config = {"type": "first", "capabilities": {"mac": True}}
    network(config, cniVersion="1.1.0").collect_garbage(request(directory, "GC"), valid)
    assert directory.calls("first")[0].stdin == {
        **config,
        "name": "net",
        "cniVersion": "1.1.0",
        "cni.dev/valid-attachments": valid,
        "cni.dev/attachments": valid,
    }


def test_every_member_collects_garbage_whatever_fails(directory: PluginDirectory) -> None:
    directory.failing("first", "GC", {"code": 5, "msg": "disk is full"})
    many = network({"type": "first"}, {"type": "gone"}, {"type": "third"}, cniVersion="1.1.0")
    failures = many.collect_garbage(request(directory, "GC"), [])
    assert [failure.code for failure in failures] == [5, 101]
    assert directory.order == ["GC first", "GC third"]


@pytest.mark.parametrize("flag", [True, "true"])
def test_garbage_is_not_collected_where_that_is_disabled(directory: PluginDirectory, flag: object) -> None:
    assert three(cniVersion="1.1.0", disableGC=flag).collect_garbage(request(directory, "GC"), []) == []
    assert directory.order == []


def test_programs_first_is_what_a_runtime_would_do(directory: PluginDirectory) -> None:
    directory.plugin("loopback", FIRST)
    read = network({"type": "loopback"})
    read.programs_first = True
    read.add(request(directory), NOTHING)
    assert directory.order == ["ADD loopback"]


@pytest.mark.parametrize("config", [{"type": "slow"}, {"type": "macvlan", "ipam": {"type": "slow"}}])
def test_a_request_limits_the_time_of_what_is_executed_for_it(
    config: dict[str, Any], directory: PluginDirectory, container: Namespace, host: Namespace
) -> None:
    directory.write("slow", "sleep 300")
    asked = request(directory)
    asked.timeout = 0.2
    asked.netns = container.path
    change_link(container, add_veth(container, "up0", peer="up1", peer_namespace=host).index, up=True)
    with pytest.raises(CniError, match=r"did not end within 0\.2 s") as failure:
        network({**config, "master": "up0", "linkInContainer": True}).add(asked, NOTHING)
    assert failure.value.code == 11


# Plugins of ours, called in this process: they may raise anything.


class Ours(Network):
    """A network whose members are these objects."""

    def __init__(self, **plugins: Plugin) -> None:
        super().__init__(
            Section({"cniVersion": "1.0.0", "name": "net", "plugins": [{"type": kind} for kind in plugins]})
        )
        self.members = plugins

    def _find(self, section: Section, request: Request) -> Plugin:
        return self.members[section.text("type")]


UNFORESEEN = [OSError(28, "No space left"), RecursionError(), MemoryError(), TypeError("bug"), KeyboardInterrupt()]


@pytest.mark.parametrize("unforeseen", UNFORESEEN)
def test_whatever_one_of_ours_raises_the_others_are_taken_back(
    directory: PluginDirectory, unforeseen: BaseException
) -> None:
    first, second, third = Recorder(), Recorder(), Recorder(failure=unforeseen)
    with pytest.raises(type(unforeseen)) as failure:
        Ours(a=first, b=second, c=third).add(request(directory), NOTHING)
    assert failure.value is unforeseen
    assert (first.verbs, second.verbs, third.verbs) == (["ADD", "DEL"], ["ADD", "DEL"], ["ADD"])


@pytest.mark.parametrize("unforeseen", UNFORESEEN)
def test_whatever_one_of_ours_raises_the_others_are_detached(
    directory: PluginDirectory, unforeseen: BaseException
) -> None:
    first, second, third = Recorder(), Recorder(failure=unforeseen), Recorder()
    ours = Ours(a=first, b=second, c=third)
    if isinstance(unforeseen, OSError):
        (failure,) = ours.delete(request(directory, "DEL"), None, NOTHING)
        assert (failure.code, failure.message) == (5, "cannot take b apart: [Errno 28] No space left")
    else:
        with pytest.raises(type(unforeseen)):
            ours.delete(request(directory, "DEL"), None, NOTHING)
    assert (first.verbs, second.verbs, third.verbs) == (["DEL"], ["DEL"], ["DEL"])


def test_a_disk_that_is_full_keeps_no_other_from_collecting_garbage(directory: PluginDirectory) -> None:
    first, second = Recorder(failure=OSError(28, "No space left")), Recorder()
    (failure,) = Ours(a=first, b=second).collect_garbage(request(directory, "GC"), [])
    assert (failure.code, failure.message) == (5, "cannot collect what a left: [Errno 28] No space left")
    assert second.verbs == ["GC"]


def test_a_list_may_be_long(directory: PluginDirectory) -> None:
    many = {f"p{at}": Recorder() for at in range(2000)}
    assert Ours(**many).delete(request(directory, "DEL"), None, NOTHING) == []
    assert all(plugin.verbs == ["DEL"] for plugin in many.values())


def test_one_of_ours_gets_the_result_so_far_as_a_value(directory: PluginDirectory) -> None:
    first, second = Recorder(result(FIRST)), Recorder(result(SECOND))
    assert Ours(a=first, b=second).add(request(directory), NOTHING) is second.result
    assert first.asked[0][1].previous is None
    assert second.asked[0][1].previous is first.result


def test_ours_collect_and_tell_their_status_whatever_the_version(directory: PluginDirectory) -> None:
    plugin = Recorder()
    ours = Ours(a=plugin)
    ours.status(request(directory, "STATUS"))
    ours.collect_garbage(request(directory, "GC"), [{"containerID": "pod-1", "ifname": "eth0"}])
    assert plugin.verbs == ["STATUS", "GC"]
    assert plugin.asked[1][1].valid_attachments() == {("pod-1", "eth0")}
