"""Pods ask for networks in annotations; what they get stands in network-status, and in the kernel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.kubernetes.site import DEFAULT_NETWORK, NETWORKS, OLDER_STATUS, STATUS
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.kubernetes.site import Member, Site


def untouched(site: Site, *pods: Member) -> bool:
    return not (
        site.node.calls()
        or site.node.remains(*pods)
        or site.node.links()
        or site.node.cni_dir.joinpath("journal").exists()
    )


def test_a_pod_gets_the_networks_that_it_names(site: Site) -> None:
    site.macvlan("red", "10.7.0.0/24")
    site.macvlan("green", "10.8.0.0/24")
    pod = site.pod("web", "red, green@data0")
    config = site.config()
    site.call("ADD", config, pod).succeeded()
    assert pod.links() == {"eth0": "veth", "net1": "macvlan", "data0": "macvlan"}
    inside = Shown(pod.netns)
    namespace = site.cluster.namespace
    eth0, net1, data0 = (inside.link(name)["address"] for name in ("eth0", "net1", "data0"))
    assert pod.status == [
        {
            "name": "primary",
            "interface": "eth0",
            "ips": ["10.1.0.2"],
            "mac": eth0,
            "mtu": 1500,
            "default": True,
            "dns": {},
            "gateway": ["10.1.0.1"],
        },
        {"name": f"{namespace}/red", "interface": "net1", "ips": ["10.7.0.2"], "mac": net1, "mtu": 1500, "dns": {}},
        {"name": f"{namespace}/green", "interface": "data0", "ips": ["10.8.0.2"], "mac": data0, "mtu": 1500, "dns": {}},
    ]
    site.call("CHECK", config, pod).succeeded()
    site.call("DEL", config, pod).succeeded()
    assert site.node.remains(pod) == {}


def test_the_status_is_read_by_older_tools_where_the_node_says_so(site: Site) -> None:
    plain, both = site.pod("plain"), site.pod("both")
    site.call("ADD", site.config(), plain).succeeded()
    site.call("ADD", site.config(networksStatus=True), both).succeeded()
    assert OLDER_STATUS not in plain.annotations
    assert both.annotations[OLDER_STATUS] == both.annotations[STATUS]
    assert both.annotations[STATUS].startswith('[{\n    "name": "primary",\n    "interface": "eth0",\n')


def test_what_is_asked_for_in_json_is_given(site: Site) -> None:
    recorder = site.node.program("recorder")
    site.define(
        "red", {**recorder, "capabilities": {"ips": True, "mac": True, "bandwidth": True, "portMappings": True}}
    )
    element = {
        "name": f"{site.cluster.namespace}/red",
        "interface": "fast0",
        "ips": ["10.7.0.9/24"],
        "mac": "02:00:00:00:00:09",
        "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}],
        "bandwidth": {"ingressRate": 1000, "ingressBurst": 1000},
        "cni-args": {"colour": "dark"},
        "ipam-claim-reference": "mine",
    }
    del element["ipam-claim-reference"]
    pod = site.pod("web", [element])
    config = site.config(runtimeConfig={"portMappings": [{"hostPort": 1, "containerPort": 1}]})
    site.call("ADD", config, pod).succeeded()
    site.call("DEL", config, pod).succeeded()
    added, deleted = site.node.calls("ADD", "DEL")
    for call in (added, deleted):
        told = call["stdin"] if isinstance(call["stdin"], dict) else json.loads(call["stdin"])
        assert told["runtimeConfig"] == {
            "ips": ["10.7.0.9/24"],
            "mac": "02:00:00:00:00:09",
            "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}],
            "bandwidth": {"ingressRate": 1000, "ingressBurst": 1000},
        }
        assert told["args"] == {"cni": {"colour": "dark"}}
        assert call["environment"]["CNI_IFNAME"] == "fast0"
        assert "IP=10.7.0.9/24;MAC=02:00:00:00:00:09" in call["environment"]["CNI_ARGS"]


def test_a_definition_may_name_its_network_or_leave_it_to_the_node(site: Site, tmp_path: Any) -> None:
    conf_dir = tmp_path / "confdir"
    conf_dir.mkdir()
    (conf_dir / "05-junk.json").write_text("{")
    on_node = site.node.macvlan("of-node", "10.9.0.0/24", cniVersion="1.0.0")
    (conf_dir / "10-of-node.conf").write_text(json.dumps(on_node))
    site.define("of-node", None)
    tuning = {"type": "tuning", "dataDir": str(tmp_path / "tuning")}
    site.define("chain", {"cniVersion": "1.0.0", "plugins": [site.node.macvlan("x", "10.7.0.0/24"), tuning]})
    pod = site.pod("web", "of-node,chain")
    config = site.config(confDir=str(conf_dir))
    site.call("ADD", config, pod).succeeded()
    assert [entry["ips"] for entry in pod.status[1:]] == [["10.9.0.2"], ["10.7.0.2"]]
    assert site.node.reserved("of-node").keys() == {"10.9.0.2"}
    assert site.node.reserved(f"{site.cluster.namespace}_chain").keys() == {"10.7.0.2"}
    site.call("DEL", config, pod).succeeded()
    assert site.node.remains(pod) == {}


def test_definitions_of_one_name_in_two_namespaces_are_two_networks(site: Site) -> None:
    site.macvlan("red", "10.7.0.0/24")
    site.macvlan("red", "10.7.0.0/24", namespace="default")
    try:
        pod = site.pod("web", "red,default/red")
        site.call("ADD", site.config(), pod).succeeded()
        assert [entry["ips"] for entry in pod.status[1:]] == [["10.7.0.2"], ["10.7.0.2"]]
        assert [entry["name"] for entry in pod.status[1:]] == [f"{site.cluster.namespace}/red", "default/red"]
    finally:
        path = site.cluster.path("network-attachment-definitions", "red", namespace="default")
        site.cluster.api.delete(path).expect(200)


def test_a_pod_that_asks_for_nothing_has_its_own_network_alone(site: Site) -> None:
    pod = site.pod("web")
    site.call("ADD", site.config(), pod).succeeded()
    assert pod.links() == {"eth0": "veth"}
    assert [entry["interface"] for entry in pod.status] == ["eth0"]


@pytest.mark.parametrize(
    ("networks", "code", "said"),
    [
        pytest.param("[null]", 6, "element 1", id="null in a list"),
        pytest.param("[{", 6, "line 1", id="cut off"),
        pytest.param('{"name": "red"}', 6, "list", id="an object"),
        pytest.param('[{"name": "red", "ips": "10.0.0.1"}]', 6, "ips", id="ips is a text"),
        pytest.param("red@abcdefghijklmnop", 7, "15 bytes", id="long interface"),
        pytest.param('[{"name":"red","interface":"x/y"}]', 7, "interface", id="interface with a slash"),
        pytest.param("red@a,red@a", 7, "a", id="one interface twice"),
        pytest.param("red@eth0", 7, "interface eth0", id="the primary's"),
        pytest.param("red@net2,red", 7, "interface net2", id="a name that would be the next one's"),
        pytest.param("missing", 7, "cannot find a network-attachment-definition (missing) in namespace", id="missing"),
        pytest.param("broken", 7, "spec.config", id="no JSON"),
        pytest.param("null", 7, "cannot find", id="null"),
        pytest.param("void", 7, "plugins", id="empty list of plugins"),
        pytest.param("itself", 7, "itself", id="multus"),
        pytest.param('[{"name":"red","cni-args":{"a":1}},{"name":"odd","cni-args":{"a":1}}]', 7, "args", id="odd args"),
        pytest.param(
            '[{"name":"red","default-route":["10.7.0.1"]},{"name":"red","default-route":["10.7.0.3"]}]',
            7,
            "default",
            id="two",
        ),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_attached(site: Site, networks: str, code: int, said: str) -> None:
    site.macvlan("red", "10.7.0.0/24")
    site.define("broken", "{")
    site.define("void", {"plugins": []})
    site.define("itself", {"type": "multus", "cniVersion": "1.0.0"})
    site.define("odd", {**site.node.program("odd"), "args": "x"})
    pod = site.pod("web", networks)
    message = site.call("ADD", site.config(), pod).failed(code)
    assert said in message
    assert message.startswith(f"Multus: [{site.cluster.namespace}/web/{pod.uid}]: ")
    assert untouched(site, pod)
    assert STATUS not in pod.annotations
    reason = "NoNetworkFound" if "cannot find" in message or "Definition" in message else "InvalidNetworks"
    [event] = site.events(reason)
    assert event[:40] in message


def test_isolation_holds_for_every_way_of_naming_a_network(site: Site) -> None:
    config = site.config(namespaceIsolation=True, globalNamespaces="shared, default")
    site.macvlan("red", "10.7.0.0/24")
    for at, (annotation, value) in enumerate(
        [
            (NETWORKS, "kube-system/secret"),
            (DEFAULT_NETWORK, "kube-system/secret"),
            (DEFAULT_NETWORK, "secret"),
            (NETWORKS, '[{"name": "kube-system/secret"}]'),
            (NETWORKS, '[{"name": "secret", "namespace": "kube-system"}]'),
        ]
    ):
        pod = site.pod(f"nosy{at}", **{annotation: value})
        message = site.call("ADD", config, pod).failed(7)
        assert "namespaceIsolation" in message
        assert "kube-system/secret" in message
        assert untouched(site, pod)
    assert len(site.events("NetworkNotAllowed", 5)) == 5
    site.call("ADD", config, site.pod("good", "red")).succeeded()


def test_the_default_network_takes_the_place_of_the_clusters(site: Site) -> None:
    site.macvlan("red", "10.7.0.0/24")
    site.macvlan("green", "10.8.0.0/24", capabilities={"ips": True})
    asked = [
        {"name": "green", "namespace": site.cluster.namespace, "ips": ["10.8.0.77/24"], "mac": "02:00:00:00:00:77"}
    ]
    pod = site.pod("web", "red", **{DEFAULT_NETWORK: json.dumps(asked)})
    config = site.config()
    site.call("ADD", config, pod).succeeded()
    first, second = pod.status
    assert (first["name"], first["ips"], first["mac"], first["default"]) == (
        f"{site.cluster.namespace}/green",
        ["10.8.0.77"],
        "02:00:00:00:00:77",
        True,
    )
    assert second["name"] == f"{site.cluster.namespace}/red"
    assert pod.links() == {"eth0": "macvlan", "net1": "macvlan"}
    site.call("CHECK", config, pod).succeeded()
    site.call("DEL", config, pod).succeeded()
    assert site.node.remains(pod) == {}


def test_an_empty_wish_for_a_default_network_is_none(site: Site) -> None:
    pod = site.pod("web", **{DEFAULT_NETWORK: "[]"})
    site.call("ADD", site.config(), pod).succeeded()
    assert pod.status[0]["name"] == "primary"
