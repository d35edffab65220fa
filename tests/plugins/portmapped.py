"""What the tests of portmap have in common: its configurations, pods on a bridge, and what nft shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.plugins.configs import bridge, pools

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown

SUBNETS = "10.1.2.0/24", "2001:db8:1::/64"
CHAIN = "blue-pod1-eth0-286146fa"
"""The chain of pod1's eth0."""

MINE = "blue:pod1:eth0"
GATEWAY = {4: "10.1.2.1", 6: "2001:db8:1::1"}
PROTOCOLS = ["tcp", "udp"]


def mapping(port: int, protocol: str = "tcp", address: str = "", to: int = 80) -> dict[str, Any]:
    """One member of portMappings."""
    return {
        "hostPort": port,
        "containerPort": to,
        "protocol": protocol,
        **({"hostIP": address} if address else {}),
    }


BOTH = [mapping(8080), mapping(8080, "udp")]


def portmap(*mappings: dict[str, Any], version: str = "1.1.0", **more: object) -> dict[str, Any]:
    """A configuration with those mappings."""
    return {
        "cniVersion": version,
        "name": "blue",
        "type": "portmap",
        "runtimeConfig": {"portMappings": list(mappings)},
        **more,
    }


def address_of(result: dict[str, Any], family: int = 4) -> str:
    """The pod's address in a result."""
    found = [ip["address"].partition("/")[0] for ip in result["ips"]]
    return str(next(each for each in found if (":" in each) == (family == 6)))


def bridged(node: Runtime, pod: Pod, *subnets: str, **more: object) -> dict[str, Any]:
    """Attach a pod to a bridge that is its gateway; the result."""
    config = bridge(isDefaultGateway=True, ipam=pools(node, *(subnets or SUBNETS)), **more)
    return node.add(config, pod)


def given(address: str = "10.1.2.5/24", *more: str) -> dict[str, Any]:
    """A result that some plugin could have given, of a pod that is nowhere."""
    return {
        "cniVersion": "1.1.0",
        "interfaces": [{"name": "eth0", "sandbox": "/somewhere"}],
        "ips": [{"address": each, "interface": 0} for each in (address, *more)],
    }


def ruleset(node: Runtime) -> str:
    """The table as nft lists it, "" where there is none."""
    return node.shown.run("nft list table inet multus_hostports 2>/dev/null || true")


def held(node: Runtime) -> list[str]:
    """The keys of all maps, and whose they are; each leads to an address."""
    found = []
    for name in ("any4", "one4", "any6", "one6"):
        own = dict(_elements(node.shown, name))
        assert set(own) == {key for key, _ in _elements(node.shown, f"{name}to")}
        found += [f"{key} of {rest.split(chr(34))[1].removeprefix('multus:')}" for key, rest in own.items()]
    return sorted(found)


def targets(shown: Shown) -> list[str]:
    """The addresses and ports that ports of the node lead to."""
    names = ("any4to", "one4to", "any6to", "one6to")
    return sorted({value.removeprefix(" : ") for name in names for _, value in _elements(shown, name)})


def _elements(shown: Shown, name: str) -> list[tuple[str, str]]:
    listed = shown.run(f"nft list map inet multus_hostports {name} 2>/dev/null || true")
    lines = [line.strip() for line in listed.partition("elements = {")[2].partition("}")[0].split(",")]
    places = [min(at for at in (line.find(" comment "), line.find(" : "), len(line)) if at >= 0) for line in lines]
    return [(line[:at], line[at:]) for line, at in zip(lines, places, strict=True) if line]


def chains(node: Runtime) -> list[str]:
    """The names of attachments' chains."""
    return [name for name in _chains(node) if not name.startswith("way")]


def ways(node: Runtime) -> list[str]:
    """The names of the chains that ports lead to."""
    return [name for name in _chains(node) if name.startswith("way")]


def _chains(node: Runtime) -> list[str]:
    words = [line.split() for line in ruleset(node).splitlines() if line.startswith("\tchain ")]
    fixed = {"hostports", "prerouting", "output", "postrouting", "guard"}
    return sorted(word[1] for word in words if word[1] not in fixed)


def garbage(config: dict[str, Any], *valid: str) -> dict[str, Any]:
    """The configuration of a GC, with the pods that are valid."""
    attachments = [{"containerID": container, "ifname": "eth0"} for container in valid]
    bare = {key: value for key, value in config.items() if key != "runtimeConfig"}
    return {**bare, "cni.dev/valid-attachments": attachments}


def rules(node: Runtime) -> list[str]:
    """The rules of the ways that there are, as nft writes them."""
    listed = [node.shown.run(f"nft list chain inet multus_hostports {way}").splitlines() for way in ways(node)]
    return [line.strip() for lines in listed for line in lines[2:-2]]


def told(node: Runtime) -> list[str]:
    """What an attachment's chain tells of its ports."""
    lines = node.shown.run(f"nft list chain inet multus_hostports {CHAIN}").splitlines()
    return [line.strip().removeprefix("comment ").strip('"') for line in lines[3:-2]]


def add(
    node: Runtime, pod: Pod, *mappings: dict[str, Any], previous: dict[str, Any] | None = None, **more: Any
) -> None:
    node.ask("ADD", portmap(*mappings, **more), pod, previous or given()).succeeded()
