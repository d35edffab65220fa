"""The built program on a node of a real cluster: one process answers, another one delivers the Events."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.binary.calls import ask
from tests.binary.test_startup import INTERPRETER, own_modules, standard_modules

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kubernetes.site import Site

PODS = 50


def test_a_pod_from_its_wishes_to_its_status(site: Site) -> None:
    site.macvlan("red", "10.7.0.0/24")
    pod = site.pod("web", "red,red@fast0")
    config = site.config()
    ask(site.node, pod, "ADD", config).succeeded()
    assert [entry["ips"][0] for entry in pod.status] == ["10.1.0.2", "10.7.0.2", "10.7.0.3"]
    namespace = site.cluster.namespace
    assert site.events("AddedInterface", 3) == [
        "Add eth0 [10.1.0.2/24] from primary",
        f"Add fast0 [10.7.0.3/24] from {namespace}/red",
        f"Add net1 [10.7.0.2/24] from {namespace}/red",
    ]
    ask(site.node, pod, "CHECK", config).succeeded()
    site.road.cut()
    for _ in range(2):
        ask(site.node, pod, "DEL", config).succeeded()
    assert site.node.remains(pod) == {}
    site.await_delivery()


def test_the_pod_does_not_wait_for_its_events(site: Site) -> None:
    """The runtime has its answer, and the end of the pipe, while the API server still thinks."""
    pod = site.pod("web")
    config = site.config(runtimeConfig={"io.kubernetes.cri.pod-annotations": {"k8s.v1.cni.cncf.io/networks": "["}})
    site.road.disturb(times=-1, delay=3.0)
    before = time.monotonic()
    ask(site.node, pod, "ADD", config).failed(6)
    assert time.monotonic() - before < 2.0
    [message] = site.events("InvalidNetworks")
    assert "k8s.v1.cni.cncf.io/networks" in message


def test_a_pod_with_wishes_imports_c_modules_and_ours(site: Site, tmp_path: Path) -> None:
    site.macvlan("red", "10.7.0.0/24")
    pod = site.pod("web", "red")
    log = tmp_path / "trace"
    config = site.config(kubeconfig=str(site.cluster.kubeconfig(server=site.road.url, style="json")))
    strace = ["strace", "-e", "trace=openat,execve,pread64", "-s", "256", "-o", str(log)]
    ask(site.node, pod, "ADD", config, *strace).succeeded()
    trace = log.read_text()
    assert standard_modules(trace) <= {*INTERPRETER, "_ctypes", "_ssl", "_sha512"}
    ours = own_modules(trace)
    assert "cni_multus.nads.sources" in ours
    unneeded = {"cni_multus.defaultroute", "cni_multus.deviceinfo", "cni_multus.selection.positions"}
    assert not {name for name in ours if name.startswith("cni_multus.podresources") or name in unneeded}


def test_fifty_pods_and_fifty_events(site: Site) -> None:
    """The Go Multus loses those that are under way when its process ends."""
    pods = [site.pod(f"web{number}") for number in range(PODS)]
    config = site.config()
    for pod in pods:
        ask(site.node, pod, "ADD", config).succeeded()
    expected = sorted(f"Add eth0 [{pod.addresses('eth0')[0]}] from primary" for pod in pods)
    assert site.events("AddedInterface", PODS) == expected
    site.await_delivery()
    about = [each["involvedObject"] for each in site.cluster.objects("events").values()]
    assert {(each["name"], each["uid"]) for each in about} == {(pod.name, pod.uid) for pod in pods}
    assert len(about) == PODS
