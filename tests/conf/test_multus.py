"""Every 00-multus.conf of conf/, called as a runtime calls it; only the directories are the test's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.terminal import ROOT, Ended, Terminal
from tests.plugins.shown import Shown

EXAMPLES = {path.stem: path for path in sorted((ROOT / "conf" / "multus").glob("*.conf"))}

PRIMARY = {"eth0": {"10.244.0.2/24"}}
ADDRESSES = {
    "00-multus": PRIMARY,
    "00-multus-several": {**PRIMARY, "net1": {"192.168.1.200/24"}, "net2": set()},
    "00-multus-chain": {**PRIMARY, "net1": set()},
    "00-multus-named": {**PRIMARY, "net1": {"192.168.1.200/24"}},
    "00-multus-all-keys": PRIMARY,
}


def moved(node: Terminal, name: str) -> dict[str, Any]:
    """The example, with every path that it names, or has as a default, below the test's directory."""
    config: dict[str, Any] = json.loads(EXAMPLES[name].read_text())
    config["cniDir"] = str(node.cni_dir)
    config["binDir"] = str(node.bin_dir)
    if "confDir" in config:
        config["confDir"] = str(node.networks)
    if "readinessindicatorfile" in config:
        config["readinessindicatorfile"] = str(node.write("10-primary.conflist", {}))
    if "logFile" in config:
        config["logFile"] = str(node.root / "multus.log")
    for delegate in config.get("delegates", ()):
        keep_addresses(delegate, node)
    for path in (ROOT / "conf" / "multus" / "net.d").iterdir():
        network = json.loads(path.read_text())
        keep_addresses(network, node)
        node.write(path.name, network)
    return config


def keep_addresses(network: dict[str, Any], node: Terminal) -> None:
    """Let the IPAMs of a network keep their files below the test's directory."""
    for plugin in network.get("plugins", [network]):
        if "ipam" in plugin:
            plugin["ipam"]["dataDir"] = str(node.addresses)


def called(node: Terminal, verb: str, config: dict[str, Any], pod: str) -> Ended:
    container = {"CNI_CONTAINERID": "c1", "CNI_NETNS": pod, "CNI_IFNAME": "eth0"}
    environment = {"CNI_COMMAND": verb, "CNI_PATH": str(node.bin_dir), **(container if verb != "STATUS" else {})}
    ended = node.run_as("multus", stdin=json.dumps(config), **environment)
    assert ended.status == 0, ended.stdout
    return ended


def test_every_example_has_its_expectation() -> None:
    assert set(ADDRESSES) == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_does_what_its_readme_says(node: Terminal, pod: str, inside: Shown, name: str) -> None:
    config = moved(node, name)
    result = called(node, "ADD", config, pod).document
    assert {ip["address"] for ip in result["ips"]} == ADDRESSES[name]["eth0"]
    assert inside.links() == set(ADDRESSES[name])
    assert {link: inside.addresses(link) for link in inside.links()} == ADDRESSES[name]
    [default] = [route for route in inside.routes() if route.startswith("default") and "metric" not in route]
    assert default.startswith("default via 10.244.0.1 dev eth0")
    called(node, "CHECK", config, pod)
    if config["cniVersion"] == "1.1.0":
        called(node, "STATUS", config, pod)
    called(node, "DEL", config, pod)
    assert inside.links() == set()
    assert (node.records(), node.reserved("primary"), node.reserved("storage")) == ([], {}, {})


def test_the_log_is_where_the_configuration_says(node: Terminal, pod: str) -> None:
    config = moved(node, "00-multus-all-keys")
    called(node, "ADD", config, pod)
    called(node, "DEL", config, pod)
    lines = [json.loads(line) for line in (node.root / "multus.log").read_text().splitlines()]
    assert any("network-status" in line["message"] for line in lines if "message" in line)
    assert [(line["verb"], line["outcome"]) for line in lines if "verb" in line] == [("ADD", "ok"), ("DEL", "ok")]
