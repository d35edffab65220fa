"""The API server as it is on a bad day, and pods that are not what they were."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.cluster import rule
from tests.cluster.disturbances import refusal
from tests.kubernetes.site import NETWORKS, STATUS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kubernetes.site import Member, Site

NETWORKS_OF_RUNTIME = "io.kubernetes.cri.pod-annotations"


def told(site: Site, networks: str = "", **more: Any) -> dict[str, Any]:
    """00-multus.conf as a runtime fills it in that hands the pod's annotations over."""
    annotations = {"some.where/else": "x", **({NETWORKS: networks} if networks else {})}
    return site.config(runtimeConfig={NETWORKS_OF_RUNTIME: annotations}, **more)


def nothing_left(site: Site, *pods: Member) -> bool:
    remains = site.node.remains(*pods)
    return not remains and STATUS not in pods[0].annotations


def test_an_add_asks_for_the_pod_and_for_each_definition_once(site: Site) -> None:
    site.macvlan("red", "10.7.0.0/24")
    site.macvlan("green", "10.8.0.0/24")
    pod = site.pod("web", "red,green,red,red,green")
    config = site.config()
    site.call("ADD", config, pod).succeeded()
    assert (site.road.count("GET"), site.road.count("PATCH")) == (3, 1)
    site.events("AddedInterface", 6)
    asked = len(site.road.calls)
    site.call("CHECK", config, pod).succeeded()
    site.call("DEL", config, pod).succeeded()
    site.call("GC", {**config, "cni.dev/valid-attachments": []}, None).succeeded()  # type: ignore[arg-type]
    assert len(site.road.calls) == asked


def test_annotations_of_the_runtime_need_no_question(site: Site) -> None:
    pod = site.pod("web")
    site.call("ADD", told(site), pod).succeeded()
    assert (site.road.count("GET"), site.road.count("PATCH")) == (0, 1)
    site.macvlan("red", "10.7.0.0/24")
    other = site.pod("other")
    site.call("ADD", told(site, "red"), other).succeeded()
    assert (site.road.count("GET"), site.road.count("PATCH")) == (1, 2)
    assert [entry["interface"] for entry in other.status] == ["eth0", "net1"]


def test_a_server_that_takes_two_seconds_is_waited_for(site: Site) -> None:
    site.macvlan("red", "10.7.0.0/24")
    pod = site.pod("web", "red")
    site.road.disturb(times=-1, delay=2.0)
    site.call("ADD", site.config(), pod).succeeded()
    assert [entry["interface"] for entry in pod.status] == ["eth0", "net1"]


def test_a_server_that_is_gone_is_told_in_seconds(site: Site) -> None:
    site.macvlan("red", "10.7.0.0/24")
    pod = site.pod("web", "red")
    site.road.close()
    before = time.monotonic()
    message = site.call("ADD", site.config(), pod).failed(11)
    assert time.monotonic() - before < 10
    assert site.road.url in message
    assert nothing_left(site, pod)
    site.call("DEL", site.config(), pod).succeeded()
    site.road.open()
    site.call("ADD", site.config(), pod).succeeded()


def test_a_pod_that_wants_nothing_starts_without_the_server(site: Site) -> None:
    pod = site.pod("web")
    site.road.close()
    site.call("ADD", told(site), pod).succeeded()
    assert pod.links() == {"eth0": "veth"}
    site.call("DEL", told(site), pod).succeeded()
    assert site.node.remains(pod) == {}
    site.road.open()


@pytest.mark.parametrize(
    ("disturbance", "code"),
    [
        pytest.param({"answer": refusal(500), "times": -1}, 11, id="failing"),
        pytest.param({"answer": refusal(429), "times": -1}, 11, id="busy"),
        pytest.param({"answer": refusal(403), "times": -1}, 103, id="forbidden"),
        pytest.param({"cut": True, "times": -1}, 11, id="cut"),
        pytest.param({"delay": 6.0, "times": -1}, 11, id="silent"),
        pytest.param({"truncate": 5, "times": -1}, 11, id="half an answer"),
    ],
)
def test_a_status_that_cannot_be_written_leaves_nothing(site: Site, disturbance: dict[str, Any], code: int) -> None:
    site.macvlan("red", "10.7.0.0/24")
    pod = site.pod("web", "red")
    site.road.disturb("PATCH", "/status", **disturbance)
    message = site.call("ADD", site.config(apiTimeout=3), pod).failed(code)
    assert "cannot write network-status" in message
    assert site.node.remains(pod) == {}


def test_a_status_whose_answer_is_lost_is_written_once_more(site: Site) -> None:
    site.macvlan("red", "10.7.0.0/24")
    pod = site.pod("web", "red")
    site.road.disturb("PATCH", "/status", lose=True)
    site.call("ADD", site.config(), pod).succeeded()
    assert site.road.count("PATCH") == 2
    assert len(pod.status) == 2


def test_an_account_without_the_right_to_write_the_status_is_told(site: Site) -> None:
    token = site.cluster.token(rule("pods", "get"), rule("network-attachment-definitions", "get"))
    kubeconfig = str(site.cluster.kubeconfig(server=site.road.url, token=token))
    pod = site.pod("web")
    message = site.call("ADD", site.config(kubeconfig=kubeconfig), pod).failed(103)
    assert "pods/status" in message
    assert nothing_left(site, pod)


def test_a_token_that_was_replaced_is_read_again(site: Site, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("worn-out")
    kubeconfig = str(site.cluster.kubeconfig(server=site.road.url, token_file=token))
    pod = site.pod("web")
    rights = [rule("pods", "get"), rule("pods/status", "patch"), rule("events", "create")]
    new = site.cluster.token(*rights)
    site.road.disturb("GET", "/pods/", before=lambda _: token.write_text(new))
    site.call("ADD", site.config(kubeconfig=kubeconfig), pod).succeeded()
    assert pod.status


def test_a_pod_that_starts_while_a_daemonset_is_rolled_out_waits_for_the_next_token(site: Site, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("of-a-pod-that-is-gone")
    kubeconfig = str(site.cluster.kubeconfig(server=site.road.url, token_file=token))
    pod = site.pod("web")
    message = site.call("ADD", site.config(kubeconfig=kubeconfig, apiTimeout=1), pod).failed(11)
    assert f"no other token came to {token}" in message
    assert nothing_left(site, pod)
    new = site.cluster.token(rule("pods", "get"), rule("pods/status", "patch"), rule("events", "create"))
    coming = threading.Timer(1.5, token.write_text, (new,))
    coming.start()
    site.call("ADD", site.config(kubeconfig=kubeconfig), pod).succeeded()
    coming.join()
    assert pod.status


def test_a_pod_that_is_gone_gets_nothing(site: Site) -> None:
    pod = site.pod("web")
    site.cluster.delete_pod("web")
    message = site.call("ADD", site.config(), pod).failed(3)
    assert f"{site.cluster.namespace}/web" in message
    assert site.node.remains(pod) == {}
    site.call("DEL", site.config(), pod).succeeded()


def test_a_pod_that_goes_while_it_is_attached_leaves_nothing(site: Site) -> None:
    pod = site.pod("web")
    site.road.disturb("PATCH", "/status", before=lambda _: site.cluster.delete_pod("web"))
    site.call("ADD", site.config(), pod).failed(3)
    assert site.node.remains(pod) == {}


def test_a_pod_of_the_same_name_is_another_one(site: Site) -> None:
    old = site.pod("web")
    site.cluster.delete_pod("web")
    new = site.pod("web")
    message = site.call("ADD", site.config(), old).failed(3)
    assert old.uid in message
    assert new.uid in message
    site.call("ADD", site.config(), new).succeeded()
    before = new.annotations[STATUS]
    site.call("ADD", told(site), old).failed(3)
    assert new.annotations[STATUS] == before
    assert site.node.remains(old).keys() <= {"node", "addresses", "records"}
    assert old.links() == {}


def test_a_pod_that_is_replaced_while_it_is_attached_keeps_its_successors_status(site: Site) -> None:
    old = site.pod("web")

    def replace(_: object) -> None:
        site.cluster.delete_pod("web")
        site.cluster.add_pod("web")

    site.road.disturb("PATCH", "/status", before=replace)
    site.call("ADD", site.config(), old).failed(3)
    assert STATUS not in old.annotations
    assert site.node.remains(old) == {}


def test_a_static_pod_has_another_uid_than_its_mirror(site: Site) -> None:
    site.macvlan("red", "10.7.0.0/24")
    mirror = site.pod("web", "red", **{"kubernetes.io/config.source": "file"})
    pod = site.sandbox("web", "the-kubelets-own-uid")
    site.call("ADD", site.config(), pod).succeeded()
    assert [entry["interface"] for entry in mirror.status] == ["eth0", "net1"]
    early = {NETWORKS_OF_RUNTIME: {"kubernetes.io/config.source": "file", NETWORKS: "red"}}
    alone = site.sandbox("no-mirror-yet", "the-kubelets-own-uid")
    site.call("ADD", site.config(runtimeConfig=early), alone).succeeded()
    assert alone.links() == {"eth0": "veth", "net1": "macvlan"}


def test_two_sandboxes_of_one_pod_do_not_meet(site: Site) -> None:
    site.macvlan("red", "10.7.0.0/24")
    first = site.pod("web", "red")
    second = site.sandbox("web", first.uid)
    config = site.config()
    site.call("ADD", config, first).succeeded()
    site.call("ADD", config, second).succeeded()
    assert second.status[1]["ips"] == ["10.7.0.3"]
    site.call("DEL", config, first).succeeded()
    site.call("CHECK", config, second).succeeded()
    assert second.status[1]["ips"] == ["10.7.0.3"]
    site.call("DEL", config, second).succeeded()
    assert site.node.remains(first, second) == {}


def test_a_kubeconfig_that_is_gone_keeps_no_pod_from_ending(site: Site, tmp_path: Path) -> None:
    site.macvlan("red", "10.7.0.0/24")
    pod = site.pod("web", "red")
    site.call("ADD", site.config(), pod).succeeded()
    gone = site.config(kubeconfig=str(tmp_path / "nowhere"))
    assert str(tmp_path / "nowhere") in site.call("ADD", gone, site.pod("late")).failed(5)
    site.call("CHECK", gone, pod).succeeded()
    site.call("DEL", gone, pod).succeeded()
    assert site.node.remains(pod) == {}


def test_pods_of_the_systems_namespaces_are_left_alone_unless_they_ask(site: Site) -> None:
    site.macvlan("red", "10.7.0.0/24")
    config = site.config(systemNamespaces=[site.cluster.namespace])
    quiet, asking = site.pod("quiet"), site.pod("asking", "red")
    site.call("ADD", config, quiet).succeeded()
    assert STATUS not in quiet.annotations
    site.call("ADD", config, asking).succeeded()
    assert len(asking.status) == 2


def test_a_pool_that_is_used_up_is_told_in_an_event(site: Site) -> None:
    site.define("tiny", {"cniVersion": "1.0.0", **site.node.macvlan("tiny"), **site.node.ipam("10.7.0.0/30")})
    pods = [site.pod(f"web{number}", "tiny") for number in range(2)]
    site.call("ADD", site.config(), pods[0]).succeeded()
    message = site.call("ADD", site.config(), pods[1]).failed(11)
    [event] = site.events("AddressPoolExhausted")
    assert event in message
    assert nothing_left(site, pods[1]) or site.node.remains(pods[1]).keys() <= {"node", "addresses", "records"}


def test_files_serve_a_node_that_has_no_api_server(site: Site, tmp_path: Path) -> None:
    directory = tmp_path / "nad.d"
    directory.mkdir()
    red = {**site.node.macvlan("red", "10.7.0.0/24"), "cniVersion": "1.0.0"}
    definition = {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": "red", "namespace": "blue"},
        "spec": {"config": json.dumps(red)},
    }
    (directory / "red.json").write_text(json.dumps(definition))
    (directory / "00-broken.json").write_text('{"red": ')
    (directory / "green.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: green}\n---\n"
        "kind: NetworkAttachmentDefinition\nmetadata:\n  name: green\nspec:\n  config: |\n    "
        + json.dumps(site.node.macvlan("green", "10.8.0.0/24"))
        + "\n"
    )
    annotations = {NETWORKS: "red,default/green"}
    config = site.node.config(
        site.node.bridge(), nadDir=str(directory), runtimeConfig={NETWORKS_OF_RUNTIME: annotations}
    )
    pod = site.sandbox("web", "u")
    arguments = "IgnoreUnknown=1;K8S_POD_NAMESPACE=blue;K8S_POD_NAME=web"
    site.call("ADD", config, pod, CNI_ARGS=arguments).succeeded()
    assert pod.links() == {"eth0": "veth", "net1": "macvlan", "net2": "macvlan"}
    site.call("CHECK", config, pod, CNI_ARGS=arguments).succeeded()
    site.call("DEL", config, pod, CNI_ARGS=arguments).succeeded()
    assert site.node.remains(pod) == {}
    annotations[NETWORKS] = "black"
    message = site.call("ADD", config, pod, CNI_ARGS=arguments).failed(7)
    assert str(directory) in message
    assert site.road.calls == []
