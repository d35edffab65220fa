"""`clusterNetwork` and `defaultNetworks` of a node that knows the API, and the pods that do without them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.kubernetes.site import STATUS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kubernetes.site import Site

SYSTEM = "kube-system"
NETWORKS_OF_RUNTIME = "io.kubernetes.cri.pod-annotations"
GET_NAD = ("GET", "/network-attachment-definitions/")


@pytest.fixture
def define(site: Site) -> Iterator[Callable[[str, dict[str, Any]], str]]:
    """Definitions in kube-system, which all tests share: named after this one, and gone with it."""
    made: list[str] = []

    def define(name: str, config: dict[str, Any]) -> str:
        made.append(f"{site.cluster.namespace}-{name}")
        site.define(made[-1], {key: value for key, value in config.items() if key != "name"}, namespace=SYSTEM)
        return made[-1]

    yield define
    for name in made:
        path = site.cluster.path("network-attachment-definitions", name, namespace=SYSTEM)
        site.cluster.api.delete(path).expect(200)


@pytest.fixture
def conf_dir(site: Site, tmp_path: Path) -> Path:
    """Two networks of the node, beside a file that is none."""
    directory = tmp_path / "net.d"
    directory.mkdir()
    (directory / "05-junk.json").write_text("{")
    for name, network in {
        "main": site.node.bridge("main"),
        "storage": site.node.macvlan("storage", "10.9.0.0/24"),
    }.items():
        (directory / f"10-{name}.conf").write_text(json.dumps({"cniVersion": "1.0.0", **network}))
    return directory


def named(site: Site, value: str, **more: object) -> dict[str, Any]:
    return {**site.config(clusterNetwork=value, **more), "delegates": []}


def test_it_is_a_definition_of_the_systems_namespace(site: Site, define: Callable[[str, dict[str, Any]], str]) -> None:
    name = define("main", site.node.bridge())
    config = named(site, name)
    pod = site.pod("web")
    site.call("STATUS", config, None).succeeded()  # type: ignore[arg-type]
    site.call("ADD", config, pod).succeeded()
    assert pod.links() == {"eth0": "veth"}
    assert [(entry["name"], entry["ips"]) for entry in pod.status] == [(f"{SYSTEM}/{name}", ["10.1.0.2"])]
    assert site.events("AddedInterface") == [f"Add eth0 [10.1.0.2/24] from {SYSTEM}/{name}"]
    asked = site.road.count(*GET_NAD)
    site.call("CHECK", config, pod).succeeded()
    site.call("DEL", config, pod).succeeded()
    assert site.road.count(*GET_NAD) == asked == 2
    assert site.node.remains(pod) == {}
    site.define("main", site.node.bridge())
    site.call("ADD", named(site, "main", multusNamespace=site.cluster.namespace), pod).succeeded()
    assert pod.status[0]["name"] == f"{site.cluster.namespace}/main"


def test_it_is_a_configuration_of_the_node_and_nobody_complains(site: Site, conf_dir: Path) -> None:
    """The Go Multus says NoNetworkFound about every pod."""
    config = named(site, "main", confDir=str(conf_dir))
    pod = site.pod("web")
    site.call("ADD", config, pod).succeeded()
    assert [entry["name"] for entry in pod.status] == ["main"]
    assert site.events("AddedInterface") == ["Add eth0 [10.1.0.2/24] from main"]
    site.await_delivery()
    assert {event["type"] for event in site.cluster.objects("events").values()} == {"Normal"}
    message = site.call("ADD", named(site, "nowhere", confDir=str(conf_dir)), site.pod("late")).failed(7)
    assert message.startswith("clusterNetwork: there is no network nowhere")


def test_default_networks_come_before_those_that_the_pod_asks_for(site: Site, conf_dir: Path) -> None:
    site.macvlan("red", "10.7.0.0/24")
    site.macvlan("green", "10.8.0.0/24")
    more = {"multusNamespace": site.cluster.namespace, "confDir": str(conf_dir)}
    config = named(site, "main", defaultNetworks=["storage", "green"], **more)
    pod = site.pod("web", "red,green")
    site.call("ADD", config, pod).succeeded()
    namespace = site.cluster.namespace
    assert [(entry["interface"], entry["name"]) for entry in pod.status] == [
        ("eth0", "main"),
        ("net1", "storage"),
        ("net2", f"{namespace}/green"),
        ("net3", f"{namespace}/red"),
        ("net4", f"{namespace}/green"),
    ]
    assert pod.links() == {"eth0": "veth", **dict.fromkeys(("net1", "net2", "net3", "net4"), "macvlan")}
    site.call("CHECK", config, pod).succeeded()
    site.call("DEL", config, pod).succeeded()
    assert site.node.remains(pod) == {}


def test_pods_of_the_systems_namespaces_have_the_clusters_network_alone(
    site: Site, conf_dir: Path, define: Callable[[str, dict[str, Any]], str]
) -> None:
    """A pod that is called like such a namespace is one like any other: the Go Multus compares its name."""
    config = named(site, "main", defaultNetworks=["storage"], confDir=str(conf_dir))
    quiet = site.sandbox("dns", "u1")
    arguments = f"IgnoreUnknown=1;K8S_POD_NAMESPACE={SYSTEM};K8S_POD_NAME=dns;K8S_POD_UID=u1"
    told: dict[str, Any] = {"runtimeConfig": {NETWORKS_OF_RUNTIME: {}}}
    site.call("ADD", {**config, **told}, quiet, CNI_ARGS=arguments).succeeded()
    assert quiet.links() == {"eth0": "veth"}
    assert (site.road.count("GET"), site.road.count("PATCH")) == (site.road.count(*GET_NAD), 0), "no status of it"
    namesake = site.pod(SYSTEM)
    site.call("ADD", config, namesake).succeeded()
    assert [entry["interface"] for entry in namesake.status] == ["eth0", "net1"]
    more = {"systemNamespaces": [site.cluster.namespace]}
    site.macvlan("red", "10.7.0.0/24")
    asking = site.pod("asking", "red")
    site.call("ADD", {**config, **more}, asking).succeeded()
    assert [(entry["interface"], entry["ips"][0]) for entry in asking.status[1:]] == [("net1", "10.7.0.2")]
    other = site.pod("other")
    site.call("ADD", {**config, **more}, other).succeeded()
    assert other.links() == {"eth0": "veth"}
    assert STATUS not in other.annotations
