"""Whatever stands in an annotation: a list of selections, or one error with its place, soon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cni_multus.cni.errors import CniError
from cni_multus.selection import NETWORKS
from tests.selection.asked import outcome, soundly

CORPUS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "corpus.json").read_text())
KEYS = (
    *("name", "Name", "namespace", "interface", "interfaceRequest", "ips", "mac", "infiniband-guid", "portMappings"),
    *("bandwidth", "cni-args", "default-route", "deviceID", "ipam-claim-reference", "hostPort", "containerPort"),
    *("protocol", "hostIP", "ingressRate", "ingressBurst", "egressRate", "x"),
)
TEXTS = st.text(st.characters(exclude_categories=[]), max_size=6) | st.sampled_from(
    [
        "n1",
        "ns/n1",
        "n1@x",
        "lo",
        "10.0.0.1/24",
        "fd00::1",
        "10.0.0.1",
        "02:00:00:00:00:01",
        "tcp",
        "0000:01:02.3",
        "\0",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(-2, 2**65) | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | TEXTS, inner, max_size=4),
    max_leaves=15,
)
ELEMENTS = st.fixed_dictionaries(
    {"name": st.sampled_from(["n1", "ns/n2", "a.b"])}, optional=dict.fromkeys(KEYS[1:], VALUES)
)
JSON = st.builds(json.dumps, VALUES | st.lists(ELEMENTS, max_size=3), ensure_ascii=st.booleans())
SHORTHAND = st.text("ab1./@-, \n\u00fc[{\"'", max_size=20)


@given(st.text(st.characters(exclude_categories=[]), max_size=40) | SHORTHAND)
def test_any_text(text: str) -> None:
    soundly(text)


@given(JSON)
@settings(max_examples=200)
def test_any_json(text: str) -> None:
    soundly(text)


@given(JSON, st.integers(0, 200), st.sampled_from(["", ",", "]", "}", '"', "[", "\\", "\0", "\ud800", "null", "'"]))
@settings(max_examples=200)
def test_any_json_with_something_in_it(text: str, at: int, more: str) -> None:
    soundly(text[:at] + more + text[at:])
    soundly(text[:at] + text[at + 1 :])


@pytest.mark.parametrize("case", CORPUS, ids=[case["text"] for case in CORPUS])
def test_what_crashes_or_misleads_the_go_one(case: dict[str, Any]) -> None:
    found = outcome(NETWORKS, case["text"])
    if isinstance(found, CniError):
        assert found.code == case.get("code"), found
    else:
        assert len(found) == case.get("count")
    soundly(case["text"])


@pytest.mark.parametrize(
    "text",
    [
        '[{"name":"a","x":' + "[" * 150 + "1," * 130_000 + "1" + "]" * 150 + ',"ips":1}]',
        '[{"name":"a","x":"' + "\\\\" * 131_000 + '"},]x',
        "[" + ",]" * 131_000,
        '["' + '\\"' * 131_000,
        '[{"' + "a" * 262_000 + '":1}]',
        '[{"name":"a","cni-args":{' + ",".join(f'"{at}":{{}}' for at in range(20_000)) + '},"mac":"x"}]',
        "/" * 262_144,
        "@" * 262_144,
        "n@" + "x" * 262_000,
        "\n" * 262_143 + "A",
        "n" + "," * 262_143,
    ],
    ids=range(11),
)
def test_the_largest_texts_take_no_longer_than_they_must(text: str) -> None:
    assert soundly(text) == []
