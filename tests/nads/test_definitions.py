"""Whatever the API, or a file, has as a definition: a network, or one error that names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings

from cni_multus.cni.errors import CniError
from cni_multus.nads.definition import RESOURCE, Definition
from cni_multus.network import Network
from tests.nads.defined import CONFIGS, NAME, NAMESPACE, TEXTS, VALUES, soundly

CONF_DIR = Path("/nowhere")
CORPUS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "corpus.json").read_text())


def inline(config: object) -> Network | CniError:
    """What follows from a configuration: text, or what becomes JSON."""
    text = config if isinstance(config, str) else json.dumps(config)
    return soundly(lambda: Definition.parse({"spec": {"config": text}}, NAMESPACE, NAME), CONF_DIR)


@given(VALUES)
@settings(max_examples=300)
def test_any_object(value: object) -> None:
    document = value if isinstance(value, dict) else {"metadata": value, "spec": value}
    soundly(lambda: Definition.parse(document, NAMESPACE, NAME), CONF_DIR)


@given(CONFIGS)
@settings(max_examples=300)
def test_any_configuration(config: dict[str, object]) -> None:
    inline(config)


@given(VALUES | TEXTS)
@example(config="\ud800")
@example(config="\u00a0")
def test_any_text(config: object) -> None:
    inline(config)
    if isinstance(config, str):
        inline('{"type": "macvlan"}' + config)


@pytest.mark.parametrize("case", CORPUS, ids=[case["why"] for case in CORPUS])
def test_what_crashes_or_misleads_the_go_one(case: dict[str, Any]) -> None:
    found = inline(case["config"])
    if isinstance(found, CniError):
        assert case.get("says", "?") in found.message
    else:
        assert "says" not in case


@pytest.mark.parametrize(
    ("document", "said"),
    [
        pytest.param({"spec": []}, "spec must be an object, and is a list", id="spec is a list"),
        pytest.param({"spec": "{}"}, "spec must be an object, and is a string", id="spec is text"),
        pytest.param(
            {"spec": {"config": {"type": "macvlan"}}}, "spec.config must be a string, and is an object", id="o"
        ),
        pytest.param(
            {"spec": {"config": ["{}"]}}, "spec.config must be a string, and is a list", id="config is a list"
        ),
        pytest.param({"spec": {"config": 7}}, "spec.config must be a string, and is a number", id="config is a number"),
        pytest.param({"metadata": []}, "metadata must be an object, and is a list", id="metadata is a list"),
        pytest.param({"metadata": {"annotations": []}}, "metadata.annotations must be an object", id="annotations"),
        pytest.param({"metadata": {"annotations": {RESOURCE: 7}}}, f"{RESOURCE} must be a string", id="resource"),
    ],
)
def test_a_wrong_type_is_told_with_its_place(document: dict[str, object], said: str) -> None:
    found = soundly(lambda: Definition.parse(document, NAMESPACE, NAME), CONF_DIR)
    assert isinstance(found, CniError)
    assert said in found.message


@pytest.mark.parametrize(
    "document", [{}, {"spec": None}, {"spec": {}}, {"spec": {"config": None}}, {"spec": {"config": " \n"}}]
)
def test_nothing_means_the_nodes_own_network(document: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "10-red.conf").write_text(json.dumps({"name": NAME, "type": "macvlan"}))
    found = soundly(lambda: Definition.parse(document, NAMESPACE, NAME), tmp_path)
    assert isinstance(found, Network)
    assert found.name == NAME
    (tmp_path / "10-red.conf").write_text(json.dumps({"name": NAME, "type": "multus"}))
    found = soundly(lambda: Definition.parse(document, NAMESPACE, NAME), tmp_path)
    assert isinstance(found, CniError)
    assert "spec.config is empty" in found.message
    assert "itself" in found.message


@pytest.mark.parametrize(
    "config",
    [
        {"type": "multus"},
        {"TYPE": "multus"},
        {"plugins": [{"type": "macvlan"}, {"type": "multus"}]},
        {"type": "macvlan", "ipam": {"type": "multus"}},
        {"plugins": [{"type": "macvlan", "IPAM": {"Type": "multus"}}]},
    ],
    ids=json.dumps,
)
def test_no_way_leads_back_to_multus(config: dict[str, object]) -> None:
    found = inline(config)
    assert isinstance(found, CniError), found
    assert "itself" in found.message


def test_a_network_without_a_name_has_the_definitions_with_its_namespace() -> None:
    found = inline({"type": "macvlan"})
    assert isinstance(found, Network)
    assert found.name == found.raw["name"] == "shop_red"
    given = inline({"type": "macvlan", "name": "own"})
    assert isinstance(given, Network)
    assert given.name == "own"


def test_long_names_stay_apart_and_are_names() -> None:
    """A namespace has 63 characters, an object 253: a file's name has 255."""
    names = set()
    for namespace in ("n" * 63, "n" * 62 + "m"):
        for name in ("a" * 253, "a" * 252 + "b", "a" * 192, "a" * 191):
            network = Definition(namespace, name, '{"type": "macvlan"}').network("/nowhere", "", lambda _: None)
            assert len(network.name) <= 255
            names.add(network.name)
    assert len(names) == 8


@pytest.mark.parametrize(
    "config",
    [
        '{"type": "macvlan", "x": ' + "[" * 100_000,
        '{"type": "macvlan", "x": ' + "[" * 250 + "]" * 250 + "}",
        '{"type": "macvlan", "x": ' + '{"a":' * 250 + "1" + "}" * 251,
        '{"type": "' + "x\\u0000" * 500_000 + '"}',
        '{"type": "macvlan", "name": "' + "é" * 500_000 + '"}',
        '{"type": "macvlan", "cniVersion": "' + "1" * 1_000_000 + '"}',
        '{"type": "macvlan", "cniVersion": ' + "1" * 1_000_000 + "}",
        '{"type": "macvlan", "x": "' + "y" * (4 << 20) + '"}',
        '{"plugins": [' + '{"type": "macvlan"},' * 100_000 + "7]}",
        "{" * 1_000_000,
        '"' * 1_000_001,
        "\n" * 1_000_000 + "}",
        " " * (5 << 20) + "x",
    ],
    ids=range(13),
)
def test_the_largest_take_no_longer_than_they_must(config: str) -> None:
    assert isinstance(inline(config), CniError)
