"""Leases from place to place: everything that a format can hold comes back, and nothing is overwritten."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cni_multus.state.leases.store import Store
from cni_multus.state.owners import Owner
from tests.cli.ipam.operator import Operator, container

if TYPE_CHECKING:
    from pathlib import Path


def outcomes(operator: Operator, *arguments: str, status: int = 0) -> dict[str, str]:
    """What became of each lease."""
    rows = operator.json("import", *arguments, status=status)["leases"]
    return {" ".join(row["addresses"]): row["what"] for row in rows}


def three(operator: Operator) -> list[dict[str, Any]]:
    """Three leases, as documents."""
    told: dict[str, Any] = {"pod": "blue/web-0", "uid": "u1", "netns": "/run/netns/x", "node": "n1"}
    records = [
        operator.lease("10.0.0.5/24", "fd00::5/64", number=1, network_name="blue", **told),
        operator.lease("10.0.0.6/24", number=2),
        operator.lease("10.0.0.7/24", number=3, claim="blue/disk", pod="blue/web-1"),
    ]
    return [record.lease.to_json() for record in records]


def export(operator: Operator, path: Path, *arguments: str) -> str:
    ended = operator.ipam("export", *arguments)
    assert ended.status == 0, ended.stderr
    path.write_text(ended.stdout)
    return ended.stderr


def leases(operator: Operator) -> list[dict[str, Any]]:
    """What `show` says of every holder, without where that stands."""
    rows = [row for pool in ("blue", "_default") for row in operator.json("show", pool)["holders"]]
    return [{key: value for key, value in row.items() if key != "record"} for row in rows]


@pytest.mark.parametrize("form", ["leases", "ippools"])
def test_what_is_exported_is_imported_whole(operator: Operator, tmp_path: Path, form: str) -> None:
    three(operator)
    before = leases(operator)
    document = tmp_path / "document"
    assert export(operator, document, "--as", form) == ""
    operator.data_dir = tmp_path / "another"
    operator.store = Store(str(operator.data_dir))
    expected = {"10.0.0.5/24 fd00::5/64", "10.0.0.6/24", "10.0.0.7/24"}
    dry = outcomes(operator, "--from", str(document), "--dry-run")
    assert dry == dict.fromkeys(expected, "would be imported")
    assert not operator.data_dir.exists()
    assert outcomes(operator, "--from", str(document)) == dict.fromkeys(expected, "imported")
    assert leases(operator) == before
    assert outcomes(operator, "--from", str(document)) == dict.fromkeys(expected, "present")
    assert operator.ipam("fsck").succeeded().stdout == "nothing is wrong\n"


def test_pools_are_what_whereabouts_writes(operator: Operator, tmp_path: Path) -> None:
    three(operator)
    document = tmp_path / "pools.yaml"
    export(operator, document, "--as", "ippools")
    objects = list(yaml.safe_load_all(document.read_text()))
    names: dict[str, list[str]] = {}
    for one in objects:
        names.setdefault(one["kind"], []).append(one["metadata"]["name"])
    assert sorted(names["IPPool"]) == ["10.0.0.0-24", "blue-10.0.0.0-24", "blue-fd00---64"]
    assert sorted(names["OverlappingRangeIPReservation"]) == [
        "10.0.0.6",
        "10.0.0.7",
        "blue-10.0.0.5",
        "blue-fd00--5",
    ]
    [pool] = [one for one in objects if one["metadata"]["name"] == "blue-10.0.0.0-24"]
    entry = {"id": container(1), "podref": "blue/web-0", "ifname": "eth1"}
    assert pool["spec"] == {"range": "10.0.0.0/24", "allocations": {"5": entry}}


def test_a_conflict_is_told_and_nothing_is_overwritten(operator: Operator, tmp_path: Path) -> None:
    three(operator)
    document = tmp_path / "leases"
    export(operator, document)
    operator.data_dir = tmp_path / "another"
    operator.store = Store(str(operator.data_dir))
    operator.lease("10.0.0.6/24", number=9)
    result = outcomes(operator, "--from", str(document), status=1)
    assert result == {"10.0.0.5/24 fd00::5/64": "imported", "10.0.0.6/24": "conflict", "10.0.0.7/24": "imported"}
    [row] = [row for row in operator.json("import", "--from", str(document), status=1)["leases"] if "why" in row]
    assert container(9)[:13] in row["why"]
    [holder] = operator.json("owner", "10.0.0.6")["holders"]
    assert holder["containerID"] == container(9)


def test_a_lease_of_two_addresses_is_taken_whole_or_not_at_all(operator: Operator, tmp_path: Path) -> None:
    three(operator)
    document = tmp_path / "leases"
    export(operator, document)
    operator.data_dir = tmp_path / "another"
    operator.store = Store(str(operator.data_dir))
    operator.lease("fd00::5/64", number=9, network_name="blue")
    result = outcomes(operator, "--from", str(document), status=1)
    assert result["10.0.0.5/24 fd00::5/64"] == "conflict"
    assert operator.ipam("owner", "10.0.0.5").status == 1


def test_host_local_is_taken_over_and_given_back(operator: Operator, tmp_path: Path) -> None:
    paths = [
        operator.reserve("10.1.0.5", Owner(container(1), "eth0")),
        operator.reserve("fd01::5", Owner(container(1), "eth0")),
        operator.reserve("10.1.0.6", Owner(container(2), "eth0")),
    ]
    content = [path.read_bytes() for path in paths]
    ended = operator.ipam("import", "--from", "host-local")
    assert (ended.status, "--range names one" in ended.stderr) == (4, True)
    ranges = ["--range", "10.1.0.0/16", "--range", "fd01::/64"]
    ended = operator.ipam("import", "--from", "host-local", *ranges)
    assert (ended.status, "records neither pod" in ended.stderr) == (0, True)
    assert [row["address"] for row in operator.json("show", "_default")["holders"]] == [
        "10.1.0.5/16",
        "10.1.0.6/16",
        "fd01::5/64",
    ]
    operator.host_local = tmp_path / "again"
    assert operator.ipam("import", "--from", "file", "--to", "host-local").status == 0
    assert [(operator.host_local / "net1" / path.name).read_bytes() for path in paths] == content
    assert outcomes(operator, "--from", "file", "--to", "host-local") == {
        "10.1.0.5/16 fd01::5/64": "present",
        "10.1.0.6/16": "present",
    }
    operator.reserve("10.1.0.7", Owner("abc", "eth0"))
    operator.lease("10.1.0.7/16", number=7)
    assert outcomes(operator, "--from", "file", "--to", "host-local", status=1)["10.1.0.7/16"] == "conflict"


def test_pools_of_whereabouts_need_a_network(operator: Operator, tmp_path: Path) -> None:
    """What kubectl prints: a list, and neither labels nor annotations of ours."""
    entries = {"5": {"id": container(1), "podref": "blue/web-0", "ifname": "net1"}, "x": {"id": "", "podref": ""}}
    pool = {"metadata": {"name": "10.0.0.0-24"}, "spec": {"range": "10.0.0.0/24", "allocations": entries}}
    document = tmp_path / "pools.json"
    document.write_text(json.dumps({"apiVersion": "v1", "kind": "IPPoolList", "items": [pool]}))
    assert outcomes(operator, "--from", str(document), status=1) == {"10.0.0.5/24": "left out"}
    ended = operator.ipam("import", "--from", str(document), "--network", "storage")
    assert (ended.status, "record neither network" in ended.stderr) == (0, True)
    [holder] = operator.json("owner", "10.0.0.5")["holders"]
    assert (holder["pod"], holder["network"], holder["pool"]) == ("blue/web-0", "storage", "_default+10.0.0.0_24")


def test_containers_that_are_no_pod_s_stay_so(operator: Operator, tmp_path: Path) -> None:
    holder = operator.lease("10.0.0.5/24").lease.holder
    document = tmp_path / "pools.yaml"
    export(operator, document, "--as", "ippools")
    operator.data_dir = tmp_path / "another"
    outcomes(operator, "--from", str(document))
    found = Store(str(operator.data_dir)).lease(holder.key)
    assert found is not None
    assert found.lease.holder.pod == ""


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "there is no IPPool in it"),
        (b"a: [", "is neither JSON nor YAML: line "),
        (b'{"format": "multus-leases", "version": 7}\n', "version 7 of multus-leases, and 1 is read here"),
        (b'{"format": "multus-leases", "version": 1}\n{"addresses": [7]}\n', "line 2.addresses[0] must be a string"),
        (b'{"format": "multus-leases", "version": 1}\n{', "line 2 is not JSON"),
        (b"kind: Pod", "there is no IPPool in it"),
        (b"[" * 100_000, "nested too deep"),
        (b"kind: IPPool\nspec: {range: 10.0.0.1/24}", "spec.range 10.0.0.1/24 is not the address of a network"),
    ],
)
def test_a_document_that_is_none(operator: Operator, tmp_path: Path, content: bytes, why: str) -> None:
    document = tmp_path / "document"
    document.write_bytes(content)
    ended = operator.ipam("import", "--from", str(document))
    assert (ended.status, ended.stdout, ended.stderr.count("\n")) == (4, "", 1)
    assert why in ended.stderr


def test_places_that_cannot_be(operator: Operator) -> None:
    assert operator.ipam("import", "--from", "file").status == 2
    missing = operator.ipam("import", "--from", "/nowhere/at/all")
    assert (missing.status, missing.stderr) == (4, "multus ipam import: /nowhere/at/all: No such file or directory\n")
    assert operator.ipam("import", "--from", "kubernetes", "--no-api").status == 4
