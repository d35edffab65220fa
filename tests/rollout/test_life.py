"""The DaemonSet in a cluster: it joins a node with a primary CNI, is rolled out, and leaves, while pods come and go."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.deploy.kit import DEPLOY, NAMESPACE
from tests.kubelet.networks import macvlan
from tests.kubelet.node import until
from tests.kubelet.pods import definition
from tests.rollout.people import Deployment, failures
from tests.rollout.site import BIN, FIRST, NET_D, SECOND

if TYPE_CHECKING:
    from tests.rollout.site import Site

MADE = {
    *(f"{BIN}/multus", f"{BIN}/.multus", f"{NET_D}/00-multus.conflist", f"{NET_D}/multus.d"),
    *("/var/lib/cni/multus", "/run/multus"),
}
RED, OF_PRIMARY = "/var/lib/cni/networks/red", "/var/lib/cni/networks/primary"
KEPT = {f"{RED}{name}" for name in ("", "/lock", "/last_reserved_ip.0")}
"""What host-local keeps of a network that had pods."""
BOTH = ["eth0", "net1"]


def test_it_joins_a_node_is_rolled_out_and_leaves(site: Site) -> None:
    site.join()
    site.node.kubectl("apply", "--server-side", f"--filename={DEPLOY.parent / 'crds'}")
    before = Deployment(site, "before", 1)
    tree, network = site.tree(), site.network()

    site.apply(FIRST)
    assert new(site, tree) == MADE
    site.node.apply(definition("red", site.namespace, macvlan("red", "10.61.0.0/24")))
    web = Deployment(site, "web", 3, "red")
    for pod in web.pods:
        assert sorted(pod.shown.links()) == [entry["interface"] for entry in pod.status] == BOTH

    other = Deployment(site, "other", 1, "red")
    version = site.version()
    with other.scaled_up_and_down() as reached:
        site.apply(SECOND)
    assert site.version() != version
    assert len(reached) > 1
    assert failures(site) == []

    with other.scaled_up_and_down() as reached:
        site.node.kubectl("delete", "daemonset/multus", f"--namespace={NAMESPACE}", "--cascade=foreground")
        site.node.kubectl("delete", f"--kustomize={site.my_cluster}", "--ignore-not-found")
    assert len(reached) > 1
    after = Deployment(site, "after", 2, "red")
    for pod in after.pods:
        assert sorted(pod.shown.links()) == BOTH[:1]
    for pod in web.pods:
        assert sorted(pod.shown.links()) == BOTH
    web.end()
    until(lambda: not new(site, tree) & MADE, lambda: f"there still is {new(site, tree)}")
    after.end()
    assert new(site, tree) == {RED}
    assert {path: what for path, what in site.tree().items() if path not in KEPT} == tree
    assert site.network() == network
    before.end()
    assert [path for path in site.tree() if path.startswith(f"{OF_PRIMARY}/10.")] == []
    assert failures(site) == []


def new(site: Site, tree: dict[str, str]) -> set[str]:
    """What there is on the node since then, without what is in directories that are new."""
    found = site.tree().keys() - tree.keys()
    return {path for path in found if os.path.dirname(path) not in found}
