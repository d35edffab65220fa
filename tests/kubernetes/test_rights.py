"""What an account may do, and needs: conf/multus/rights.yaml, and nothing beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from tests.binary.calls import ask
from tests.cli.terminal import ROOT

if TYPE_CHECKING:
    from tests.kubernetes.site import Site

MANIFEST = ROOT / "conf" / "multus" / "rights.yaml"
RULES = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
    {"apiGroups": ["k8s.cni.cncf.io"], "resources": ["network-attachment-definitions"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["pods/status"], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
]
OF_EVERYBODY = {"selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"}


def test_four_rights_are_enough_for_a_pods_whole_life(site: Site) -> None:
    [account, role, binding] = yaml.safe_load_all(MANIFEST.read_text())
    assert [each["kind"] for each in (account, role, binding)] == [
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
    ]
    assert role["rules"] == RULES
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"][0]["name"] == account["metadata"]["name"]
    token = site.cluster.token(*role["rules"], cluster_wide=True)
    assert may(site, token) == {(each["resources"][0], each["verbs"][0]) for each in RULES}
    site.kubeconfig = str(site.cluster.kubeconfig(server=site.road.url, token=token))
    site.macvlan("red", "10.7.0.0/24")
    pod = site.pod("web", "red")
    config = site.config(networksStatus=True)
    for command in ("ADD", "CHECK", "DEL"):
        ask(site.node, pod, command, config).succeeded()
    assert [entry["interface"] for entry in pod.status] == ["eth0", "net1"]
    assert len(site.events("AddedInterface", 2)) == 2
    ask(site.node, site.pod("lost", "nowhere"), "ADD", config).failed(7)
    assert len(site.events("NoNetworkFound")) == 1
    site.await_delivery()


def may(site: Site, token: str) -> set[tuple[str, str]]:
    """`kubectl auth can-i --list`, without what every account may."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": site.cluster.namespace},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    status = site.cluster.api.post(path, review, token=token).expect(201)["status"]
    return {
        (resource, verb)
        for each in status["resourceRules"]
        for resource in each["resources"]
        for verb in each["verbs"]
        if resource not in OF_EVERYBODY
    }
