"""The examples of conf/kubernetes, as they stand there: only the directories are the test's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cni_multus.linux.links import add_veth, change_link
from tests.cli.terminal import ROOT
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kubernetes.site import Member, Site

EXAMPLES = ROOT / "conf" / "kubernetes"


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((EXAMPLES / name).read_text()))


@pytest.fixture
def config(site: Site, tmp_path: Path) -> dict[str, Any]:
    """The node's configuration, with the rights of the example, and the definitions in the cluster."""
    uplink = add_veth(site.node.host, "ens5", peer="switch", peer_namespace=site.node.host)
    change_link(site.node.host, uplink.parent, up=True)
    for document in documents("networks.yaml"):
        network = json.loads(document["spec"]["config"])
        for plugin in network.get("plugins", [network]):
            for keeper in [plugin] if plugin["type"] == "tuning" else [plugin["ipam"]]:
                keeper["dataDir"] = str(site.node.addresses)
        site.define(document["metadata"]["name"], network)
    [role] = documents("rbac.yaml")
    token = site.cluster.token(*role["rules"])
    primary = tmp_path / "10-primary.conflist"
    primary.write_text(json.dumps({"cniVersion": "1.0.0", "name": "primary", "plugins": [site.node.bridge()]}))
    return {
        **json.loads((EXAMPLES / "00-multus.conf").read_text()),
        "cniDir": str(site.node.cni_dir),
        "binDir": str(site.node.bin_dir),
        "clusterNetwork": str(primary),
        "kubeconfig": str(site.cluster.kubeconfig(server=site.road.url, token=token)),
        "nadPaths": [str(site.node.root)],
    }


def asked(site: Site, name: str) -> Member:
    [document] = [each for each in documents("pods.yaml") if each["metadata"]["name"] == name]
    return site.pod(name, **document["metadata"]["annotations"])


def test_networks_in_the_short_form(site: Site, config: dict[str, Any]) -> None:
    pod = asked(site, "short")
    site.call("ADD", config, pod).succeeded()
    assert [(entry["interface"], entry["ips"]) for entry in pod.status] == [
        ("eth0", ["10.1.0.2"]),
        ("net1", ["192.168.1.200"]),
        ("video0", ["192.168.2.2"]),
    ]
    assert len(site.events("AddedInterface", 3)) == 3
    site.call("CHECK", config, pod).succeeded()
    site.call("DEL", config, pod).succeeded()
    assert pod.links() == {}


def test_networks_in_json(site: Site, config: dict[str, Any]) -> None:
    pod = asked(site, "long")
    site.call("ADD", config, pod).succeeded()
    eth0, disk0, net2 = pod.status
    assert (disk0["interface"], disk0["ips"], disk0["mac"]) == ("disk0", ["192.168.1.240"], "02:00:00:00:00:f0")
    assert ("gateway" in eth0, net2["gateway"], eth0["default"]) == (False, ["192.168.2.1"], True)
    inside = Shown(pod.netns)
    assert [route for route in inside.routes() if route.startswith("default")] == [
        "default via 192.168.2.1 dev net2 proto static"
    ]
    site.call("CHECK", config, pod).succeeded()
    site.call("DEL", config, pod).succeeded()
    assert pod.links() == {}
