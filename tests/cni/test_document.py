"""JSON in and out, held against the standard package: the same documents, the same values, the same refusals."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cni_multus.cni.document import (
    DEEPEST,
    LARGEST,
    Repeating,
    name_of_type,
    parse,
    parse_object,
    print_compact,
    print_indented,
)
from cni_multus.cni.errors import DecodingFailure

ROOT = Path(__file__).parents[2]

TEXTS = st.text(st.characters(exclude_categories=[]), max_size=8)  # half of a surrogate pair is a text too
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=25,
)
SPACE = st.text(" \t\r\n", max_size=3)


def standard(text: str) -> object:
    """What the standard package reads, with what it reads beyond JSON refused."""

    def refuse(constant: str) -> object:
        raise ValueError(constant)

    def finite(number: str) -> float:
        if abs(value := float(number)) == float("inf"):
            raise ValueError(number)
        return value

    return json.loads(text, parse_constant=refuse, parse_float=finite)


def same(one: object, other: object) -> bool:
    """Equal, and of the same types all the way down (1 is not 1.0, -0.0 is not 0.0)."""
    return repr(one) == repr(other)


@given(VALUES, st.sampled_from([None, 0, 1, "\t"]), st.booleans(), SPACE, SPACE)
def test_every_document_has_the_value_that_the_standard_package_reads(
    value: object, indent: int | str | None, ascii_only: bool, before: str, after: str
) -> None:
    text = before + json.dumps(value, indent=indent, ensure_ascii=ascii_only) + after
    try:
        data = text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair exists in escapes only
        data = (before + json.dumps(value, indent=indent) + after).encode()
    assert same(parse(data, "it"), value)
    assert same(parse(data, "it"), standard(data.decode()))


PIECES = st.sampled_from(
    [*'[]{}:,"0123456789.eE+-\\/utfn \n', "true", "false", "null", "NaN", "Infinity", "\\u", "1e999"]
)
TORN = st.builds(
    lambda text, at, length, insert: text[:at] + insert + text[at + length :],
    VALUES.map(json.dumps),
    st.integers(0, 60),
    st.integers(0, 4),
    st.lists(PIECES, max_size=3).map("".join),
)


@given(TORN | st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=10))
@example("-")
@example("01")
@example("1.")
@example('"\\ud800"')
@example('"\\x"')
@example('"\x1f"')
@example("\ufeff1")
@example("1\u00a0")
@example('{"a":1,}')
@example("[1,]")
@example("-Infinity")
def test_what_the_standard_package_refuses_is_refused_at_the_same_place(text: str) -> None:
    refusal: ValueError | None = None
    expected: object = None
    try:
        expected = standard(text)
    except ValueError as error:
        refusal = error
    if refusal is None:
        assert same(parse(text.encode(), "it"), expected)
        return
    with pytest.raises(DecodingFailure) as failure:
        parse(text.encode(), "it")
    if isinstance(refusal, json.JSONDecodeError) and text.strip(" \t\r\n") and text[0] != "\ufeff":
        assert f"line {refusal.lineno}, column {refusal.colno}: " in failure.value.message


@given(st.binary(max_size=30))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        parse(data, "it")
    except DecodingFailure as failure:
        assert failure.message.startswith("it is ")  # noqa: PT017


@given(VALUES)
def test_what_is_printed_is_what_the_standard_package_prints(value: object) -> None:
    assert print_indented(value).decode() == json.dumps(value, indent=4)
    assert print_compact(value).decode() == json.dumps(value, separators=(",", ":"))


@given(VALUES)
def test_what_is_printed_reads_the_same(value: object) -> None:
    assert same(parse(print_indented(value), "it"), value)
    assert same(parse(print_compact(value), "it"), value)


@pytest.mark.parametrize("value", [{}, [], (), {"a": {}}, [[]], {"a": []}, ("x", 1), {"a": ({},)}])
def test_what_is_empty_takes_one_line(value: object) -> None:
    assert print_indented(value).decode() == json.dumps(value, indent=4)


@pytest.mark.parametrize("value", [object(), {"a": {1}}, b"x", 1j])
def test_what_has_no_json_form_is_not_printed(value: object) -> None:
    for print_ in (print_compact, print_indented):
        with pytest.raises(TypeError):
            print_(value)


@pytest.mark.parametrize("deep", [1, 2, DEEPEST, DEEPEST + 2, 500, 950, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"x":', "}")])
def test_what_can_be_read_can_be_printed(deep: int, opening: str, closing: str) -> None:
    document = opening * deep + "1" + closing * deep
    if deep <= DEEPEST:
        assert print_compact(parse(document.encode(), "it")).decode() == document
        assert print_indented(parse(document.encode(), "it")).decode() == json.dumps(json.loads(document), indent=4)
    else:
        with pytest.raises(DecodingFailure, match="nested deeper than 200 levels"):
            parse(document.encode(), "it")


@pytest.mark.parametrize("deep", [DEEPEST // 2, DEEPEST // 2 + 1])
def test_lists_and_objects_are_levels_alike(deep: int) -> None:
    document = ('[{"x":' * deep + "1" + "}]" * deep).encode()
    if deep * 2 <= DEEPEST:
        assert print_compact(parse(document, "it")) == document
    else:
        with pytest.raises(DecodingFailure):
            parse(document, "it")


def test_brackets_in_texts_are_not_levels() -> None:
    assert parse(json.dumps(["[{" * 1000]).encode(), "it") == ["[{" * 1000]
    assert parse(json.dumps([[]] * 1000).encode(), "it") == [[]] * 1000


def test_the_largest_document_is_read_and_no_larger_one() -> None:
    largest = b'"' + b"x" * (LARGEST - 2) + b'"'
    assert parse(largest, "it") == "x" * (LARGEST - 2)
    with pytest.raises(DecodingFailure, match="it is larger than 4 MiB"):
        parse(largest + b" ", "it")


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ("[]", "a list"),
        ('""', "a string"),
        ("0", "a number"),
        ("0.5", "a number"),
        ("false", "a boolean"),
        ("null", "null"),
    ],
)
def test_what_is_no_object_is_told_by_its_name(document: str, kind: str) -> None:
    assert name_of_type(json.loads(document)) == kind
    with pytest.raises(DecodingFailure, match=f"^it is not a JSON object but {kind}$"):
        parse_object(document.encode(), "it")


# Where the interpreter's private parts are not as they were.

DOCUMENTS: list[str] = [
    '{"a": [1, -2.5e3, true, false, null, "\\u00e9\\ud83d\\ude00\\n\\"", {}], "b": {"c": []}}',
    "",
    " ",
    "nonsense",
    '{"a": }',
    '{"a" 1}',
    "[1, 2",
    "1 2",
    "NaN",
    "1e999",
    '"\\ud800"',
    '"open',
    "[" * 300 + "]" * 300,
    "[" * 100_000,
    "9" * 5000,
]

SCRIPT = """
import sys

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name == "_json":
            raise ImportError(name)

sys.modules.pop("_json", None)
if "missing" in sys.argv:
    sys.meta_path.insert(0, Nowhere())
if "changed" in sys.argv:
    import _json
    make = _json.make_scanner
    def make_scanner(context):  # the package's own decoder knows the hook of tomorrow, ours does not
        return make(context if type(context).__name__ == "JSONDecoder" else context.hook_of_tomorrow)
    _json.make_scanner = make_scanner

from cni_multus.cni.document import parse, print_compact, print_indented
from cni_multus.cni.errors import DecodingFailure

documents = parse(sys.stdin.buffer.read(), "the documents")
answers = []
for document in documents:
    try:
        value = parse(document.encode(), "it")
        answers.append([value, print_indented(value).decode(), print_compact(value).decode()])
    except DecodingFailure as failure:
        answers.append(failure.message)
print(print_compact([sorted(name for name in sys.modules if name.startswith("json")), answers]).decode())
"""


def answers(interpreter: str) -> tuple[list[str], list[Any]]:
    """Which modules of the package such an interpreter had loaded at the end, and what it made of DOCUMENTS."""
    result = subprocess.run(
        [sys.executable, "-S", "-E", "-c", SCRIPT, interpreter],
        cwd=ROOT,
        input=json.dumps(DOCUMENTS).encode(),
        capture_output=True,
        check=True,
    )
    imported, made = json.loads(result.stdout)
    return imported, made


def place(answer: object) -> object:
    """Of an error its place alone: the two halves of the package word some refusals differently."""
    return (
        re.findall(r"line \d+, column \d+|deeper|too large|is not JSON|is empty", answer)
        if isinstance(answer, str)
        else answer
    )


@pytest.mark.parametrize("interpreter", ["missing", "changed"])
def test_another_interpreter_reads_and_prints_the_same(interpreter: str) -> None:
    imported, made = answers(interpreter)
    assert "json" in imported
    assert [place(answer) for answer in made] == [place(answer) for answer in answers("usual")[1]]


def test_the_standard_package_is_not_loaded_for_what_is_well_formed() -> None:
    script = "import sys\nfrom cni_multus.cni.document import parse\nparse(b'{}', 'it')\nprint('json' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-S", "-E", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"


def test_keys_that_stand_twice_are_remembered() -> None:
    document = parse_object(b'{"a": {"x": 1, "y": 2, "x": 3, "y": 4, "x": 5, "z": 6}, "b": {"x": 1}}', "it")
    assert document == {"a": {"x": 5, "y": 4, "z": 6}, "b": {"x": 1}}
    repeating, plain = document["a"], document["b"]
    assert isinstance(repeating, Repeating)
    assert repeating.repeated == ("x", "y")
    assert not isinstance(plain, Repeating)
    assert print_compact(document) == b'{"a":{"x":5,"y":4,"z":6},"b":{"x":1}}'
