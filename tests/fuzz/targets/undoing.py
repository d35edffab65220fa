"""What plugins wrote down to take back, read by their DEL and GC in a pod that is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cni_multus.linux.links import add_veth, change_link, find_link
from cni_multus.linux.netns import Namespace
from cni_multus.linux.routetables import namespace_mark
from cni_multus.registry import load
from tests.conftest import make_namespace
from tests.fuzz import sandbox
from tests.fuzz.sandbox import SCRATCH
from tests.fuzz.seeds import RESULT, printed
from tests.fuzz.target import target
from tests.fuzz.targets.protocol import ENVIRONMENT, answered

if TYPE_CHECKING:
    from collections.abc import Iterable

POD = Path("/run/pod")
MARK = "@namespace@"
"""Stands in a record for what tells the pod's namespace from others."""

KINDS = ("tuning", "sbr", "vrf", "firewall", "host-device")
HARMLESS = frozenset({0, 5, 8, 11, 100})
"""Everything else would say that a record in a file of ours is the runtime's fault."""


def records() -> Iterable[bytes]:
    owner = {"network": "net", "containerID": "c1", "ifname": "eth0", "netns": MARK, "path": str(POD)}
    route = {"dst": "10.9.0.0/16", "gateway": "10.0.0.1", "source": "", "scope": 0, "protocol": 4, "onlink": False}
    route |= {"table": 100, "priority": 0, "mtu": 0, "advmss": 0}
    sysctl = {"net/ipv4/conf/eth0/forwarding": "1"}
    yield printed(
        {
            **owner,
            "plugin": "tuning",
            "mac": "02:00:00:00:00:01",
            "mtu": 1400,
            "promisc": True,
            "txQLen": 9,
            "sysctl": sysctl,
        }
    )
    rule = {"family": 4, "source": "10.0.0.5", "table": 100, "priority": 100}
    yield printed(
        {**owner, "plugin": "sbr", "index": 2, "rules": [rule], "routes": [route], "moved": [{**route, "table": 254}]}
    )
    yield printed(
        {
            **owner,
            "plugin": "vrf",
            "vrf": "red",
            "table": 100,
            "index": 2,
            "addresses": ["10.0.0.5/24"],
            "routes": [route],
        }
    )
    told = {"backend": "nftables"}
    yield printed(
        {
            **owner,
            "plugin": "firewall",
            "told": told,
            "ips": ["10.0.0.5"],
            "policy": "same-bridge",
            "bridge": "b",
            "port": "p",
        }
    )
    home = {"index": 2, "flags": 1, "group": 0, "mtu": 1500, "alias": "", "kind": "", "mac": "02:00:00:00:00:01"}
    home |= {"master": "", "name": "eth7", "parent_device": "0000:01:00.0", "permanent_mac": "02:00:00:00:00:01"}
    lent = {**home, "addresses": ["10.0.0.5/24"], "routes": [route]}
    yield printed({**owner, "plugin": "host-device", "cookie": 7, "home": lent, "pciID": "", "driver": ""})
    yield printed(
        {
            **owner,
            "plugin": "host-device",
            "cookie": 7,
            "home": {**lent, "kind": "veth", "parent_device": ""},
            "driver": "vfio-pci",
        }
    )


@target(seeds=records, words=(*KINDS, "told", "nftables", "iptables", "sysctl", "../../x", "home", "eth0", MARK))
def undoing(data: bytes) -> None:
    """A DEL that finds anything there ends, and the second one has nothing left to do."""
    data = data.replace(MARK.encode(), _pod().encode())
    for kind in _kinds(data):
        (SCRATCH / kind).mkdir()
        config: dict[str, Any] = {"cniVersion": "1.1.0", "name": "net", "type": kind, "dataDir": str(SCRATCH / kind)}
        config |= {"prevResult": RESULT, "cni.dev/valid-attachments": []}
        for verb in ("DEL", "DEL", "GC"):
            if verb == "GC" or not (SCRATCH / kind / "c1_eth0.json").exists():
                (SCRATCH / kind / "c1_eth0.json").write_bytes(data)
            plugin = load(kind)
            assert plugin is not None
            code = answered(plugin, {**ENVIRONMENT, "CNI_NETNS": str(POD), "CNI_COMMAND": verb}, printed(config))
            assert code in HARMLESS, (kind, verb, code)


def _kinds(data: bytes) -> tuple[str, ...]:
    """The plugin that a record says it is of; all but one, which waits for what is gone, of a record that says none."""
    try:
        told = json.loads(data)["plugin"]
    except (ValueError, LookupError, TypeError, RecursionError):
        told = None
    return (told,) if told in KINDS else KINDS[:-1]


def _pod() -> str:
    """The mark of the pod's namespace, which is made when it is first asked for, with an interface eth0."""
    sandbox.watch.on, was = False, sandbox.watch.on
    if not POD.exists():
        make_namespace(POD)
    with Namespace.open(str(POD)) as pod:
        if find_link(pod, "eth0") is None:
            link = add_veth(pod, "eth0", peer="veth0", peer_namespace=pod)
            change_link(pod, link.index, up=True)
        mark = namespace_mark(pod)
    sandbox.watch.on = was
    return mark
