"""Conversations: whatever the plugin does, one document goes out and the status tells which."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni import errors
from cni_multus.cni.errors import CniError, NetlinkFailure, TryAgainLater
from cni_multus.cni.result import Interface, Result
from cni_multus.cni.verbs import Plugin
from cni_multus.cni.versions import NEWEST, OLDEST, SUPPORTED
from tests.cni.recorder import CONFIG, ENVIRONMENT, RESULT, VERBS, Conversation, Recorder, say

if TYPE_CHECKING:
    from cni_multus.cni.request import Request

# What goes out.


def test_an_add_prints_its_result_as_the_reference_does() -> None:
    talk = say(Recorder(RESULT), cniVersion="0.4.0")
    assert talk.status == 0
    assert talk.stdout.decode() == json.dumps(RESULT.to_json("0.4.0"), indent=4)


@pytest.mark.parametrize("command", ["DEL", "CHECK", "GC", "STATUS"])
def test_the_other_verbs_print_nothing(command: str) -> None:
    talk = say(Recorder(), command)
    assert (talk.status, talk.stdout, talk.stderr) == (0, b"", "")


FAILURES = sorted(
    (one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, CniError)),
    key=lambda one: (one.code, one.__name__),
)


@pytest.mark.parametrize("command", VERBS)
@pytest.mark.parametrize("kind", [one for one in FAILURES if one is not errors.ForeignFailure])
def test_a_failure_is_told_with_its_code(command: str, kind: type[CniError]) -> None:
    talk = say(Recorder(failure=kind("it failed", "in detail")), command)
    assert talk.failed(kind.code) == "it failed"
    assert talk.stdout.decode() == json.dumps(
        {"cniVersion": "1.1.0", "code": kind.code, "msg": "it failed", "details": "in detail"}, indent=4
    )
    assert talk.stderr == ""


def test_the_codes_are_those_of_the_specification() -> None:
    table = {one.__name__: one.code for one in FAILURES}
    assert table == {
        "IncompatibleVersion": 1,
        "UnsupportedField": 2,
        "UnknownContainer": 3,
        "InvalidEnvironment": 4,
        "IoFailure": 5,
        "DecodingFailure": 6,
        "InvalidNetworkConfig": 7,
        "InvalidNetns": 8,
        "TryAgainLater": 11,
        "PoolExhausted": 11,
        "NotAvailable": 50,
        "NotAvailableAndDegraded": 51,
        "NetlinkFailure": 100,
        "DelegateFailure": 101,
        "CheckFailed": 102,
        "ApiFailure": 103,
        "CniError": 999,
        "ForeignFailure": 999,
    }


def test_details_are_left_out_where_there_are_none() -> None:
    assert set(say(Recorder(failure=TryAgainLater("busy"))).answer) == {"cniVersion", "code", "msg"}


def test_a_delegates_own_code_is_passed_on() -> None:
    assert say(Recorder(failure=errors.ForeignFailure(4711, "theirs"))).failed(4711) == "theirs"


@pytest.mark.parametrize("version", SUPPORTED)
def test_an_error_speaks_the_version_of_the_configuration(version: str) -> None:
    assert say(Recorder(failure=TryAgainLater("busy")), cniVersion=version).answer["cniVersion"] == version


@pytest.mark.parametrize(
    ("stdin", "version"),
    [
        (b'{"name": "../x", "cniVersion": "0.4.0"}', "0.4.0"),
        (b'{"name": "../x"}', OLDEST),
        (b'{"name": "../x", "cniVersion": "9.9.9"}', NEWEST),
        (b'{"name": "../x", "cniVersion": 3}', NEWEST),
        (b"{", NEWEST),
    ],
)
def test_an_error_speaks_it_as_soon_as_it_is_known(stdin: bytes, version: str) -> None:
    assert say(Recorder(), stdin=stdin).answer["cniVersion"] == version


TEXTS = ["\ud800", "a\udcff", "\0", "\x1b[31m", "\u2028", "😀", '"quoted"', "line\nline", "x" * 4096]


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_can_be_told(text: str) -> None:
    talk = say(Recorder(failure=TryAgainLater(text, text)))
    assert talk.failed(11) == text
    assert talk.stdout.isascii()
    assert b"\n\n" not in talk.stdout


class Weird(Exception):
    """An error that can be told, with difficulty."""

    def __str__(self) -> str:
        return "\udc80\0"


UNFORESEEN = [
    OSError(28, "No space left on device", "/var/lib/cni"),
    RecursionError("maximum recursion depth exceeded"),
    MemoryError(),
    AssertionError(),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    StopIteration(3),
    ImportError("no module"),
    Weird(),
    ExceptionGroup("several", [ValueError("one"), KeyError("\ud800")]),
]


@pytest.mark.parametrize("command", VERBS)
@pytest.mark.parametrize("unforeseen", UNFORESEEN, ids=lambda one: type(one).__name__)
def test_what_nobody_foresaw_is_told_too(command: str, unforeseen: Exception) -> None:
    talk = say(Recorder(failure=unforeseen), command)
    assert talk.failed(999) == f"internal error: {type(unforeseen).__name__}: {unforeseen}"
    assert "Traceback (most recent call last):\n" in talk.stderr
    assert type(unforeseen).__name__ in talk.stderr


def test_a_recursion_without_end_is_told() -> None:
    class Dizzy(Recorder):
        def add(self, request: Any) -> Result:
            return self.add(request)

    assert "RecursionError" in say(Dizzy()).failed(999)


def test_more_memory_than_there_is_is_told() -> None:
    class Greedy(Recorder):
        def add(self, request: Any) -> Result:
            bytearray(1 << 60)
            return Result()

    assert "MemoryError" in say(Greedy()).failed(999)


def test_a_plugin_that_cannot_be_loaded_is_told() -> None:
    def load() -> Plugin:
        raise ModuleNotFoundError("No module named 'plugins.broken'")

    talk = Conversation(load, {"CNI_COMMAND": "ADD", **ENVIRONMENT}, json.dumps(CONFIG).encode())
    assert talk.failed(999) == "internal error: ModuleNotFoundError: No module named 'plugins.broken'"
    assert talk.answer["cniVersion"] == "1.1.0"


def test_a_plugin_without_add_says_so() -> None:
    assert say(Plugin()).failed(4) == "Plugin has no ADD"
    assert say(Plugin(), "DEL").failed(4) == "Plugin has no DEL"
    assert [say(Plugin(), command).status for command in ("CHECK", "STATUS", "GC")] == [0, 0, 0]


# Streams that take nothing.


class Broken(BytesIO):
    """A stream whose reader is gone."""

    def write(self, data: Any, /) -> int:
        raise BrokenPipeError(32, "Broken pipe")


class Full(BytesIO):
    """A stream that takes everything, and then cannot keep it."""

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("stdout", [Broken, Full])
@pytest.mark.parametrize(
    ("command", "plugin"),
    [("ADD", Recorder(RESULT)), ("ADD", Recorder(failure=TryAgainLater("x"))), ("DEL", Recorder(failure=OSError("x")))],
)
def test_an_answer_that_nobody_gets_is_a_failure(stdout: type[BytesIO], command: str, plugin: Recorder) -> None:
    talk = Conversation(plugin, {"CNI_COMMAND": command, **ENVIRONMENT}, json.dumps(CONFIG).encode(), stdout())
    assert talk.status == 1
    assert "cannot write the answer to standard output: " in talk.stderr


@pytest.mark.parametrize("stdout", [Broken, Full])
def test_an_add_that_nobody_hears_of_is_taken_back(stdout: type[BytesIO]) -> None:
    plugin = Recorder(RESULT)
    Conversation(plugin, {"CNI_COMMAND": "ADD", **ENVIRONMENT}, json.dumps(CONFIG).encode(), stdout())
    assert plugin.verbs == ["ADD", "DEL"]


@pytest.mark.parametrize("stdout", [Broken, Full])
@pytest.mark.parametrize("command", ["DEL", "CHECK", "STATUS", "GC"])
def test_who_has_nothing_to_say_needs_no_listener(stdout: type[BytesIO], command: str) -> None:
    talk = Conversation(Recorder(), {"CNI_COMMAND": command, **ENVIRONMENT}, json.dumps(CONFIG).encode(), stdout())
    assert talk.status == 0


@pytest.mark.parametrize("stderr", [Broken, Full])
def test_a_traceback_that_nobody_reads_keeps_no_answer_back(stderr: type[BytesIO]) -> None:
    talk = Conversation(
        Recorder(failure=TypeError("bug")),
        {"CNI_COMMAND": "ADD", **ENVIRONMENT},
        json.dumps(CONFIG).encode(),
        stderr=stderr(),
    )
    assert talk.failed(999) == "internal error: TypeError: bug"


# A result that cannot be told.


class Clumsy(Recorder):
    """Attaches well, and cannot be deleted."""

    def delete(self, request: Any) -> None:
        super().delete(request)
        raise NetlinkFailure("cannot remove eth0")


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_an_attachment_that_cannot_be_told_is_taken_back(version: str) -> None:
    plugin = Recorder(Result([Interface("eth0", sandbox="/run/netns/pod")]))
    talk = say(plugin, cniVersion=version)
    assert talk.failed(1) == f"a result without addresses cannot be told in CNI {version}: no valid IP addresses"
    assert plugin.verbs == ["ADD", "DEL"]
    added, deleted = (request for _, request in plugin.asked)
    assert (added.command, deleted.command) == ("ADD", "DEL")
    assert added.config is deleted.config
    assert added.attachment.ifname == deleted.attachment.ifname == "eth0"
    assert (added.netns, added.sandbox) == (deleted.netns, deleted.sandbox)


def test_what_cannot_be_taken_back_either_is_told_with_it() -> None:
    talk = say(Clumsy(), cniVersion="0.2.0")
    assert talk.answer["code"] == 1
    assert talk.answer["details"] == "taking it back failed too: cannot remove eth0"


@pytest.mark.parametrize("strange", [object(), {1: 2}, {"deep"}], ids=["object", "number for a key", "set"])
def test_a_result_that_is_no_json_is_taken_back_too(strange: object) -> None:
    result = Result()
    result.unknown["x"] = strange
    plugin = Recorder(result)
    assert say(plugin).failed(999).startswith("internal error: TypeError")
    assert plugin.verbs == ["ADD", "DEL"]


# After the answer.


class Late(Recorder):
    """Does something when the answer is out, and notes what was out by then."""

    def __init__(self, stdout: BytesIO, failure: BaseException | None = None, late: Exception | None = None) -> None:
        super().__init__(RESULT, failure)
        self.stdout = stdout
        self.late = late
        self.seen: list[bytes] = []
        self.error: CniError | None = None

    def told(self, request: Request, error: CniError | None) -> None:
        self.seen.append(self.stdout.getvalue())
        self.error = error
        if self.late is not None:
            raise self.late


@pytest.mark.parametrize("failure", [None, TryAgainLater("busy"), OSError("x")], ids=["good", "bad", "unforeseen"])
@pytest.mark.parametrize("command", VERBS)
def test_a_plugin_hears_when_its_answer_is_out(command: str, failure: Exception | None) -> None:
    stdout = BytesIO()
    plugin = Late(stdout, failure)
    Conversation(plugin, {"CNI_COMMAND": command, **ENVIRONMENT}, json.dumps(CONFIG).encode(), stdout)
    assert plugin.verbs == [command]
    assert plugin.seen == [stdout.getvalue()]
    assert bool(stdout.getvalue()) == (command == "ADD" or failure is not None)
    told = json.loads(stdout.getvalue())["msg"] if failure else None
    assert (plugin.error.message if plugin.error else None) == told


def test_it_hears_of_a_request_that_it_never_saw() -> None:
    stdout = BytesIO()
    plugin = Late(stdout)
    config = json.dumps({**CONFIG, "cniVersion": "9.9.9"}).encode()
    assert Conversation(plugin, {"CNI_COMMAND": "ADD", **ENVIRONMENT}, config, stdout).failed(1)
    assert (plugin.verbs, plugin.seen) == ([], [stdout.getvalue()])


def test_it_hears_of_an_answer_that_nobody_gets_when_that_is_taken_back() -> None:
    stdout = Broken()
    plugin = Late(stdout)
    Conversation(plugin, {"CNI_COMMAND": "ADD", **ENVIRONMENT}, json.dumps(CONFIG).encode(), stdout)
    assert plugin.verbs == ["ADD", "DEL"]
    assert plugin.seen == [b""]
    assert plugin.error is not None
    assert plugin.error.code == 5


@pytest.mark.parametrize("late", [TryAgainLater("late"), OSError(28, "full"), RecursionError()])
def test_what_fails_then_changes_no_answer(late: Exception) -> None:
    stdout = BytesIO()
    plugin = Late(stdout, late=late)
    talk = Conversation(plugin, {"CNI_COMMAND": "ADD", **ENVIRONMENT}, json.dumps(CONFIG).encode(), stdout)
    assert (talk.status, talk.answer) == (0, RESULT.to_json("1.1.0"))
    assert type(late).__name__ in talk.stderr


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    talk = say(Recorder(failure=TryAgainLater(f"cannot {'x' * 100_000}: busy")))
    told = talk.failed(11)
    assert told.startswith("cannot x")
    assert told.endswith("x: busy")
    assert len(told) == 4096
