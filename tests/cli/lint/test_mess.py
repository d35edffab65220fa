"""Whatever it is given, lint says something and ends."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from cni_multus.cli.lint.api import Finding
from tests.cli.lint.kit import IPAMS, PLUGINS, found

KEYS = some.sampled_from(
    [
        *("apiVersion", "kind", "metadata", "name", "annotations", "spec", "config", "items", "template"),
        *("k8s.v1.cni.cncf.io/networks", "cniVersion", "plugins", "type", "ipam", "delegates", "capabilities"),
        *("clusterNetwork", "defaultNetworks", "nadPaths", "sysctl", "range", "ranges", "addresses"),
        *("routes", "dst", "gw", "exclude", "subnet"),
    ]
)
LEAVES = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(),
    some.floats(allow_nan=False, allow_infinity=False),
    some.text(max_size=5),
    some.sampled_from([*PLUGINS, *IPAMS, "multus", "NetworkAttachmentDefinition", "Pod", "List", "v1", "1.0.0", "n"]),
    some.sampled_from(["10.1.0.0/24", "[{}]", '{"type": "bridge"}', "a/b@c", "k8s.cni.cncf.io/v1"]),
)
VALUES = some.recursive(
    LEAVES, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(KEYS, inner, max_size=6), max_leaves=25
)
OBJECTS = some.dictionaries(KEYS, VALUES, max_size=8)


def at_a_place(findings: list[Finding]) -> None:
    for each in findings:
        assert each.line >= 1
        assert each.column >= 1
        assert each.message
        assert each.mend


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(value=OBJECTS)
def test_any_object_has_findings_or_none(value: dict[str, object]) -> None:
    text = json.dumps(value)
    at_a_place(found(("x.conf", text)))
    at_a_place(found(("x.yaml", text)))


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(config=OBJECTS, annotation=VALUES)
def test_any_definition_and_pod_has_findings_or_none(config: dict[str, object], annotation: object) -> None:
    definition = {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": "n"},
        "spec": {"config": json.dumps(config)},
    }
    annotations = {"k8s.v1.cni.cncf.io/networks": json.dumps(annotation)}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "annotations": annotations}}
    at_a_place(found(("x.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": [definition, pod]}))))


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=some.one_of(some.binary(max_size=60), some.text("{}[]:,\"'|>-&*!%@`#\t\n abc01\\", max_size=60)))
def test_any_bytes_have_findings_or_none(data: bytes | str) -> None:
    for name in ("x.conf", "x.yaml", "-"):
        at_a_place(found((name, data if isinstance(data, bytes) else data.encode())))


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "{a: " * 5000, "- " * 100_000 + "a", "? " * 10_000, "&a " * 1000 + "x", "a: &a [*a, *a]\nb: *a\n"],
    ids=["lists", "mappings", "blocks", "keys", "anchors", "alias"],
)
def test_what_is_nested_without_end_is_refused(text: str) -> None:
    at_a_place(found(("x.yaml", text)))


def test_an_alias_makes_nothing_large() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]" for before, after in pairwise("abcdefghi")]
    assert found(("x.yaml", "\n".join(lines))) != []
