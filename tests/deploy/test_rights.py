"""What the account of conf/deploy may do, as the API server itself lists it: what is used, and nothing else."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import yaml

from tests.deploy.kit import BASE, DEPLOY, NAMESPACE, ROOT, documents, kubectl, rendered

if TYPE_CHECKING:
    from pathlib import Path

    from tests.deploy.kit import Admin

ANYWHERE = """\
events                                                   [create get patch]
network-attachment-definitions.k8s.cni.cncf.io           [get]
pods                                                     [get]
pods/status                                              [patch]
"""
AT_HOME = {"daemonsets.apps": (("multus",), {"get"})}
OF_WHEREABOUTS = {
    "ippools.whereabouts.cni.cncf.io": ((), {"get", "create", "patch"}),
    "nodeslicepools.whereabouts.cni.cncf.io": ((), {"get", "create", "patch"}),
    "overlappingrangeipreservations.whereabouts.cni.cncf.io": ((), {"get", "list", "create", "delete"}),
}
CLAIMS = {"ipamclaims.k8s.cni.cncf.io": ((), {"get"}), "ipamclaims.k8s.cni.cncf.io/status": ((), {"patch"})}
OF_EVERYBODY = "selfsubject"

Rights = dict[str, tuple[tuple[str, ...], set[str]]]


def listed(admin: Admin, namespace: str) -> Rights:
    """`kubectl auth can-i --list`, resources only, without what every account may ask about itself."""
    server = admin.server
    options = [f"--server={server.url}", f"--certificate-authority={server.ca}", f"--token={admin.token()}"]
    told = kubectl("--kubeconfig=/dev/null", *options, "auth", "can-i", "--list", f"--namespace={namespace}")
    found: Rights = {}
    for line in told.splitlines()[1:]:
        words = line.replace("[", " [").split()
        if not line.strip() or line.startswith(" ") or words[0].startswith(OF_EVERYBODY):
            continue
        names, verbs = (part.partition("]")[0] for part in line.split("[")[-2:])
        found[words[0]] = (tuple(names.split()), set(verbs.split()))
    return found


def expect(admin: Admin, namespace: str, wanted: Rights) -> None:
    """Until the server knows what was bound: that takes it a moment."""
    deadline = time.monotonic() + 10
    while listed(admin, namespace) != wanted:
        assert time.monotonic() < deadline, listed(admin, namespace)
        time.sleep(0.2)


def anywhere() -> Rights:
    rows = [line.split("[") for line in ANYWHERE.splitlines()]
    return {name.strip(): ((), set(verbs.strip("] ").split())) for name, verbs in rows}


def test_the_account_may_do_what_is_used_and_nothing_else(admin: Admin, tmp_path: Path) -> None:
    account = [each for each in documents(rendered(BASE)) if each["kind"] != "DaemonSet"]
    admin.apply(yaml.safe_dump_all(account))
    expect(admin, "default", anywhere())
    expect(admin, NAMESPACE, {**anywhere(), **AT_HOME})

    overlay = {"resources": [str(BASE)], "components": [str(DEPLOY / "components" / "whereabouts")]}
    both = rendered_with(tmp_path, overlay)
    more = [each for each in documents(both) if each["kind"] != "DaemonSet" and each not in account]
    admin.apply(yaml.safe_dump_all(more))
    try:
        expect(admin, "default", {**anywhere(), **CLAIMS})
        expect(admin, NAMESPACE, {**anywhere(), **AT_HOME, **CLAIMS, **OF_WHEREABOUTS})
    finally:
        admin.kubectl("delete", "--filename=-", told=yaml.safe_dump_all(more))


def rendered_with(directory: Path, kustomization: dict[str, list[str]]) -> str:
    """An overlay as somebody would write it."""
    place = directory / "overlay"
    place.mkdir()
    relative = {key: [os.path.relpath(path, place.resolve()) for path in paths] for key, paths in kustomization.items()}
    (place / "kustomization.yaml").write_text(yaml.safe_dump(relative))
    return rendered(place)


def test_the_rights_are_those_that_a_pods_whole_life_takes() -> None:
    [measured] = documents((ROOT / "conf" / "kubernetes" / "rbac.yaml").read_text())
    [granted] = [each for each in documents(rendered(BASE)) if each["kind"] == "ClusterRole"]
    assert granted == measured
