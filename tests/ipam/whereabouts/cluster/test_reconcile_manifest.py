"""The manifest of the periodic job: a real API server takes it, and its rights are those that the work needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cni_multus.cli.ipam.group import COMMANDS, load
from tests.ipam.whereabouts.cluster.reconciling import Scene

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster
    from tests.cluster.road import Road

MANIFEST = Path(__file__).parents[4] / "conf/whereabouts/reconcile/reconcile.yaml"
VERBS = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}
RESOURCE = re.compile(r"/(pods|nodes|ipamclaims|ippools|overlappingrangeipreservations|nodeslicepools)(/[^/?]+)?(\?|$)")


def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(MANIFEST.read_text()))


def rights(kind: str) -> set[tuple[str, str]]:
    """Verbs and resources of a role."""
    rules = next(document for document in documents() if document["kind"] == kind)["rules"]
    return {(verb, resource) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


def used(road: Road) -> set[tuple[str, str]]:
    """Verbs and resources of what was asked."""
    found = set()
    for call in road.calls:
        match = RESOURCE.search(call.path)
        assert match, call.path
        reading = "get" if match[2] else "list"
        found.add((VERBS.get(call.method, reading), match[1]))
    return found


def test_rights_are_those_that_the_work_needs(cluster: Cluster) -> None:
    scene = Scene(cluster)
    road = cluster.road()
    scene.kubeconfig = cluster.kubeconfig(server=road.url)
    shown = [{"interface": "net1", "ips": ["10.0.0.7"]}]
    uid = scene.add_pod("alive", status=shown)
    scene.add_pool(at5=scene.entry("alive"), at6=scene.entry("dead"), at8=scene.entry("gone"))
    scene.reserve("10.0.0.5", "alive")
    scene.reserve("10.0.0.6", "dead")
    scene.reserve("10.0.0.7", "alive", container="c", uid=uid)
    scene.add_pod("other")
    scene.add_pool("10.0.0.0-25", "10.0.0.0/25", at9=scene.entry("other"), at5=scene.entry("alive"))
    spec = {"range": "10.1.0.0/24", "sliceSize": "/25"}
    members = [{"nodeName": "gone", "sliceRange": "10.1.0.0/25"}]
    cluster.create("nodeslicepools", "net", spec=spec, status={"allocations": members})
    scene.add_pool("gone-10.1.0.0-25", "10.1.0.0/25")
    # One of the patches is lost, so that its pool is read again.
    road.disturb("PATCH", "ippools", lose=True)
    outcome = scene.reconcile()
    assert outcome.failed == []
    assert used(road) == rights("Role") | rights("ClusterRole")


def test_the_server_takes_it(cluster: Cluster) -> None:
    """In a namespace of the test; a CronJob of this server's age is a beta."""
    for document in documents():
        metadata = document["metadata"]
        kind = document["kind"]
        if kind.startswith("ClusterRole"):
            metadata["name"] = f"{cluster.namespace}-reconcile"
        else:
            metadata["namespace"] = cluster.namespace
        for subject in document.get("subjects", []):
            subject["namespace"] = cluster.namespace
        if kind == "CronJob":
            document["apiVersion"] = "batch/v1beta1"
        group = document["apiVersion"]
        root = f"/apis/{group}" if "/" in group else f"/api/{group}"
        inside = "" if kind.startswith("ClusterRole") else f"/namespaces/{cluster.namespace}"
        plural = f"{kind.lower()}s"
        cluster.api.post(f"{root}{inside}/{plural}", document).expect(201)


def test_its_command_can_be_typed() -> None:
    import argparse

    job = next(document for document in documents() if document["kind"] == "CronJob")
    [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["command"][:3] == ["multus", "ipam", "reconcile"]
    parser = argparse.ArgumentParser(exit_on_error=False)
    load(COMMANDS["reconcile"][0]).declare(parser)
    parser.parse_args(container["command"][3:])
