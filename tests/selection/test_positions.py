"""Where the values of a JSON text stand, held against the values that the standard package reads there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cni_multus.selection.positions import (
    find,
    line_and_column,
    number_at,
    places,
    tokens,
    without_trailing_commas,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = st.text(st.characters(exclude_categories=[]), max_size=4) | st.sampled_from(['"', "\\", '\\"', ",", "[{"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | KEYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
LAYOUTS: list[dict[str, Any]] = [{}, {"indent": 2}, {"separators": (",", ":")}, {"ensure_ascii": False, "indent": "\t"}]
DECODER = json.JSONDecoder()


def members(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], object]]:
    yield path, value
    if isinstance(value, dict):
        for key, member in value.items():
            yield from members(member, (*path, key))
    if isinstance(value, list):
        for at, member in enumerate(value):
            yield from members(member, (*path, at))


@given(VALUES, st.sampled_from(LAYOUTS))
@example({"a": [1, {"b": []}], "": {}}, {})
def test_every_value_stands_where_it_is_said_to(value: object, layout: dict[str, Any]) -> None:
    text = json.dumps(value, **layout)
    found = [(path, DECODER.raw_decode(text, at)[0]) for path, at in places(text)]
    assert repr(found) == repr(list(members(value)))


@given(VALUES, st.sampled_from(LAYOUTS))
def test_trailing_commas_are_blanked_and_nothing_else(value: object, layout: dict[str, Any]) -> None:
    text = json.dumps(value, **layout)
    assert without_trailing_commas(text) == text
    written = "".join(
        token if token not in ("]", "}") or before in ("[", "{", "") else f" ,\n{token}"
        for (_, token), before in zip(tokens(text), ["", *(token for _, token in tokens(text))], strict=False)
    )
    mended = without_trailing_commas(written)
    assert repr(json.loads(mended)) == repr(value)
    assert len(mended) == len(written)


@given(st.text('[]{},:"\\ \n1ax\u20ac', max_size=30))
def test_any_text_is_taken_apart(text: str) -> None:
    pieces = list(tokens(text))
    assert "".join(piece for _, piece in pieces).replace(" ", "").replace("\n", "") == text.replace(" ", "").replace(
        "\n", ""
    )
    assert all(text[at : at + len(piece)] == piece for at, piece in pieces)
    assert len(without_trailing_commas(text)) == len(text)
    assert all(0 <= number_at(text, at) <= len(text) for at in range(len(text)))


@pytest.mark.parametrize("text", ["[,]", "[,,]", "[1,,]", "{,}", '{"a":,}', "[[],,]", ","])
def test_commas_without_a_value_before_them_stay(text: str) -> None:
    assert "," in without_trailing_commas(text)


TEXT = '[{"a": 1},\n {"B": [7, 8], "b": [9]}]'


@pytest.mark.parametrize(
    ("steps", "place"),
    [
        ((), "line 1, column 1"),
        ((0,), "line 1, column 2"),
        ((0, "a"), "line 1, column 8"),
        ((0, "missing"), "line 1, column 2"),
        ((1, "b"), "line 2, column 21"),
        ((1, "b", 0), "line 2, column 22"),
        ((1, "b", 5), "line 2, column 21"),
        ((5,), "line 1, column 1"),
    ],
)
def test_a_value_or_what_is_around_it_is_found(steps: tuple[str | int, ...], place: str) -> None:
    assert line_and_column(TEXT, find(TEXT, steps)) == place


@pytest.mark.parametrize(
    ("text", "at", "number"),
    [("[1,2,3]", 0, 0), ("[1,2,3]", 1, 1), ("[1,2,3]", 5, 3), ("[1,2]3", 5, 0), ("[[1,2],3]", 4, 1), ("x,y", 2, 0)],
)
def test_members_of_the_outermost_list_are_counted(text: str, at: int, number: int) -> None:
    assert number_at(text, at) == number
