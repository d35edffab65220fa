"""Standard input: what is no configuration is told, whatever it is, and nobody is called."""

from __future__ import annotations

import json
from io import BytesIO, FileIO
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_multus.cni.document import DEEPEST, LARGEST
from cni_multus.cni.versions import SUPPORTED
from tests.cni.recorder import CONFIG, RESULT, VERBS, Recorder, say

if TYPE_CHECKING:
    pass

NUMBER = "9" * 5000

BAD_INPUT = {
    "nothing": (b"", 6, "standard input is empty"),
    "white space": (b" \n\t\r ", 6, "standard input is empty"),
    "no JSON": (b"hello", 6, "standard input is not JSON: line 1, column 1: a value is missing"),
    "half an object": (b'{"name": "net"', 6, "standard input is not JSON: line 1, column 15"),
    "a missing value": (b'{"name":\n  }', 6, "standard input is not JSON: line 2, column 3"),
    "a trailing comma": (b'{"name": "net",}', 6, "standard input is not JSON: line 1, column 16"),
    "single quotes": (b"{'name': 'net'}", 6, "standard input is not JSON: line 1, column 2"),
    "a comment": (b'{"name": "net"} // x', 6, "standard input is not JSON: line 1, column 17: more after the end"),
    "two documents": (b"{}{}", 6, "standard input is not JSON: line 1, column 3: more after the end"),
    "a list": (b"[]", 6, "standard input is not a JSON object but a list"),
    "a text": (b'"net"', 6, "standard input is not a JSON object but a string"),
    "a number": (b"1", 6, "standard input is not a JSON object but a number"),
    "a fraction": (b"1.5", 6, "standard input is not a JSON object but a number"),
    "a boolean": (b"true", 6, "standard input is not a JSON object but a boolean"),
    "null": (b"null", 6, "standard input is not a JSON object but null"),
    "a byte order mark": (b'\xef\xbb\xbf{"name": "net"}', 6, "standard input is not JSON: it starts with a byte order"),
    "Latin-1": ('{"name": "né"}'.encode("latin-1"), 6, "standard input is not UTF-8: byte 11 is 0xe9"),
    "UTF-16": ('{"name": "net"}'.encode("utf-16"), 6, "standard input is not UTF-8: byte 0 is 0xff"),
    "a surrogate in UTF-8": (b'{"name": "\xed\xa0\x80"}', 6, "standard input is not UTF-8"),
    "half a character": (b'{"name": "n\xc3', 6, "standard input is not UTF-8"),
    "a NUL": (b'{"name": "net"}\0', 6, "standard input is not JSON: line 1, column 16: more after the end"),
    "a NUL in a text": (b'{"name": "n\0t"}', 6, "standard input is not JSON: line 1, column 12"),
    "an escaped NUL": (b'{"name": "n\\u0000t"}', 7, "name: a NUL character in 'n\\x00t'"),
    "a newline in a text": (b'{"name": "n\nt"}', 6, "standard input is not JSON"),
    "an infinite number": (
        b'{"name": "net", "x": 1e999}',
        6,
        "standard input is not JSON: the number 1e999 is too large",
    ),
    "Infinity": (b'{"name": "net", "x": -Infinity}', 6, "standard input is not JSON: -Infinity is not JSON"),
    "not a number": (b'{"name": "net", "x": NaN}', 6, "standard input is not JSON: NaN is not JSON"),
    "a long number": (f'{{"x": {NUMBER}}}'.encode(), 6, "standard input is not JSON: Exceeds the limit (4300 digits)"),
    "a hundred thousand lists": (b"[" * 100_000, 6, "standard input is nested deeper than 200 levels"),
    "a hundred thousand objects": (b'{"x":' * 100_000, 6, "standard input is nested deeper than 200 levels"),
    "deep lists": (b'{"x":' + b"[" * 900 + b"]" * 900 + b"}", 6, "standard input is nested deeper than 200 levels"),
    "17 MiB of blanks": (b" " * (17 << 20), 6, "standard input is larger than 4 MiB"),
    "a large configuration": (b'{"x": "' + b"x" * LARGEST + b'"}', 6, "standard input is larger than 4 MiB"),
    "an empty object": (b"{}", 7, "name: '' is not a network name"),
    "a number for the name": (b'{"name": 5}', 6, "name must be a string, and is a number"),
    "a number for the version": (
        b'{"name": "net", "cniVersion": 1}',
        6,
        "cniVersion must be a string, and is a number",
    ),
}


@pytest.mark.parametrize("command", VERBS)
@pytest.mark.parametrize(("stdin", "code", "message"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_told_and_nobody_is_called(command: str, stdin: bytes, code: int, message: str) -> None:
    plugin = Recorder()
    talk = say(plugin, command, stdin)
    assert talk.failed(code).startswith(message)
    assert talk.answer["cniVersion"] in SUPPORTED
    assert plugin.asked == []
    assert talk.stderr == ""


GOOD_INPUT = {
    "other cases": b'{"Name": "net", "CNIVERSION": "1.1.0"}',
    "the exact key and another": b'{"NAME": "../x", "name": "net", "cniVersion": "1.1.0", "CNIVersion": "9"}',
    "a key twice": b'{"name": "../x", "name": "net", "cniVersion": "9", "cniVersion": "1.1.0"}',
    "null": b'{"name": "net", "cniVersion": "1.1.0", "prevResult": null, "ipam": null, "args": null}',
    "unknown keys": b'{"name": "net", "cniVersion": "1.1.0", "x": {"y": [1.5e300, -0, "\\ud800"]}}',
    "white space": b'\r\n\t {"name": "net", "cniVersion": "1.1.0"} \n\n',
    "a long number": b'{"name": "net", "cniVersion": "1.1.0", "x": ' + b"9" * 4300 + b"}",
    "as deep as may be": b'{"name":"net","cniVersion":"1.1.0","x":'
    + b"[" * (DEEPEST - 1)
    + b"]" * (DEEPEST - 1)
    + b"}",
    "many brackets": json.dumps({**CONFIG, "x": [[]] * 1000, "y": "[{" * 1000}).encode(),
}


@pytest.mark.parametrize("command", VERBS)
@pytest.mark.parametrize("stdin", GOOD_INPUT.values(), ids=GOOD_INPUT)
def test_input_that_operators_have_is_understood(command: str, stdin: bytes) -> None:
    plugin = Recorder(RESULT)
    talk = say(plugin, command, stdin)
    assert (talk.status, plugin.verbs) == (0, [command]), talk.stdout
    assert plugin.asked[0][1].name == "net"
    assert plugin.asked[0][1].version == "1.1.0"


def test_input_that_cannot_be_read_is_told(unreadable: FileIO) -> None:
    plugin = Recorder()
    talk = say(plugin, stdin=unreadable)
    assert talk.failed(5) == "cannot read standard input: Bad file descriptor"
    assert plugin.asked == []


class Endless(BytesIO):
    """Input without an end: what was taken of it is counted."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size >= 0, "it has no end"
        self.taken += size
        return b" " * size


def test_input_without_an_end_is_not_read_to_the_end() -> None:
    endless = Endless()
    assert say(Recorder(), stdin=endless).failed(6) == "standard input is larger than 4 MiB"
    assert endless.taken <= LARGEST + 1


# Whatever comes in.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["name", "cniVersion", "NAME", "prevResult", "ipam", "type"])
TYPICAL = st.sampled_from(["net", "1.1.0", "0.2.0", "1.0.0", "../x", {"ips": [{"address": "10.0.0.2/24"}]}])
CONFIGS = st.dictionaries(KEYS, JSON | TYPICAL).map(lambda config: json.dumps(config).encode())
TORN = st.builds(
    lambda data, at, insert: data[:at] + insert + data[at:], CONFIGS, st.integers(0, 80), st.binary(max_size=2)
)


@given(st.binary(max_size=60) | CONFIGS | TORN, st.sampled_from([*VERBS, "VERSION"]))
def test_any_input_is_answered_with_one_document(stdin: bytes, command: str) -> None:
    plugin = Recorder(RESULT)
    talk = say(plugin, command, stdin)
    assert talk.stderr == ""
    if talk.status == 0:
        assert plugin.verbs == ([] if command == "VERSION" else [command])
        assert talk.stdout == b"" if command in {"DEL", "CHECK", "GC", "STATUS"} else talk.answer["cniVersion"]
    else:
        assert talk.answer["code"] in {1, 6, 7}
        talk.failed(talk.answer["code"])
        assert plugin.asked == []
