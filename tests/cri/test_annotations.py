"""Pods that say which networks they want: told by the runtime, or by the API server, and told back what they got."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cri.runtime import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.cluster import Cluster
    from tests.cri.runtime import Sandbox
    from tests.cri.site import Site

CAPABILITY = "io.kubernetes.cri.pod-annotations"
NETWORKS = "k8s.v1.cni.cncf.io/networks"
DEFAULT_NETWORK = "v1.multus-cni.io/default-network"
STATUS = "k8s.v1.cni.cncf.io/network-status"


class Files:
    """A node without any API server: the definitions are in its files."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.directory = site.node.root / "definitions"
        self.directory.mkdir()

    def define(self, name: str, config: dict[str, Any], namespace: str = "blue") -> None:
        """A NetworkAttachmentDefinition."""
        document = {
            "apiVersion": "k8s.cni.cncf.io/v1",
            "kind": "NetworkAttachmentDefinition",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"config": json.dumps({"cniVersion": "1.0.0", **config})},
        }
        (self.directory / f"{namespace}.{name}.json").write_text(json.dumps(document))

    def run_pod(self, networks: object, name: str = "web", **more: Any) -> Sandbox:
        """A pod that wants these networks."""
        text = networks if isinstance(networks, str) else json.dumps(networks)
        return self.site.runtime.run_pod(name, **{"annotations": {NETWORKS: text}, **more})


@pytest.fixture
def files(site: Site) -> Files:
    """With a storage network, which pods may name, and eth0 for all."""
    files = Files(site)
    files.define("storage", site.node.macvlan("storage", "10.2.0.0/24", capabilities={"ips": True, "mac": True}))
    site.containerd.configure(
        site.config(site.node.bridge(), capabilities={CAPABILITY: True}, nadDir=str(files.directory))
    )
    return files


def test_a_runtime_says_when_there_are_none(site: Site) -> None:
    """Then nobody needs to ask for the pod."""
    network = site.witnessed(site.config(site.node.bridge()))
    network["plugins"][1]["capabilities"] = {CAPABILITY: True}
    site.containerd.configure(network)
    site.runtime.run_pod("plain")
    site.runtime.run_pod("marked", annotations={"a": "b"})
    told = [call["stdin"].get("runtimeConfig", {}).get(CAPABILITY, "absent") for call in site.calls("ADD")]
    assert told == [None, {"a": "b"}]


def test_the_runtime_hands_annotations_over(site: Site, files: Files) -> None:
    files.define("video", site.node.macvlan("video", "10.3.0.0/24"), namespace="media")
    sandbox = files.run_pod("storage, media/video@tv")
    assert sandbox.interfaces() == {"eth0": ["10.1.0.2/24"], "net1": ["10.2.0.2/24"], "tv": ["10.3.0.2/24"]}
    sandbox.stop()
    sandbox.remove()
    assert site.remains() == {}


def test_a_pod_gets_what_it_wishes(site: Site, files: Files) -> None:
    wish = {"name": "storage", "ips": ["10.2.0.77"], "mac": "02:00:5e:00:53:01", "default-route": ["10.2.0.1"]}
    sandbox = files.run_pod([wish])
    assert sandbox.interfaces()["net1"] == ["10.2.0.77/24"]
    assert f"link/ether {wish['mac']} " in sandbox.execute("ip", "link", "show", "net1")
    defaults = [line for line in sandbox.execute("ip", "route").splitlines() if line.startswith("default")]
    assert [line.split()[:5] for line in defaults] == [["default", "via", "10.2.0.1", "dev", "net1"]]


def test_a_pod_chooses_its_primary_network(site: Site, files: Files) -> None:
    files.define("main", site.node.bridge("main", "10.7.0.0/24", bridge="cni7"), namespace="kube-system")
    sandbox = files.run_pod("storage", annotations={NETWORKS: "storage", DEFAULT_NETWORK: "main"})
    assert sandbox.interfaces() == {"eth0": ["10.7.0.2/24"], "net1": ["10.2.0.2/24"]}


@pytest.mark.parametrize(
    ("networks", "reason"),
    [
        ("storage,absent", r"\(absent\) in namespace \(blue\)"),
        ('[{"name": "storage", "ips": ["10.2.0.256"]}]', r"element 1, ips\[0\] \(line 1, column 30\): '10\.2\.0\.256'"),
        ("[{", NETWORKS),
    ],
)
def test_a_wish_that_cannot_be_granted_is_told(site: Site, files: Files, networks: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        files.run_pod(networks)
    assert site.remains() == {}


def test_a_pods_next_sandbox_is_its_own(site: Site, files: Files) -> None:
    """A kubelet removes the old sandbox long after it has made the new one."""
    first = files.run_pod("storage", uid="same", attempt=0)
    second = files.run_pod("storage", uid="same", attempt=1)
    found = second.interfaces()
    assert found == {"eth0": ["10.1.0.3/24"], "net1": ["10.2.0.3/24"]}
    assert first.interfaces().keys() == found.keys()
    first.stop()
    first.remove()
    assert second.interfaces() == found
    other = files.run_pod("storage", "other")
    assert "1 packets received" in other.execute("ping", "-c1", "-W10", "-I", "net1", "10.2.0.3")
    for sandbox in (second, other):
        sandbox.stop()
        sandbox.remove()
    assert site.remains() == {}


@pytest.fixture
def road_kubeconfig(site: Site, cluster: Cluster) -> Path:
    """The API server, as programs on the node reach it."""
    return cluster.reachable_from(site.node.host.path)


def define(cluster: Cluster, name: str, config: dict[str, Any]) -> None:
    text = json.dumps({"cniVersion": "1.0.0", **config})
    cluster.create("network-attachment-definitions", name, spec={"config": text})


def status_of(cluster: Cluster, name: str) -> list[dict[str, Any]]:
    annotations = cluster.api.get(cluster.path("pods", name)).expect(200)["metadata"]["annotations"]
    found: list[dict[str, Any]] = json.loads(annotations[STATUS])
    return found


def agree(sandbox: Sandbox, status: list[dict[str, Any]]) -> bool:
    """Whether the pod has what it was told."""
    addresses = {
        name: [each.partition("/")[0] for each in addresses] for name, addresses in sandbox.interfaces().items()
    }
    assert {entry["interface"]: entry["ips"] for entry in status} == addresses
    for entry in status:
        link = sandbox.execute("ip", "link", "show", entry["interface"])
        assert f"link/ether {entry['mac']} " in link
        assert f"mtu {entry['mtu']} " in link
    return True


@pytest.mark.parametrize("handed_over", [True, False], ids=["handed over", "asked for"])
def test_a_pod_is_told_what_it_got(site: Site, cluster: Cluster, road_kubeconfig: Path, *, handed_over: bool) -> None:
    define(cluster, "storage", site.node.macvlan("storage", "10.2.0.0/24"))
    define(cluster, "video", site.node.bridge("video", "10.3.0.0/24", bridge="cni3", isDefaultGateway=False))
    more = {"capabilities": {CAPABILITY: handed_over}, "kubeconfig": str(road_kubeconfig)}
    site.containerd.configure(site.config(site.node.bridge(), **more))
    wish = {NETWORKS: "storage,video@tv"}
    pod = cluster.add_pod("web", annotations=wish)
    same = {"namespace": cluster.namespace, "uid": pod["metadata"]["uid"], "annotations": wish}
    sandbox = site.runtime.run_pod("web", **same)
    status = status_of(cluster, "web")
    assert [entry["interface"] for entry in status] == ["eth0", "net1", "tv"]
    assert [entry["name"] for entry in status[1:]] == [f"{cluster.namespace}/{name}" for name in ("storage", "video")]
    assert agree(sandbox, status)
    sandbox.stop()
    again = site.runtime.run_pod("web", attempt=1, **same)
    assert agree(again, status_of(cluster, "web"))
    sandbox.remove()
    assert agree(again, status_of(cluster, "web"))
    cluster.delete_pod("web")
    again.remove()
    assert site.remains() == {}


def test_a_pod_without_annotations_is_not_asked_for(site: Site, cluster: Cluster) -> None:
    road = cluster.road(site.node.host.path)
    kubeconfig = str(cluster.kubeconfig(server=road.url))
    site.containerd.configure(site.config(site.node.bridge(), capabilities={CAPABILITY: True}, kubeconfig=kubeconfig))
    pod = cluster.add_pod("web")
    sandbox = site.runtime.run_pod("web", namespace=cluster.namespace, uid=pod["metadata"]["uid"])
    assert agree(sandbox, status_of(cluster, "web"))
    assert road.count("GET") == 0


def test_a_pod_is_detached_without_the_api_server(site: Site, cluster: Cluster) -> None:
    define(cluster, "storage", site.node.macvlan("storage", "10.2.0.0/24"))
    road = cluster.road(site.node.host.path)
    more = {"kubeconfig": str(cluster.kubeconfig(server=road.url)), "apiTimeout": 1}
    site.containerd.configure(site.config(site.node.bridge(), **more))
    pod = cluster.add_pod("web", annotations={NETWORKS: "storage"})
    same = {"namespace": cluster.namespace, "uid": pod["metadata"]["uid"]}
    sandbox = site.runtime.run_pod("web", **same)
    assert sandbox.interfaces().keys() == {"eth0", "net1"}
    road.close()
    with pytest.raises(Refused, match="not reachable"):
        site.runtime.run_pod("web", attempt=1, **same)
    sandbox.stop()
    sandbox.remove()
    assert site.remains() == {}
