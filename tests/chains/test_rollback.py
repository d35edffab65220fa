"""An ADD that fails at any plugin of any list of a pod: exactly what was there before is there."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from tests.chains.everything import fewer, more, things_of
from tests.chains.lists import capabilities, full, state
from tests.chains.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

PLACES = [(0, at) for at in range(1, 6)] + [(1, at) for at in range(1, 4)] + [(2, 1), (2, 2)]


def plugin(at: int, member: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A plugin of the whole configuration."""

    def find(config: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = config["delegates"][at]["plugins"][member]
        return found

    return find


def keys(at: int, member: int, **changed: object) -> Callable[[dict[str, Any]], None]:
    return lambda config: plugin(at, member)(config).update(changed)


def range_(at: int, **changed: str) -> Callable[[dict[str, Any]], None]:
    return lambda config: plugin(at, 0)(config)["ipam"].update(ranges=[[changed]])


def capability(**changed: object) -> Callable[[dict[str, Any]], None]:
    return lambda config: config.update(runtimeConfig={**capabilities(), **changed})


def port(number: object, **more: object) -> dict[str, object]:
    return {"hostPort": number, "containerPort": 80, "protocol": "tcp", **more}


WRONG: dict[str, tuple[Callable[[dict[str, Any]], None], int]] = {
    "bridge: a bridge that is none": (keys(0, 0, bridge="up0"), 7),
    "bridge: a number in a text's place": (keys(0, 0, bridge=5), 6),
    "bridge: an unknown IPAM": (keys(0, 0, ipam={"type": "nobody"}), 101),
    "bridge: no such VLAN": (keys(0, 0, vlan=5000), 7),
    "tuning: no such setting": (keys(0, 1, sysctl={"net.core.somaxconn": "1024", "net.core.nothing": "1"}), 7),
    "tuning: a value that the kernel refuses": (
        keys(0, 1, sysctl={"net.core.somaxconn": "1024", "net.ipv4.conf.IFNAME.arp_filter": "word"}),
        5,
    ),
    "tuning: an MTU that IPv6 cannot do with": (keys(0, 1, mtu=600), 7),
    "portmap: a port that is a word": (capability(portMappings=[port("x")]), 6),
    "portmap: no such protocol": (capability(portMappings=[port(81, protocol="ddp")]), 7),
    "portmap: an address that is none": (capability(portMappings=[port(81, hostIP="1.2.3")]), 7),
    "portmap: a port that another pod has": (capability(portMappings=[port(7000)]), 11),
    "bandwidth: a burst without a rate": (capability(bandwidth={"ingressBurst": 80000}), 7),
    "bandwidth: less than a packet": (capability(bandwidth={"egressRate": 8000, "egressBurst": 80}), 7),
    "firewall: no such policy": (keys(0, 4, ingressPolicy="closed"), 7),
    "firewall: no such backend": (keys(0, 4, backend="ipfw"), 7),
    "macvlan: no such master": (keys(1, 0, master="up9"), 7),
    "macvlan: a mode that takes the master": (keys(1, 0, mode="source"), 7),
    "sbr: no table of that number": (keys(1, 1, table=0), 7),
    "tuning: a list in a map's place": (keys(1, 2, sysctl=["x"]), 6),
    "ptp: an address without a gateway": (range_(2, subnet="10.3.0.0/31"), 7),
    "portmap: a port that this pod has": (keys(2, 1, runtimeConfig={"portMappings": [port(8080)]}), 11),
}  # fmt: skip


def assert_refused(scene: Scene, config: dict[str, Any], code: int) -> None:
    """Neither the node nor the pod have anything that they had not, nor lost anything."""
    inside = things_of(scene.pod.netns)
    answer = scene.node.call("ADD", config, scene.pod)
    assert answer.failed(code)
    assert "details" not in answer.document or "left" not in answer.document["details"]
    assert (scene.left(), scene.lost()) == ({}, {})
    after = things_of(scene.pod.netns)
    assert (more(after, inside), fewer(after, inside)) == ({}, {})


@pytest.mark.parametrize(("at", "member"), PLACES)
def test_a_program_that_fails_anywhere(at: int, member: int, node: Runtime, pod: Pod) -> None:
    node.program("failing", ADD={"status": 1, "stdout": '{"cniVersion": "1.1.0", "code": 107, "msg": "no"}'})
    scene = Scene(node, pod)
    config = full(node)
    config["delegates"][at]["plugins"].insert(member, {"type": "failing"})
    assert_refused(scene, config, 107)
    assert [call["command"] for call in node.calls()] == ["ADD", "DEL"]


@pytest.mark.parametrize("what", WRONG)
def test_a_plugin_that_refuses(what: str, node: Runtime, make_pod: MakePod) -> None:
    scene = Scene(node, make_pod())
    other = {
        "cniVersion": "1.1.0",
        "name": "other",
        "plugins": [
            {"type": "bridge", "bridge": "cni0", **node.ipam("10.9.0.0/24")},
            {"type": "portmap", "runtimeConfig": {"portMappings": [port(7000)]}},
            {"type": "firewall", "ingressPolicy": "isolated", "dataDir": state(node, "firewall")},
        ],
    }
    node.call("ADD", node.config(other), make_pod("neighbour")).succeeded()
    scene.before = scene.now()
    change, code = WRONG[what]
    config = deepcopy(full(node))
    change(config)
    assert_refused(scene, config, code)
