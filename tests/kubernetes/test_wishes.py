"""What pods may ask for and how it is written; what they are told of results of every shape; answers of the API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.disturbances import refusal
from tests.kubernetes.site import DEFAULT_NETWORK, NETWORKS
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.kubernetes.site import Site


def test_shorthand_names_namespaces_and_interfaces(site: Site) -> None:
    namespace = site.cluster.namespace
    site.macvlan("a", "10.7.0.0/24")
    site.macvlan("b", "10.8.0.0/24")
    pod = site.pod("web", f" a , {namespace}/b@if0 ")
    site.call("ADD", site.config(), pod).succeeded()
    assert [(entry["name"], entry["interface"]) for entry in pod.status[1:]] == [
        (f"{namespace}/a", "net1"),
        (f"{namespace}/b", "if0"),
    ]
    assert pod.links() == {"eth0": "veth", "net1": "macvlan", "if0": "macvlan"}


@pytest.mark.parametrize("networks", ["a.b,", "a.b@x.7 ,\n", '[{"name": "a.b"},]'])
def test_names_may_have_dots_and_lists_a_comma_at_the_end(site: Site, networks: str) -> None:
    site.macvlan("a.b", "10.7.0.0/24")
    pod = site.pod("web", networks)
    site.call("ADD", site.config(), pod).succeeded()
    [_, entry] = pod.status
    assert entry["name"] == f"{site.cluster.namespace}/a.b"
    assert pod.links() == {"eth0": "veth", entry["interface"]: "macvlan"}


@pytest.mark.parametrize(
    ("networks", "said"),
    [
        ("red@abcdefghijklmnopqrst", "15 bytes"),
        ('[{"name": "red"}, {"name": "red", "interface": "abcdefghijklmnopqrst"}]', "15 bytes"),
        ('[{"name": "red", "interface": "a/b"}]', "'/'"),
        ("red@x,red@x", "'x'"),
        ("red,red@net1", "interface net1"),
        ("red@eth0", "interface eth0"),
        ('[{"name": "red"}, {"name": "red", "interface": "eth0"}]', "interface eth0"),
    ],
)
def test_an_interfaces_name_is_judged_before_any_program_runs(site: Site, networks: str, said: str) -> None:
    """The Go Multus attaches what comes before, and takes eth0 away with what it takes back."""
    site.define("red", site.node.program("recorder"))
    pod = site.pod("web", networks)
    assert said in site.call("ADD", site.config(site.node.program("primary")), pod).failed(7)
    assert site.node.calls() == []
    assert site.node.remains(pod) == {}


def test_a_guid_and_a_device_reach_the_plugin(site: Site) -> None:
    asked = dict.fromkeys(("infinibandGUID", "deviceID", "CNIDeviceInfoFile"), True)
    site.define("ib", {**site.node.program("recorder"), "capabilities": asked})
    element = {"name": "ib", "infiniband-guid": "02:00:00:00:00:00:00:09", "deviceID": "0000:03:02.1"}
    pod = site.pod("web", [element])
    config = site.config()
    for command in ("ADD", "CHECK", "DEL"):
        site.call(command, config, pod).succeeded()
    told = [call["stdin"] for call in site.node.calls()]
    assert len(told) == 3
    directory = "/var/run/k8s.cni.cncf.io/devinfo/cni"
    for each in told:
        assert each["runtimeConfig"] == {
            "infinibandGUID": "02:00:00:00:00:00:00:09",
            "deviceID": "0000:03:02.1",
            "CNIDeviceInfoFile": f"{directory}/{site.cluster.namespace}-ib-{pod.container_id}_net1",
        }
        assert "deviceID" not in each, "that is for devices of a resource"
    short = site.pod("short", [{**element, "infiniband-guid": "02:00:00:00:00:01"}])
    message = site.call("ADD", site.config(), short).failed(7)
    assert "element 1, infiniband-guid" in message
    assert "'02:00:00:00:00:01' is not a GUID of 8 bytes" in message


@pytest.mark.parametrize(
    ("global_namespaces", "foreign"),
    [
        (None, {"default": True, "kube-system": False}),
        ("shared, default", {"default": True, "kube-system": False}),
        ("kube-system", {"default": False, "kube-system": True}),
        (["kube-public", "kube-system"], {"default": False, "kube-public": True}),
    ],
    ids=["as it is", "two", "another", "a list"],
)
def test_isolation_leaves_a_pod_its_own_and_the_global_namespaces(
    site: Site, global_namespaces: object, foreign: dict[str, bool]
) -> None:
    """A network of a namespace that may be used is looked for; of any other it is not even said whether it exists."""
    site.macvlan("red", "10.7.0.0/24")
    more = {} if global_namespaces is None else {"globalNamespaces": global_namespaces}
    config, free = site.config(namespaceIsolation=True, **more), site.config(**more)
    for at, (namespace, is_allowed) in enumerate(foreign.items()):
        for annotation in (NETWORKS, DEFAULT_NETWORK):
            pod = site.pod(f"web{at}{annotation[0]}", **{annotation: f"{namespace}/nowhere"})
            asked = site.road.count("GET", "/network-attachment-definitions/")
            message = site.call("ADD", config, pod).failed(7)
            assert ("namespaceIsolation is on" in message) != is_allowed
            assert (f"(nowhere) in namespace ({namespace})" in message) == is_allowed
            assert site.road.count("GET", "/network-attachment-definitions/") == asked + is_allowed
            assert "namespaceIsolation" not in site.call("ADD", free, pod).failed(7)
    site.call("ADD", config, site.pod("good", f"red,{site.cluster.namespace}/red")).succeeded()


def test_every_shape_of_result_has_its_entries(site: Site) -> None:
    """Without interfaces, with several, with routes that have no gateway; and the kernel's word where it has one."""
    inside = {"sandbox": "/run/netns/x"}
    results: dict[str, dict[str, Any]] = {
        "none": {"cniVersion": "0.2.0", "ip4": {"ip": "192.0.2.1/24"}},
        "two": {
            "cniVersion": "1.1.0",
            "interfaces": [
                {"name": "vethx", "mac": "02:00:00:00:00:01"},
                {"name": "left", "mac": "02:00:00:00:00:02", "mtu": 9000, **inside},
                {"name": "right", "mac": "02:00:00:00:00:03", **inside},
            ],
            "ips": [{"address": "192.0.2.2/24", "interface": 1}, {"address": "2001:db8::3/64", "interface": 2}],
            "routes": [{"dst": "0.0.0.0/0"}, {"dst": "198.51.100.0/24", "gw": "192.0.2.9"}],
            "dns": {"nameservers": ["192.0.2.53"], "domain": "a.b", "search": ["b"], "options": ["ndots:2"]},
        },
        "gateway": {
            "cniVersion": "1.0.0",
            "ips": [{"address": "192.0.2.4/24"}],
            "routes": [{"dst": "0.0.0.0/0", "gw": "192.0.2.9"}, {"dst": "::/0", "gw": "2001:db8::9"}],
        },
    }
    for name, result in results.items():
        program = site.node.program(f"p{name}", ADD={"stdout": json.dumps(result)})
        site.define(name, {**program, "cniVersion": result["cniVersion"]})
    pod = site.pod("web", ",".join(results))
    site.call("ADD", site.config(), pod).succeeded()
    namespace = site.cluster.namespace
    dns = results["two"]["dns"]
    [primary, *others] = pod.status
    assert primary["mtu"] == Shown(pod.netns).link("eth0")["mtu"]
    assert others == [
        {"name": f"{namespace}/none", "interface": "net1", "ips": ["192.0.2.1"], "dns": {}},
        {
            "name": f"{namespace}/two",
            "interface": "left",
            "ips": ["192.0.2.2"],
            "mac": "02:00:00:00:00:02",
            "mtu": 9000,
            "dns": dns,
        },
        {
            "name": f"{namespace}/two",
            "interface": "right",
            "ips": ["2001:db8::3"],
            "mac": "02:00:00:00:00:03",
            "dns": dns,
        },
        {
            "name": f"{namespace}/gateway",
            "interface": "net3",
            "ips": ["192.0.2.4"],
            "dns": {},
            "gateway": ["192.0.2.9", "2001:db8::9"],
        },
    ]


@pytest.mark.parametrize(
    "config",
    ["null", "[]", "7", '"red"', "{}", '{"plugins": []}', '{"plugins": null}', '{"plugins": [null]}', '{"type": null}'],
)
def test_a_definition_of_nothing_is_one_error(site: Site, config: str) -> None:
    site.define("void", config)
    pod = site.pod("web", "void")
    message = site.call("ADD", site.config(site.node.program("primary")), pod).failed(7)
    assert f"NetworkAttachmentDefinition {site.cluster.namespace}/void: spec.config" in message
    assert site.node.calls() == []
    assert site.events("NoNetworkFound")[0] in message


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_that_is_not_ready_is_asked_again(site: Site, status: int) -> None:
    site.macvlan("red", "10.7.0.0/24")
    pod = site.pod("web", "red")
    for method, path in (("GET", "/pods/"), ("GET", "/network-attachment-definitions/"), ("PATCH", "/status")):
        site.road.disturb(method, path, answer=refusal(status), times=2)
    site.call("ADD", site.config(), pod).succeeded()
    assert (site.road.count("GET"), site.road.count("PATCH")) == (6, 3)
    assert [entry["interface"] for entry in pod.status] == ["eth0", "net1"]


@pytest.mark.parametrize("version", ["0.2.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_a_pod_that_is_gone_is_one_error_in_any_version(site: Site, version: str) -> None:
    """The Go Multus makes up a result, which is none before 1.0.0, or dies of it."""
    pod = site.sandbox("nobody", "u")
    answer = site.call("ADD", site.config(site.node.program("primary"), cniVersion=version), pod)
    answer.failed(3)
    assert answer.document["cniVersion"] == version
    assert site.node.calls() == []
    assert site.node.remains(pod) == {}


@pytest.mark.parametrize("status", [401, 403, 404, 500, 0], ids=str)
def test_a_pod_ends_whatever_the_server_answers(site: Site, status: int) -> None:
    site.macvlan("red", "10.7.0.0/24")
    pod = site.pod("web", "red")
    config = site.config()
    site.call("ADD", config, pod).succeeded()
    site.await_delivery()
    if status:
        site.road.disturb(times=-1, answer=refusal(status))
    else:
        site.road.close()
    asked = len(site.road.calls)
    site.call("DEL", config, pod).succeeded()
    assert site.node.remains(pod) == {}
    assert len(site.road.calls) == asked
