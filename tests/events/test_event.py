"""Events as they wait, and as the API takes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object, print_compact
from cni_multus.cni.errors import CniError
from cni_multus.events.event import NORMAL, WARNING, Event
from tests.events.spooling import event

if TYPE_CHECKING:
    from collections.abc import Mapping

# A name as the API demands it (RFC 1123, subdomain).
LABEL = st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?\Z")
PODS = st.lists(LABEL, min_size=1, max_size=12).map(".".join).filter(lambda name: len(name) <= 253)


def reread(spooled: Event) -> Event:
    return Event.parse(Section(parse_object(print_compact(spooled.to_json()), "it")))


@given(kind=st.sampled_from([NORMAL, WARNING]), reason=st.text(min_size=1), message=st.text(), uid=st.text())
def test_what_was_written_is_read(kind: str, reason: str, message: str, uid: str) -> None:
    uid = uid.replace("\0", "")
    spooled = event(kind=kind, reason=reason, message=message, uid=uid)
    assert reread(spooled).to_json() == spooled.to_json()
    assert reread(spooled).document() == spooled.document()


@given(st.text(alphabet=st.characters(), max_size=3000))
def test_a_message_is_no_longer_than_the_api_takes(message: str) -> None:
    kept = event(message=message).message
    data = message.encode("utf-8", "replace").replace(b"\0", b" ")
    if len(data) <= 1024:
        assert kept.encode() == data
    else:
        assert 1019 <= len(kept.encode()) <= 1024
        assert kept.endswith("...")
        assert data.startswith(kept[:-3].encode())


@given(PODS)
def test_its_name_is_one_that_an_object_can_have(pod: str) -> None:
    name = event(pod=pod).name
    assert len(name) <= 253
    assert all(part and part[0] != "-" and part[-1] != "-" for part in name.split("."))
    start, _, mark = name.rpartition(".")
    assert pod.startswith(start)
    assert len(mark) == 16
    assert int(mark, 16) >= 0


def test_no_two_have_one_name() -> None:
    assert len({event(moment=1).name for _ in range(1000)}) == 1000


def test_its_moment_is_now_unless_it_is_said() -> None:
    assert event(moment=1_700_000_000_999_999_999).document()["firstTimestamp"] == "2023-11-14T22:13:20Z"
    assert event().document()["firstTimestamp"] > "2023"  # type: ignore[operator]


def test_what_is_not_known_is_left_out() -> None:
    document: Mapping[str, Any] = event(uid="", host="").document()
    assert "uid" not in document["involvedObject"]
    assert document["source"] == {"component": "multus"}


WRONG: list[dict[str, object]] = [
    {"kind": "Strange"},
    {"kind": 1},
    {"namespace": ""},
    {"namespace": ["x"]},
    {"pod": None},
    {"reason": ""},
    {"message": {}},
    {"moment": 0},
    {"moment": -1},
    {"moment": 1 << 70},
    {"moment": "now"},
    {"moment": True},
    {"mark": ""},
    {"mark": "../../../etc/pass"},
    {"mark": "0123456789ABCDEF"},
    {"uid": 1},
]


@pytest.mark.parametrize("wrong", WRONG, ids=json.dumps)
def test_a_file_that_says_something_else_is_no_event(wrong: dict[str, object]) -> None:
    with pytest.raises(CniError):
        Event.parse(Section({**event().to_json(), **wrong}))
