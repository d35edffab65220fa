"""The Helm chart against the manifests of conf/deploy, the program's command line, and a real API server.

There is no helm in the package archives that tests may use: `chart.py` renders the part of its language that is used.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cni_multus import VERSION
from cni_multus.cli.node.group import COMMANDS, Node
from cni_multus.cli.node.install import Install
from tests.deploy.chart import rendered as of_chart
from tests.deploy.kit import BASE, DEPLOY, ROOT, documents, of_kind, rendered
from tests.deploy.test_manifests import K3S, containers, missing, parse

if TYPE_CHECKING:
    from tests.deploy.kit import Admin, Document

CHART = ROOT / "conf" / "chart"

EVERYTHING: dict[str, Any] = {
    "image": {"repository": "registry.example/multus", "tag": "1"},
    "imagePullSecrets": [{"name": "registry"}],
    "multusMasterCNIFileName": "10-calico.conflist",
    "multusAutoconfigDir": "/run/multus/cni/net.d",
    "multusConfFile": "/etc/multus/00-multus.conf",
    "renameConfFile": True,
    "namespaceIsolation": True,
    "globalNamespaces": "default,network",
    "cniVersion": "0.4.0",
    "forceCNIVersion": True,
    "overrideNetworkName": True,
    "readinessIndicatorFile": "/run/flannel/subnet.env",
    "additionalBinDir": "/opt/more/bin",
    "confKeys": {"retryDeleteOnError": True, "defaultNetworks": ["a", "b"]},
    "logLevel": "debug",
    "logFile": "/var/log/other.log",
    "logToStderr": False,
    "linkPlugins": "bridge,macvlan",
    "takeOver": True,
    "whereabouts": {"rights": True},
    "healthPort": 9999,
    "maxUnavailable": "10%",
    "podAnnotations": {"example": "yes"},
    "extraArgs": ["--settle=5s"],
}


def in_order(found: list[Document]) -> list[Document]:
    return sorted(found, key=lambda each: (each["kind"], each["metadata"]["name"]))


@pytest.mark.parametrize(
    ("values", "directory"),
    [
        ({}, BASE),
        (
            {"hostCNIBinDir": f"{K3S}/data/cni", "hostCNINetDir": f"{K3S}/agent/etc/cni/net.d"},
            DEPLOY / "overlays" / "k3s",
        ),
        ({"image": {"pullPolicy": "Never"}}, DEPLOY / "overlays" / "kind"),
    ],
    ids=["base", "k3s", "kind"],
)
def test_it_renders_to_the_manifests(values: dict[str, Any], directory: Any) -> None:
    found = documents(of_chart(CHART, values))
    for each in found:
        if each["kind"] == "DaemonSet":
            said = each["spec"]["template"]["spec"]["containers"][0]["args"]
            said.remove("--multus-log-to-stderr=true")  # the default, said
    assert in_order(found) == in_order(documents(rendered(directory)))


def test_the_program_takes_what_all_values_say() -> None:
    assert set(EVERYTHING) == set(yaml.safe_load((CHART / "values.yaml").read_text())) - {
        "hostCNIBinDir",
        "hostCNINetDir",
        "uninstallOnRemoval",
        "resources",
        "priorityClassName",
        "nodeSelector",
        "tolerations",
    }
    install, watch = containers(of_chart(CHART, EVERYTHING))
    installing = parse(Install(), install["args"])
    watching = parse(Node().load(COMMANDS["watch"][0]), watch["args"])
    assert (installing.take_over, installing.link_plugins) == (True, ("bridge", "macvlan"))
    assert not installing.skip_configuration
    for each in (installing, watching):
        assert each.multus_master_cni_file_name == "10-calico.conflist"
        assert each.multus_autoconfig_dir == "/run/multus/cni/net.d"
        assert each.multus_conf_file == "/etc/multus/00-multus.conf"
        assert each.rename_conf_file
        assert each.namespace_isolation
        assert each.global_namespaces == "default,network"
        assert (each.cni_version, each.force_cni_version) == ("0.4.0", True)
        assert each.override_network_name
        assert each.readiness_indicator_file == "/run/flannel/subnet.env"
        assert each.additional_bin_dir == "/opt/more/bin"
        assert each.multus_conf_key == [("defaultNetworks", ["a", "b"]), ("retryDeleteOnError", True)]
        assert (each.multus_log_level, each.multus_log_file) == ("debug", "/var/log/other.log")
        assert not each.multus_log_to_stderr
    assert watching.health_address == "127.0.0.1:9999"
    assert watching.settle == 5
    assert watch["readinessProbe"]["httpGet"]["port"] == 9999
    assert watch["image"] == "registry.example/multus:1"


def test_paths_that_values_name_are_mounted() -> None:
    text = of_chart(CHART, EVERYTHING)
    spec = of_kind(text, "DaemonSet")["spec"]["template"]["spec"]
    volumes = {each["name"]: each["hostPath"]["path"] for each in spec["volumes"]}
    assert {"/run/multus/cni/net.d", "/etc/multus", "/run/flannel"} < set(volumes.values())
    for container in containers(text):
        mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
        assert mounts == {name: f"/host{path}" for name, path in volumes.items()}


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_a_real_server_takes_it(values: dict[str, Any], admin: Admin) -> None:
    text = of_chart(CHART, values)
    for before, after in zip(documents(text), admin.apply(text, "--dry-run=server"), strict=True):
        assert missing(before, after) == []


def test_without_the_hook_nothing_may_be_asked_of_daemonsets() -> None:
    text = of_chart(CHART, {"uninstallOnRemoval": False})
    assert "lifecycle" not in containers(text)[1]
    assert not [each for each in documents(text) if each["kind"] == "Role"]


def test_the_rights_of_whereabouts_are_those_of_the_component() -> None:
    more = documents((DEPLOY / "components" / "whereabouts" / "rights.yaml").read_text())
    found = documents(of_chart(CHART, {"whereabouts": {"rights": True}}))
    assert [each for each in found if each["metadata"]["name"] == "multus-whereabouts"] == more


def test_it_is_of_this_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)


def test_every_value_is_used() -> None:
    used = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    named = set(re.findall(r"\.Values\.(\w+)", used))
    assert named == set(yaml.safe_load((CHART / "values.yaml").read_text()))


def test_it_brings_the_definition_of_networks() -> None:
    assert [path.name for path in (CHART / "crds").iterdir()] == ["network-attachment-definitions.yaml"]
    assert documents(next((CHART / "crds").iterdir()).read_text())[0]["spec"]["names"]["plural"]
