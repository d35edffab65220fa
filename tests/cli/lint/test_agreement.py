"""Lint against the plugins: what one refuses, the other calls an error, of configurations changed at random."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from cni_multus.cli.lint import parsers
from cni_multus.cli.lint.findings import Report
from cni_multus.cli.lint.schemas import check_schema, schema
from cni_multus.cli.lint.tree import Text, parse_json
from tests.cli.lint.kit import IPAMS, PLUGINS, as_list, errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    Steps = tuple[str | int, ...]

VALUES = some.one_of(
    some.sampled_from(
        [None, True, False, 0, 1, -1, 7, 4094, 4095, 65535, 65536, 1 << 32, 1.5, "", "x", "10.1.0.1", "10.1.0.0/24"]
    ),
    some.sampled_from(
        ["10.2.0.1", "fd00::1", "fd00::/64", "l2", "bridge", "iptables", "a-very-long-name-indeed", [], {}, [1], ["x"]]
    ),
    some.integers(-5, 1 << 33),
    some.text(max_size=20),
)

CONDITIONAL = {
    ("bridge", "ipMasqBackend"),
    ("ptp", "ipMasqBackend"),
    ("host-local", "gateway"),
    ("host-local", "rangeEnd"),
    ("host-local", "rangeStart"),
    ("static", "dataDir"),
    ("whereabouts", "node_name"),
}
"""Read only where another key asks for it: the plugin passes over what the schema refuses."""

EVERYWHERE = (
    "name",
    "cniVersion",
    "cniVersions",
    "disableCheck",
    "disableGC",
    "capabilities",
    "runtimeConfig",
    "args",
    "prevResult",
)
"""What a list's plugin, or the network, reads elsewhere."""


def changed(config: dict[str, Any], steps: Steps, value: object) -> dict[str, Any]:
    """The configuration with another value at `steps`."""
    made = deepcopy(config)
    at: Any = made
    for step in steps[:-1]:
        at = at[step]
    at[steps[-1]] = value
    return made


def paths(value: object, before: Steps = ()) -> Iterator[Steps]:
    """What leads to every value."""
    members: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in members:
        yield (*before, step)
        yield from paths(inner, (*before, step))


def places(kind: str, config: dict[str, Any]) -> list[Steps]:
    """Values that stand there, and keys of the schema that do not."""
    own = [(key,) for key in schema(kind)["properties"] if key not in ("type", "$schema", *EVERYWHERE)]
    return sorted({steps for steps in [*paths(config), *own] if steps[0] not in ("type", "ipam")}, key=str)


def schema_errors(kind: str, config: dict[str, Any]) -> list[str]:
    """What the schema alone calls an error."""
    report = Report()
    check_schema(report, parse_json(Text("x", json.dumps(config)), "x"), kind)
    return [f"{each.rule}: {each.message}" for each in report.findings() if each.level == "error"]


@pytest.mark.parametrize("kind", sorted(PLUGINS))
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=some.data())
def test_a_plugin_and_lint_refuse_the_same(kind: str, data: some.DataObject) -> None:
    steps = data.draw(some.sampled_from(places(kind, PLUGINS[kind]) or [("dataDir",)]))
    plugin = {"type": kind, **changed(PLUGINS[kind], steps, data.draw(VALUES))}
    behind = kind in parsers.CHAINED
    refusal = parsers.refusal_of({**plugin, "name": "n", "cniVersion": "1.0.0"}, at=int(behind))
    found = errors(as_list(plugin, behind=behind))
    if refusal is not None:
        assert found, refusal.message
    elif (kind, steps[0]) not in CONDITIONAL:
        assert not schema_errors(kind, plugin)


@pytest.mark.parametrize("kind", sorted(IPAMS))
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=some.data())
def test_an_ipam_and_lint_refuse_the_same(kind: str, data: some.DataObject) -> None:
    steps = data.draw(some.sampled_from(places(kind, IPAMS[kind])))
    ipam = {"type": kind, **changed(IPAMS[kind], steps, data.draw(VALUES))}
    plugin = {"type": "macvlan", "master": "eth0", "ipam": ipam}
    refusal = parsers.ipam_refusal_of({**plugin, "name": "n", "cniVersion": "1.0.0"})
    found = errors(as_list(plugin, behind=False))
    if refusal is not None:
        assert found or "nor in CNI_ARGS" in refusal.message, refusal.message  # a pod may ask for its own
    elif (kind, steps[0]) not in CONDITIONAL:
        assert not schema_errors(kind, ipam)


@pytest.mark.parametrize("kind", sorted(PLUGINS))
def test_what_a_plugin_takes_has_no_error(kind: str) -> None:
    assert errors(as_list({"type": kind, **PLUGINS[kind]}, behind=kind in parsers.CHAINED)) == []


@pytest.mark.parametrize("kind", sorted(IPAMS))
def test_what_an_ipam_takes_has_no_error(kind: str) -> None:
    plugin = {"type": "macvlan", "master": "eth0", "ipam": {"type": kind, **IPAMS[kind]}}
    assert errors(as_list(plugin, behind=False)) == []
