"""What pods ask for by their annotations, and what they and their owners see of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.kubelet.networks import macvlan
from tests.kubelet.pods import DEFAULT_NETWORK, NETWORKS, KubePod, definition, manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.cluster import Cluster
    from tests.kubelet.node import KubeNode

    Ask = Callable[..., KubePod]


@pytest.fixture
def ask(node: KubeNode, cluster: Cluster) -> Ask:
    def ask(name: str, networks: object, **more: Any) -> KubePod:
        asked = networks if isinstance(networks, str) else json.dumps(networks)
        node.apply(manifest(name, cluster.namespace, node.name, asked, **more))
        return KubePod(node, cluster.namespace, name)

    return ask


def test_two_networks_and_what_is_said_of_them(node: KubeNode, cluster: Cluster, ask: Ask) -> None:
    node.apply(
        definition("red", cluster.namespace, macvlan("red", "10.61.0.0/24")),
        definition("blue", cluster.namespace, macvlan("blue", "10.62.0.0/24", mtu=1400)),
    )
    pod = ask("wants-two", "red,blue@fast").running()
    assert pod.shown.links() == {"eth0", "net1", "fast"}
    status = {entry["interface"]: entry for entry in pod.status}
    assert [entry["name"] for entry in pod.status[1:]] == [f"{cluster.namespace}/red", f"{cluster.namespace}/blue"]
    assert [entry.get("default", False) for entry in pod.status] == [True, False, False]
    for name, entry in status.items():
        link = pod.shown.link(name)
        assert (entry["mac"], entry["mtu"]) == (link["address"], link["mtu"])
        assert set(entry["ips"]) == {address.partition("/")[0] for address in pod.shown.addresses(name)}
    assert status["fast"]["mtu"] == 1400
    assert status["eth0"]["gateway"] == ["10.244.0.1"]
    for name, entry in status.items():
        [address] = pod.shown.addresses(name)
        source = f" from {entry['name']}"
        assert ("Normal", "AddedInterface", f"Add {name} [{address}]{source}") in added(pod, 3)
    pod.delete()


def added(pod: KubePod, number: int) -> list[tuple[str, str, str]]:
    """The events of so many interfaces, as soon as they are all there."""
    return pod.heard("AddedInterface", number)


def test_a_default_route_that_moves(node: KubeNode, cluster: Cluster, ask: Ask) -> None:
    node.apply(definition("out", cluster.namespace, macvlan("out", "10.63.0.0/24")))
    pod = ask("goes-out", [{"name": "out", "default-route": ["10.63.0.1"]}]).running()
    assert pod.shown.routes()[0].startswith("default via 10.63.0.1 dev net1")
    assert "default via 10.63.0.1 dev net1" in pod.execute("ip", "route")
    assert len([route for route in pod.shown.routes() if route.startswith("default")]) == 1
    [first, second] = pod.status
    assert "gateway" not in first
    assert second["gateway"] == ["10.63.0.1"]
    pod.delete()


def test_addresses_and_a_mac_that_are_asked_for(node: KubeNode, cluster: Cluster, ask: Ask) -> None:
    network = macvlan("fixed", "10.64.0.0/24", capabilities={"ips": True, "mac": True})
    node.apply(definition("fixed", cluster.namespace, network))
    wish = {"name": "fixed", "interface": "left", "ips": ["10.64.0.77"], "mac": "02:00:5e:00:53:01"}
    pod = ask("has-wishes", [wish]).running()
    assert pod.shown.addresses("left") == {"10.64.0.77/24"}
    assert pod.shown.link("left")["address"] == wish["mac"]
    [_, entry] = pod.status
    assert (entry["interface"], entry["ips"], entry["mac"]) == ("left", ["10.64.0.77"], wish["mac"])
    pod.delete()


def test_a_network_that_comes_later(node: KubeNode, cluster: Cluster, ask: Ask) -> None:
    pod = ask("waits", "late")
    message = pod.told("NoNetworkFound")
    assert f"(late) in namespace ({cluster.namespace})" in message
    assert "NoNetworkFound" in node.kubectl("describe", "pod", pod.name, f"--namespace={cluster.namespace}")
    node.apply(definition("late", cluster.namespace, macvlan("late", "10.65.0.0/24")))
    pod.wake()
    assert pod.running().shown.links() == {"eth0", "net1"}
    pod.delete()


def test_an_annotation_that_is_mended(node: KubeNode, cluster: Cluster, ask: Ask) -> None:
    node.apply(definition("good", cluster.namespace, macvlan("good", "10.66.0.0/24")))
    pod = ask("mistyped", '[{"name": "good", "ips": "10.66.0.9"}]')
    message = pod.told("InvalidNetworks")
    assert NETWORKS in message
    assert "ips" in message
    where = (f"--namespace={cluster.namespace}", "--overwrite")
    node.kubectl("annotate", "pod", pod.name, f'{NETWORKS}=[{{"name": "good"}}]', *where)
    assert pod.running().shown.links() == {"eth0", "net1"}
    pod.delete()


def test_a_definition_that_is_no_network(node: KubeNode, cluster: Cluster, ask: Ask) -> None:
    node.apply(definition("broken", cluster.namespace, '{"cniVersion": "1.0.0", "plugins": []}'))
    pod = ask("wants-broken", "broken")
    assert "broken" in pod.told("NoNetworkFound")
    node.apply(definition("broken", cluster.namespace, macvlan("mended", "10.67.0.0/24")))
    pod.wake()
    assert pod.running().shown.links() == {"eth0", "net1"}
    pod.delete()


def test_networks_of_one_name_in_two_namespaces(node: KubeNode, cluster: Cluster, ask: Ask) -> None:
    """Neither has a name of its own: the definitions' is all that there is."""
    network = macvlan("", "10.68.0.0/24")
    other = f"{cluster.namespace}-2"
    node.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}})
    node.apply(definition("same", cluster.namespace, network))
    node.apply(definition("same", other, network), manifest("twin", other, node.name, "same"))
    pods = [ask("twin", "same").running(), KubePod(node, other, "twin").running()]
    assert [pod.status[1]["name"] for pod in pods] == [f"{cluster.namespace}/same", f"{other}/same"]
    for pod in pods:
        pod.delete()


def test_a_range_that_is_used_up(node: KubeNode, cluster: Cluster, ask: Ask) -> None:
    """The second pod gets what the first one gives back."""
    network = macvlan(cluster.namespace, "10.69.0.0/24")
    network["ipam"] |= {"rangeStart": "10.69.0.9", "rangeEnd": "10.69.0.9"}
    node.apply(definition("small", cluster.namespace, network))
    first = ask("first", "small").running()
    second = ask("second", "small")
    assert "10.69.0.9" in second.told("AddressPoolExhausted")
    first.delete()
    second.wake()
    assert second.running().shown.addresses("net1") == {"10.69.0.9/24"}
    second.delete()


def test_another_network_in_the_place_of_the_primary(node: KubeNode, cluster: Cluster, ask: Ask) -> None:
    label = f"{cluster.namespace}/first"
    node.apply(definition("first", cluster.namespace, macvlan("", "10.70.0.0/24")))
    pod = ask("elsewhere", "", **{DEFAULT_NETWORK: label}).running()
    [address] = pod.shown.addresses("eth0")
    assert address.startswith("10.70.0.")
    assert pod.document["status"]["podIP"] == address.partition("/")[0]
    [entry] = pod.status
    assert (entry["name"], entry["default"]) == (label, True)
    pod.delete()
