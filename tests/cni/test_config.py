"""Reading a configuration: keys in any case, null as absent, types checked, and the path of whatever is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.config import Section, objects
from cni_multus.cni.errors import CniError, DecodingFailure, InvalidNetworkConfig

if TYPE_CHECKING:
    from collections.abc import Callable

TYPES: dict[str, Any] = {
    "null": None,
    "a boolean": True,
    "a number": 7,
    "a string": "seven",
    "a list": [],
    "an object": {},
}


def key(value: object) -> Section:
    """A section somewhere below, with this value at `key`."""
    return Section({"ipam": {"list": [{"key": value}]}}).section("ipam").sections("list")[0]


READERS: dict[str, tuple[Callable[[Section], object], str, object]] = {
    "text": (lambda section: section.text("key"), "a string", ""),
    "flag": (lambda section: section.flag("key"), "a boolean", False),
    "lenient flag": (lambda section: section.lenient_flag("key"), "a boolean", False),
    "number": (lambda section: section.number("key"), "a whole number", 0),
    "items": (lambda section: section.items("key"), "a list", []),
    "texts": (lambda section: section.texts("key"), "a list", ()),
    "section": (lambda section: section.section("key").raw, "an object", {}),
    "sections": (lambda section: section.sections("key"), "a list", ()),
    "ip": (lambda section: section.ip("key"), "a string", None),
    "mac": (lambda section: section.mac("key"), "a string", ""),
    "cidr": (lambda section: section.cidr("key"), "a string", DecodingFailure),
}


MISTYPED = [
    (reader, kind)
    for reader, (_, wanted, _) in READERS.items()
    for kind in TYPES
    if kind not in ("null", wanted, wanted.replace("whole ", ""))
]


@pytest.mark.parametrize(("reader", "kind"), MISTYPED)
def test_a_value_of_another_type_is_told_with_its_path(reader: str, kind: str) -> None:
    read, wanted, _ = READERS[reader]
    with pytest.raises(DecodingFailure) as failure:
        read(key(TYPES[kind]))
    assert failure.value.message == f"ipam.list[0].key must be {wanted}, and is {kind}"


@pytest.mark.parametrize(("read", "wanted", "absent"), READERS.values(), ids=READERS)
@pytest.mark.parametrize("section", [Section({}), Section({"key": None}), Section({"KEY": None})])
def test_null_is_absent_and_what_is_absent_has_a_default(
    read: Callable[[Section], object], wanted: str, absent: object, section: Section
) -> None:
    assert not section.has("key")
    if absent is DecodingFailure:
        with pytest.raises(InvalidNetworkConfig, match=r"^key: '' is not an address with a prefix length"):
            read(section)
    else:
        assert read(section) == absent


def test_a_default_may_be_another() -> None:
    assert Section({}).text("key", "x") == "x"
    assert Section({}).flag("key", default=True) is True
    assert Section({}).number("key", 1500) == 1500
    assert Section({"key": ""}).text("key", "x") == ""
    assert Section({"key": False}).flag("key", default=True) is False
    assert Section({"key": 0}).number("key", 1500) == 0


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ({"runtimeConfig": 1}, 1),
        ({"RuntimeConfig": 1}, 1),
        ({"RUNTIMECONFIG": 1, "other": 2}, 1),
        ({"RuntimeConfig": 1, "runtimeConfig": 2}, 2),
        ({"runtimeConfig": 2, "RuntimeConfig": 1}, 2),
        ({"RuntimeConfig": 1, "runtimeconfig": 2}, 2),
        ({"runtime_config": 1}, None),
        ({"runtimeConfig": None, "RuntimeConfig": 1}, None),
        ({}, None),
    ],
)
def test_keys_are_read_in_any_case_and_the_exact_one_wins(raw: dict[str, object], value: object) -> None:
    assert Section(raw).value("runtimeConfig") == value


@pytest.mark.parametrize("value", [0, 1, 0xFFFFFFFF])
def test_a_number_has_its_bounds(value: int) -> None:
    assert key(value).number("key") == value


@pytest.mark.parametrize("value", [-1, 0x100000000, 10**100])
def test_a_number_beyond_its_bounds_is_told(value: int) -> None:
    with pytest.raises(InvalidNetworkConfig) as failure:
        key(value).number("key")
    assert failure.value.message == f"ipam.list[0].key: {value} is not between 0 and 4294967295"


def test_a_number_may_have_other_bounds() -> None:
    assert key(-5).number("key", low=-5, high=5) == -5
    with pytest.raises(InvalidNetworkConfig, match="6 is not between -5 and 5"):
        key(6).number("key", low=-5, high=5)


@pytest.mark.parametrize("value", [1.0, 1.5, "1", True])
def test_what_looks_like_a_number_is_none(value: object) -> None:
    with pytest.raises(DecodingFailure, match=r"^ipam\.list\[0\]\.key must be a whole number"):
        key(value).number("key")


@pytest.mark.parametrize(
    ("value", "flag"), [(True, True), (False, False), ("true", True), ("FALSE", False), ("True", True), (None, False)]
)
def test_a_lenient_flag_may_be_written_out(value: object, flag: bool) -> None:
    assert key(value).lenient_flag("key") is flag


@pytest.mark.parametrize("value", ["yes", "1", "", 1, 0, []])
def test_a_lenient_flag_is_not_anything(value: object) -> None:
    with pytest.raises(DecodingFailure, match="must be a boolean"):
        key(value).lenient_flag("key")


@pytest.mark.parametrize("value", ["a\0b", "\0"])
def test_a_nul_is_in_no_text(value: str) -> None:
    with pytest.raises(InvalidNetworkConfig, match=r"^ipam\.list\[0\]\.key: a NUL character in "):
        key(value).text("key")
    with pytest.raises(InvalidNetworkConfig, match=r"^ipam\.list\[0\]\.key\[1\]: a NUL character in "):
        key(["x", value]).texts("key")


def test_half_of_a_surrogate_pair_is_in_no_text() -> None:
    with pytest.raises(InvalidNetworkConfig, match=r"^ipam\.list\[0\]\.key: half of a surrogate pair in "):
        key("\ud83d").text("key")
    with pytest.raises(InvalidNetworkConfig, match=r"^ipam\.list\[0\]\.key\[1\]: half of a surrogate pair in "):
        key(["x", "a\udbff"]).texts("key")
    assert key("\U0001f600 \udcff").text("key") == "\U0001f600 \udcff", "a byte that is not UTF-8, as paths have them"


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != "a string"])
def test_every_member_of_a_list_of_texts_is_one(kind: str) -> None:
    assert key(["a", ""]).texts("key") == ("a", "")
    with pytest.raises(DecodingFailure) as failure:
        key(["a", TYPES[kind]]).texts("key")
    assert failure.value.message == f"ipam.list[0].key[1] must be a string, and is {kind}"


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != "an object"])
def test_every_member_of_a_list_of_objects_is_one(kind: str) -> None:
    assert [member.raw for member in key([{}, {"a": 1}]).sections("key")] == [{}, {"a": 1}]
    with pytest.raises(DecodingFailure) as failure:
        key([{}, TYPES[kind]]).sections("key")
    assert failure.value.message == f"ipam.list[0].key[1] must be an object, and is {kind}"
    with pytest.raises(DecodingFailure, match=r"^ranges\[0\] must be an object"):
        objects([TYPES[kind]], "ranges")


def test_every_section_knows_where_it_stands() -> None:
    section = Section({"a": {"b": [{"c": {}}]}})
    assert section.path == ""
    assert section.where("a") == "a"
    assert section.section("a").section("x").path == "a.x"
    assert section.section("a").sections("b")[0].section("c").where("d") == "a.b[0].c.d"
    assert section.section("a").wrong("b", "no good").message == "a.b: no good"


@pytest.mark.parametrize("value", ["", None])
def test_an_empty_address_is_none(value: str | None) -> None:
    assert key(value).ip("key") is None
    assert key(value).mac("key") == ""


def test_addresses_are_read() -> None:
    assert key("10.0.0.1").ip("key") == Ip.parse("10.0.0.1")
    assert key("fd00::1/64").cidr("key") == Cidr.parse("fd00::1/64")
    assert key("02-00-00-00-00-0A").mac("key") == "02:00:00:00:00:0a"


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (Section.ip, "10.0.0.300"),
        (Section.ip, "10.0.0.1/24"),
        (Section.cidr, "10.0.0.1"),
        (Section.cidr, ""),
        (Section.mac, "ff:ff:ff:ff:ff:ff"),
        (Section.mac, "x"),
    ],
)
def test_what_is_no_address_is_told_with_its_path(read: Callable[[Section, str], object], value: str) -> None:
    with pytest.raises(InvalidNetworkConfig) as failure:
        read(key(value), "key")
    assert failure.value.message.startswith(f"ipam.list[0].key: {value!r} is ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "A", "key", "Key"]), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["a", "key", "KEY", "Key"]), JSON), st.sampled_from(sorted(READERS)))
def test_anything_is_read_or_refused_with_its_path(raw: dict[str, object], reader: str) -> None:
    before = json.dumps(raw)
    try:
        READERS[reader][0](Section(raw))
    except CniError as failure:
        assert failure.message.startswith("key")  # noqa: PT017
    assert json.dumps(raw) == before
