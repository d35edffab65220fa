"""What an account may do by conf/kubernetes/rbac.yaml: all that is needed, and nothing that is not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import yaml

from tests.binary.calls import ask
from tests.cli.terminal import ROOT

if TYPE_CHECKING:
    from tests.kubernetes.site import Site

    Right = tuple[str, str]

MANIFEST = ROOT / "conf" / "kubernetes" / "rbac.yaml"
OF_EVERYBODY = {"selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"}
VERBS = {"GET": "get", "POST": "create", "PATCH": "patch"}


def test_a_pods_whole_life_takes_all_rights_and_no_other(site: Site) -> None:
    [role] = yaml.safe_load_all(MANIFEST.read_text())
    granted = {(each, verb) for rule in role["rules"] for each in rule["resources"] for verb in rule["verbs"]}
    token = site.cluster.token(*role["rules"], cluster_wide=True)
    assert may(site, token) == granted
    site.kubeconfig = str(site.cluster.kubeconfig(server=site.road.url, token=token))
    site.macvlan("red", "10.7.0.0/24")
    pod = site.pod("web", "red")
    config = site.config(networksStatus=True)
    for command in ("ADD", "CHECK", "DEL"):
        ask(site.node, pod, command, config).succeeded()
    assert [entry["interface"] for entry in pod.status] == ["eth0", "net1"]
    assert len(site.events("AddedInterface", 2)) == 2
    lost = site.pod("lost", "nowhere")
    for _ in range(2):
        ask(site.node, lost, "ADD", config).failed(7)
        assert len(site.events("NoNetworkFound")) == 1
        site.await_delivery()
        time.sleep(1.1)  # what comes again within a second is the same warning
    assert done(site) == granted


def may(site: Site, token: str) -> set[Right]:
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


def done(site: Site) -> set[Right]:
    """What was done with the API: resources, or what is below an object of them, and verbs."""
    found = set()
    for call in site.road.calls:
        _, _, inside = call.path.partition("?")[0].partition(f"/namespaces/{site.cluster.namespace}/")
        resource, *below = inside.split("/")
        found.add(("/".join([resource, *below[1:]]), VERBS[call.method]))
    return found
