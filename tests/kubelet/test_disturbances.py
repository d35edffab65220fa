"""What a node goes through while it runs pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.kubelet.networks import macvlan, pooled
from tests.kubelet.node import until
from tests.kubelet.pods import KubePod, definition, manifest

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster
    from tests.kubelet.node import KubeNode

ANNOTATIONS = "io.kubernetes.cri.pod-annotations"


def ask(node: KubeNode, cluster: Cluster, name: str, networks: str = "red") -> KubePod:
    """A pod, which will run."""
    node.apply(manifest(name, cluster.namespace, node.name, networks))
    return KubePod(node, cluster.namespace, name)


def test_the_programs_of_the_node_are_killed(node_alone: KubeNode, cluster: Cluster) -> None:
    node = node_alone
    node.apply(definition("red", cluster.namespace, macvlan(cluster.namespace, "10.81.0.0/24")))
    pods = [ask(node, cluster, "before").running()]
    for program in ("kubelet", "containerd"):
        before = [(pod.container_id, pod.shown.addresses("net1")) for pod in pods]
        node.kill(program)
        pods.append(ask(node, cluster, f"after-{program}").running())
        assert before == [(*pod.sandboxes(), pod.shown.addresses("net1")) for pod in pods[:-1]]
        assert pods[-1].shown.reaches(min(before[-1][1]).partition("/")[0], "-I net1")
    for pod in pods:
        pod.delete()


def test_containerd_is_killed_while_pods_start(node_alone: KubeNode, cluster: Cluster) -> None:
    node = node_alone
    before = node.everything()
    node.apply(definition("red", cluster.namespace, pooled(cluster.namespace, "10.82.0.0/24")))
    names = [f"pod{number}" for number in range(4)]
    node.apply(*(manifest(name, cluster.namespace, node.name, "red") for name in names))
    node.kill("containerd")
    node.kubectl("annotate", "pods", "--all", f"--namespace={cluster.namespace}", "awake=yes")  # not in ten seconds
    pods = [KubePod(node, cluster.namespace, name).running() for name in names]
    assert node.allocations("10.82.0.0-24") == sorted(f"{cluster.namespace}/{name}" for name in names)
    for pod in pods:
        assert pod.shown.links() == {"eth0", "net1"}
        pod.delete()
    assert node.allocations("10.82.0.0-24") == []
    left = {
        what for what in node.everything() - before if not what.startswith("/run/netns/")
    }  # containerd forgets them
    assert not left


def test_the_api_server_is_away_while_a_pod_is_deleted(node_alone: KubeNode, cluster: Cluster) -> None:
    """Its network goes all the same; what is said to the API waits."""
    node = node_alone
    road = cluster.road(node.inside.netns)
    kubeconfig = cluster.kubeconfig(server=road.url, namespace=cluster.namespace)
    node.apply(definition("red", cluster.namespace, pooled(cluster.namespace, "10.83.0.0/24", kubeconfig)))
    with node.configured(kubeconfig=str(kubeconfig), nadPaths=[str(kubeconfig)]):
        pod = ask(node, cluster, "first").running()
        road.close()
        requests = road.count()
        pod.forget()
        until(lambda: not pod.sandboxes() and only_owed(pod), lambda: f"of {pod.name} is left: {pod.traces()}")
        assert road.count() == requests
        [pool] = cluster.objects("ippools").values()
        assert len(pool["spec"]["allocations"]) == 1
        road.open()
        ask(node, cluster, "second").running().delete()
        pod.gone()
        [pool] = cluster.objects("ippools").values()
        assert pool["spec"]["allocations"] == {}


def only_owed(pod: KubePod) -> bool:
    """Whether nothing is left of a pod but what the API server has to be told."""
    return all(trace.startswith("/var/lib/cni/whereabouts/journal/") for trace in pod.traces())


def test_a_runtime_that_hands_over_the_annotations(node_alone: KubeNode, cluster: Cluster) -> None:
    """Nobody asks the API server for the pod."""
    node = node_alone
    road = cluster.road(node.inside.netns)
    kubeconfig = str(cluster.kubeconfig(server=road.url))
    node.apply(definition("red", cluster.namespace, macvlan(cluster.namespace, "10.84.0.0/24")))
    with node.configured(kubeconfig=kubeconfig):
        asking = ask(node, cluster, "asking").running()
        assert road.count("GET", f"/pods/{asking.name}") == 1
    with node.configured(kubeconfig=kubeconfig, capabilities={ANNOTATIONS: True}):
        told = ask(node, cluster, "told").running()
        assert road.count("GET", f"/pods/{told.name}") == 0
    assert road.count("GET", "/network-attachment-definitions/") == 2
    for pod in (asking, told):
        assert pod.shown.links() == {"eth0", "net1"}
        assert [entry["interface"] for entry in pod.status] == ["eth0", "net1"]
        pod.delete()
