"""What conf/deploy renders to, against the base, the program, and a real API server."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus import VERSION
from cni_multus.cli.command import describe
from cni_multus.cli.node.group import COMMANDS, Node
from cni_multus.cli.node.install import Install
from cni_multus.cli.node.watch import HEALTH
from tests.deploy.kit import BASE, DEPLOY, OVERLAYS, documents, of_kind, rendered

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.cli.command import Command
    from tests.deploy.kit import Admin, Document

BIN, CONF = "/opt/cni/bin", "/etc/cni/net.d"
K3S = "/var/lib/rancher/k3s"

# What an overlay is, said otherwise than there: the base with these words in place of those.
WORDS = {
    "k3s": {BIN: f"{K3S}/data/cni", CONF: f"{K3S}/agent/etc/cni/net.d"},
    "rke2": {},
    "kind": {"imagePullPolicy: IfNotPresent": "imagePullPolicy: Never"},
    "openshift": {
        BIN: "/var/lib/cni/bin",
        CONF: "/etc/kubernetes/cni/net.d",
        "namespace: kube-system": "namespace: multus",
    },
}
MORE = {"openshift": [("Namespace", "multus"), ("RoleBinding", "multus-constraints")]}

everywhere = pytest.mark.parametrize("directory", [BASE, *OVERLAYS], ids=lambda path: path.name)


def template(text: str) -> Document:
    """The pod of the DaemonSet."""
    found: Document = of_kind(text, "DaemonSet")["spec"]["template"]
    return found


def containers(text: str) -> list[Document]:
    spec = template(text)["spec"]
    return [*spec["initContainers"], *spec["containers"]]


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_an_overlay_is_the_base_with_other_words(overlay: Path) -> None:
    expected = rendered(BASE)
    for word, other in WORDS[overlay.name].items():
        assert word in expected
        expected = expected.replace(word, other)
    found = documents(rendered(overlay))
    more = [each for each in found if (each["kind"], each["metadata"]["name"]) in MORE.get(overlay.name, [])]
    assert len(more) == len(MORE.get(overlay.name, []))
    rest = [each for each in found if each not in more]
    for each in rest:
        if overlay.name == "openshift" and each["kind"] == "DaemonSet":
            added = each["spec"]["template"]["spec"]["containers"][0]["args"].pop()
            assert added == "--multus-autoconfig-dir=/run/multus/cni/net.d"
    assert rest == documents(expected)


@everywhere
def test_a_real_server_takes_all_of_it(directory: Path, admin: Admin) -> None:
    wanted = documents(rendered(directory))
    if namespaces := [each for each in wanted if each["kind"] == "Namespace"]:
        for each in namespaces:  # what is in it is refused while it is not there
            admin.server.api.post("/api/v1/namespaces", each)
    made = admin.apply(rendered(directory), "--dry-run=server")
    for before, after in zip(wanted, made, strict=True):
        assert missing(before, after) == []  # an older server drops fields that it does not know


@everywhere
def test_its_pod_is_admitted_and_is_killed_last(directory: Path, admin: Admin) -> None:
    text = rendered(directory)
    namespace = of_kind(text, "DaemonSet")["metadata"]["namespace"]
    admin.server.api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    admin.server.api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "multus"}})
    pod = template(text)
    document = {**pod, "apiVersion": "v1", "kind": "Pod", "metadata": {**pod["metadata"], "name": "multus-x"}}
    made = admin.server.api.post(f"/api/v1/namespaces/{namespace}/pods?dryRun=All", document).expect(201)
    assert made["status"]["qosClass"] == "Guaranteed"
    assert made["spec"]["priority"] == 2000001000  # of system-node-critical
    assert missing(pod["spec"], made["spec"]) == []


@everywhere
def test_the_program_takes_all_arguments(directory: Path) -> None:
    install, watch = containers(rendered(directory))
    hook = watch["lifecycle"]["preStop"]["exec"]["command"]
    assert install["command"][1:] == ["install"]
    parsed = [parse(Install(), install["args"])]
    for words in (watch["command"][1:] + watch["args"], hook[1:]):
        assert words[0] == "node"
        parsed.append(parse(Node().load(COMMANDS[words[1]][0]), words[2:]))
    assert {each.root for each in parsed} == {"/host"}
    assert {each.cni_bin_dir if hasattr(each, "cni_bin_dir") else each.bin_dir for each in parsed} == {
        parsed[0].cni_bin_dir
    }
    assert parsed[0].cni_conf_dir == parsed[1].cni_conf_dir
    assert parsed[0].multus_log_file == parsed[1].multus_log_file


def parse(command: Command, arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    describe(parser, command)
    return parser.parse_args(arguments)


@everywhere
def test_directories_are_where_the_node_has_them(directory: Path) -> None:
    text = rendered(directory)
    volumes = {each["name"]: each["hostPath"]["path"] for each in template(text)["spec"]["volumes"]}
    for container in containers(text):
        mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
        assert mounts == {name: f"/host{path}" for name, path in volumes.items()}
    named = {word.partition("=")[2] for each in containers(text) for word in each["args"] if "-dir=" in word}
    for path in named:
        assert any(f"{path}/".startswith(f"{mounted}/") for mounted in volumes.values()), path


@everywhere
def test_the_containers_have_no_more_than_they_need(directory: Path) -> None:
    for container in containers(rendered(directory)):
        security = container["securityContext"]
        assert not security["privileged"]
        assert not security["allowPrivilegeEscalation"]
        assert security["readOnlyRootFilesystem"]
        assert security["capabilities"] == {"drop": ["ALL"], "add": ["SYS_PTRACE", "SYS_CHROOT"]}
        assert [each["name"] for each in container["volumeMounts"] if each.get("readOnly")] == ["proc"]


def test_probes_ask_where_the_watch_answers() -> None:
    _, watch = containers(rendered(BASE))
    assert f"--health-address={HEALTH}" in watch["args"]
    host, _, port = HEALTH.partition(":")
    asked = {probe: watch[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {(each["host"], each["port"]) for each in asked.values()} == {(host, int(port))}
    assert {probe: each["path"] for probe, each in asked.items()} == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }


def test_the_image_is_of_this_version() -> None:
    assert {each["image"] for each in containers(rendered(BASE))} == {f"multus:{VERSION}"}


def test_the_custom_resources_are_all_of_the_directory() -> None:
    directory = DEPLOY.parent / "crds"
    named = {each["metadata"]["name"] for each in documents(rendered(directory))}
    there = {each["metadata"]["name"] for path in directory.glob("*.yaml") for each in documents(path.read_text())}
    assert named == there


def missing(wanted: Any, found: Any, where: str = "") -> list[str]:
    """Where something of `wanted` is not in `found`."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [
            path
            for key in wanted
            for path in (missing(wanted[key], found[key], f"{where}.{key}") if key in found else [f"{where}.{key}"])
        ]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) <= len(found):
        return [
            path
            for at, pair in enumerate(zip(wanted, found, strict=False))
            for path in missing(*pair, f"{where}[{at}]")
        ]
    return [] if wanted == found else [where]
