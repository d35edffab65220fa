"""Texts that are meant to be JSON and are none: a trailing comma is understood, the rest is told with its place."""

from __future__ import annotations

import pytest

from tests.selection.asked import asked, refused

LIST = 'it must be a list of objects, as in [{"name": "network-1"}, {"name": "network-2"}]'
QUOTES = "Expecting property name enclosed in double quotes; texts and keys stand in double quotes"
OTHER = "it has '[', '{' or '\"' in it, and so is none of [namespace/]name[@interface] either"


@pytest.mark.parametrize(
    "text",
    [
        '[{"name":"a"},{"name":"b"},]',
        '[{"name":"a",},{"name":"b",},]',
        '[{"name":"a","ips":["10.0.0.1",],},\n{"name":"b"} ,\n ]\n',
        '[{"name":"a","cni-args":{"x":",]","y":"\\",}",},},{"name":"b"}]',
    ],
)
def test_trailing_commas_are_understood(text: str) -> None:
    assert [one.name for one in asked(text)] == ["a", "b"]


def test_places_are_those_of_the_text_that_was_written() -> None:
    text = '[{"name":"a",},\n {"name":"b","mac":"x",},]'
    assert refused(text) == (7, ", element 2, mac (line 2, column 20): 'x' is not a MAC address")
    assert asked('[{"name":"a",},\n {"name":"b"},]')[1].where.endswith("element 2 (line 2, column 2)")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", ", element 1 (line 1, column 2) is not JSON: a value is missing; it ends where more must follow"),
        ("[,]", ", element 1 (line 1, column 2) is not JSON: a value is missing"),
        ('[{"name":"a"},,]', ", element 2 (line 1, column 15) is not JSON: a value is missing"),
        ('[{"name":"a"},\n {"name":b}]', ", element 2 (line 2, column 10) is not JSON: a value is missing"),
        ('[{"name":"a"} {"name":"b"}]', ", element 1 (line 1, column 15) is not JSON: Expecting ',' delimiter"),
        (
            "[{'name':'a'}]",
            f", element 1 (line 1, column 3) is not JSON: {QUOTES}",
        ),
        (
            "['a']",
            ", element 1 (line 1, column 2) is not JSON: a value is missing; texts and keys stand in double quotes",
        ),
        ('[{"name":"a"}] x', " (line 1, column 16) is not JSON: more after the end"),
        ('[{"name":"a"}][]', " (line 1, column 15) is not JSON: more after the end"),
        (
            '[{"name":"a"',
            ", element 1 (line 1, column 13) is not JSON: Expecting ',' delimiter; it ends where more must follow",
        ),
        ('[{"name":"a\n"}]', ", element 1 (line 1, column 12) is not JSON: Invalid control character at"),
        ('[{"name":"a\0"}]', ", element 1 (line 1, column 12) is not JSON: Invalid control character at"),
        ('{"name":"a"},{"name":"b"}', f" (line 1, column 13) is not JSON: more after the end; {LIST}"),
        ('"a', f" (line 1, column 1) is not JSON: Unterminated string starting at; {LIST}"),
        ('a,b"', f" (line 1, column 1) is not JSON: a value is missing; {OTHER}"),
        ("a@{x}", f" (line 1, column 1) is not JSON: a value is missing; {OTHER}"),
        ('[{"name":"a"},{"x":NaN}]', ", element 2 (line 1, column 20) is not JSON: NaN is not JSON"),
        ('[{"x":1e999}]', ", element 1 (line 1, column 7) is not JSON: the number 1e999 is too large"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(text: str, message: str) -> None:
    assert refused(text) == (6, message)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("{}", "an object"), ('{"name":"a"}', "an object"), ('"a"', "a string"), ('{"name":"a",}', "an object")],
)
def test_the_outermost_value_is_a_list(text: str, kind: str) -> None:
    advice = 'write [{"name": "network-1"}, {"name": "network-2"}], or network-1,network-2'
    assert refused(text) == (6, f" (line 1, column 1) must be a list of objects, and is {kind}: {advice}")


def test_a_byte_order_mark_is_told() -> None:
    assert refused("\ufeff[]") == (6, " is not JSON: it starts with a byte order mark")


def test_there_are_limits() -> None:
    assert refused("[" * 201 + "]" * 201) == (6, " is nested deeper than 200 levels")
    assert refused("[" * 100_000 + "]" * 100_000) == (6, " is nested deeper than 200 levels")
    assert refused("[" + '{"name":"a"},' * 256 + '{"name":"a"}]')[1] == (
        ", element 257 (line 1, column 3330): there are 257 elements, more than 256"
    )
    assert refused('["' + "x" * 262144 + '"]') == (6, " has 262148 bytes, more than 256 KiB")
    number = refused('[{"name":"a","x":' + "1" * 5000 + "}]")
    assert number[0] == 6
    assert number[1].startswith(", element 1 (line 1, column 18) is not JSON: Exceeds the limit (4300 digits)")
