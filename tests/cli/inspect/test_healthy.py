"""No false alarm: whatever is attached in whichever way is as recorded, and everything of it is on record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cli.command import DONE
from tests.cli.inspect.conftest import shell

if TYPE_CHECKING:
    from tests.cli.inspect.conftest import Inspected


def listed(name: str, *plugins: dict[str, Any]) -> dict[str, Any]:
    return {"cniVersion": "1.1.0", "name": name, "plugins": list(plugins)}


def networks(node: Inspected, kind: str) -> dict[str, Any]:
    run = {"dataDir": str(node.root / "run")}
    static = {"ipam": {"type": "static", "addresses": [{"address": "10.7.0.5/24"}, {"address": "fd00:7::5/64"}], **run}}
    leases = {"ipam": {"type": "whereabouts", "range": "10.8.0.0/24", "dataDir": str(node.leases), "datastore": "file"}}
    return {
        "ptp": {"name": "n", "type": "ptp", "ipMasq": True, **node.ipam("10.5.0.0/24")},
        "static": node.macvlan("n", mode="private") | static,
        "whereabouts": node.macvlan("n") | leases,
        "tap": {"name": "n", "type": "tap", **node.ipam("10.6.0.0/24")},
        "host-device": {"name": "n", "type": "host-device", "device": "spare", "dataDir": str(node.root / "loans")},
        "disabled": {"name": "n", "type": "bridge", "bridge": "br9", "disableContainerInterface": True},
        "tuned": listed(
            "n",
            node.bridge("n", "10.9.0.0/24", bridge="br9"),
            {"type": "tuning", "mac": "02:00:00:00:00:07", "mtu": 1400, "promisc": True, **run},
            {"type": "firewall", "ingressPolicy": "isolated", **run},
            {"type": "bandwidth", "egressRate": 8_000_000, "egressBurst": 800_000},
        ),
        "in-the-pod": {"name": "n", "type": "macvlan", "master": "eth0", "linkInContainer": True},
    }[kind]


@pytest.mark.parametrize(
    "kind", ["ptp", "static", "whereabouts", "tap", "host-device", "disabled", "tuned", "in-the-pod"]
)
def test_what_is_right_is_said_to_be_right(node: Inspected, kind: str) -> None:
    shell(node.host.path, "ip link add spare type veth peer name spare1; ip link set spare1 up")
    pod = node.attach("web-0", node.bridge(), networks(node, kind), node.bridge("last", "10.4.0.0/24", bridge="br4"))
    ended = node.inspect()
    assert (ended.status, ended.stderr) == (DONE, ""), ended.stdout
    [sandbox] = node.document("web-0")["sandboxes"]
    assert "unknown" not in sandbox
    assert [each["interface"] for each in sandbox["interfaces"]] == ["eth0", "net1", "net2"]
    node.call("DEL", node.config(), pod).succeeded()
    assert node.document()["sandboxes"] == node.document()["leftovers"] == []
