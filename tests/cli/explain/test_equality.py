"""What is foreseen is what the ADD then does: interfaces, their order, addresses, default routes."""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cli.command import DONE
from tests.cli.explain.conftest import NETWORKS

if TYPE_CHECKING:
    from tests.cli.explain.conftest import Explained
    from tests.node import Pod

Scene = dict[str, Any]
ANNOTATIONS = "io.kubernetes.cri.pod-annotations"


def static(address: str) -> dict[str, Any]:
    return {"ipam": {"type": "static", "dataDir": "/nonexistent", "addresses": [{"address": address}]}}


def macvlan(node: Explained, name: str, ipam: dict[str, Any], **more: object) -> dict[str, Any]:
    if ipam["ipam"]["type"] == "static":
        ipam["ipam"]["dataDir"] = str(node.root / "static")
    return {**node.macvlan(name), "capabilities": {"ips": True, "mac": True}, **ipam, **more}


def whereabouts(node: Explained, cidr: str, **more: object) -> dict[str, Any]:
    return {"ipam": {"type": "whereabouts", "range": cidr, "dataDir": str(node.leases), **more}}


def define(node: Explained) -> None:
    """The networks that the scenes' annotations name."""
    node.define("red", macvlan(node, "red", node.ipam("10.2.0.0/24")))
    node.define("fixed", macvlan(node, "fixed", static("10.3.0.7/24")))
    node.define("wide", macvlan(node, "wide", whereabouts(node, "10.4.0.0/24")))
    node.define("spread", macvlan(node, "spread", whereabouts(node, "10.5.0.0/24", policy="spread")))
    node.define("low", macvlan(node, "low", {"ipam": {**node.ipam("10.6.0.0/28")["ipam"], "rangeStart": "10.6.0.9"}}))
    six = {
        "type": "host-local",
        "dataDir": str(node.addresses),
        "ranges": [[{"subnet": "10.7.0.0/24"}], [{"subnet": "fd07::/64"}]],
    }
    node.define("dual", macvlan(node, "dual", {"ipam": six}))
    node.define(
        "routed",
        macvlan(node, "routed", {"ipam": {**node.ipam("10.8.0.0/24")["ipam"], "routes": [{"dst": "0.0.0.0/0"}]}}),
    )
    node.define("plain", {"type": "ptp", "ipam": node.ipam("10.9.0.0/24")["ipam"]})


SCENES = {
    "nothing but the primary": "",
    "one": "red",
    "the same twice": "red,red",
    "named and unnamed": "red@lan7,wide,fixed",
    "every IPAM": "red,fixed,wide,spread",
    "an address that is asked for": [{"name": "red", "ips": ["10.2.0.77/24"], "mac": "02:00:00:00:00:77"}],
    "two families": "dual,low",
    "a default route by another network": [{"name": "red", "default-route": ["10.2.0.1"]}],
    "a default route that a network brings": "routed,red",
    "two of another plugin": "plain,plain@more",
}


@pytest.mark.parametrize("name", SCENES)
def test_the_add_does_what_was_foreseen(node: Explained, name: str) -> None:
    define(node)
    text = SCENES[name] if isinstance(SCENES[name], str) else json.dumps(SCENES[name])
    config = node.config(node.bridge(), nadDir=str(node.nads))
    node.write("00-multus.conf", config)
    # Somebody is there already, and somebody has gone: round robin does not begin at the beginning.
    for other in ("first", "second"):
        attach(node, node.pod(other), config, "red,wide")
    node.call("DEL", config, pod_of(node, "first"), CNI_ARGS=told("first"))
    ended = node.explain("--annotation", str(text), "--namespace", "blue", "-o", "json")
    assert (ended.status, ended.stderr) == (DONE, "")
    pod = node.pod("web-0")
    attach(node, pod, config, str(text))
    attached = [(one.ifname, one.network["name"], addresses(one.result)) for one in node.record(pod).attachments]
    foreseen = [(one["interface"], one["network"], one["addresses"]) for one in ended.document["networks"]]
    assert [each[:2] for each in foreseen] == [each[:2] for each in attached]
    for one, (_, _, given) in zip(ended.document["networks"], attached, strict=True):
        if one["ipam"] == "whereabouts" and "spread" in one["network"]:
            [within] = [part for part in one["pools"][0].split() if "/" in part] or ["10.5.0.0/24"]
            assert all(ipaddress.ip_interface(each).ip in ipaddress.ip_network(within, strict=False) for each in given)
        else:
            assert one["addresses"] == given, one["interface"]
    assert default_route(pod) == ended.document["defaultRoutes"][0]["after"].split(" (")[0].split(",")[0]
    shown = pod.links()
    assert sorted(shown) == sorted(one["interface"] for one in ended.document["networks"])


def attach(node: Explained, pod: Pod, config: Scene, annotation: str) -> None:
    handed = {**config, "runtimeConfig": {ANNOTATIONS: {NETWORKS: annotation} if annotation else None}}
    node.call("ADD", handed, pod, CNI_ARGS=told(pod.container_id)).succeeded()


def told(name: str) -> str:
    return f"IgnoreUnknown=1;K8S_POD_NAMESPACE=blue;K8S_POD_NAME={name};K8S_POD_UID=uid-{name}"


def pod_of(node: Explained, name: str) -> Pod:
    from tests.node import Pod as Sandbox

    record = next(each for each in node.records() if each.startswith(f"{name}@"))
    found = Sandbox("", record.partition("@")[0])
    found.netns = node.record(found).netns
    return found


def addresses(result: Any) -> list[str]:
    return [str(each.address) for each in result.ips]


def default_route(pod: Pod) -> str:
    """Which interface has the IPv4 default route of the least metric, and by which gateway."""
    from tests.cli.inspect.conftest import shell

    lines = [line.split() for line in shell(pod.netns, "ip -4 route show default").splitlines()]
    best = min(lines, key=lambda words: int(words[words.index("metric") + 1]) if "metric" in words else 0)
    return f"{best[best.index('dev') + 1]} via {best[best.index('via') + 1]}"
