"""Containers of podman, which calls plugins through its own libcni, and sends less than a kubelet's runtime does."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.linux.netns import Namespace
from tests.cri.enclosure import Enclosure
from tests.cri.podman import Podman
from tests.cri.reaching import fetch, refuses
from tests.node import UPLINK, Node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tools.crikit import Kit

NETWORKS = count()
VERSION = "1.0.0"


@pytest.fixture(scope="module")
def podman(kit: Kit, bin_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    enclosure = Enclosure()
    try:
        yield Podman(kit, enclosure, tmp_path_factory.mktemp("podman"), bin_dir)
    finally:
        enclosure.close()


@pytest.fixture
def node(podman: Podman, tmp_path: Path) -> Iterator[Node]:
    """The node that podman is on, without containers."""
    with Namespace.open(podman.enclosure.netns) as host:
        node = Node(host, tmp_path)
        yield node
        podman("rm", "--all", "--force", "--time=0")
        bridges = [name for name, kind in node.links().items() if kind == "bridge"]
        for name in (*bridges, UPLINK):
            podman.enclosure.run("ip", "link", "delete", name)


def network(podman: Podman, node: Node, *delegates: object) -> str:
    """The name of a new network with these delegates."""
    name = f"network{next(NETWORKS)}"
    plugin = node.config(*delegates, capabilities={"portMappings": True})
    podman.configure({"cniVersion": VERSION, "name": name, "plugins": [plugin]})
    return name


def published(node: Node) -> dict[str, Any]:
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": VERSION, "name": "primary", "plugins": [node.bridge(), portmap]}


def addresses(podman: Podman, container: str) -> dict[str, str]:
    lines = podman("exec", container, "ip", "-o", "-4", "addr").splitlines()
    return {line.split()[1]: line.split()[3] for line in lines}


def test_a_container_has_all_networks_until_it_is_removed(podman: Podman, node: Node) -> None:
    name = network(podman, node, node.bridge(), node.macvlan("red", "10.2.0.0/24"))
    first, second = (podman.run(each, name) for each in ("first", "second"))
    found = addresses(podman, first)
    assert found == {"lo": "127.0.0.1/8", "eth0": "10.1.0.2/24", "net1": "10.2.0.2/24"}
    assert len(node.records()) == 2
    for interface in ("eth0", "net1"):
        target = found[interface].partition("/")[0]
        assert "1 packets received" in podman("exec", second, "ping", "-c1", "-W10", "-I", interface, target)
    podman("rm", "--force", "--time=0", "first", "second")
    assert node.remains() == {}


def test_what_podman_shows_is_the_primary_network(podman: Podman, node: Node) -> None:
    name = network(podman, node, node.bridge(), node.macvlan("red", "10.2.0.0/24"))
    container = podman.run("web", name)
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}/{{.IPPrefixLen}} {{.Gateway}}{{end}}"
    assert podman("inspect", f"--format={template}", container).strip() == "10.1.0.2/24 10.1.0.1"


def test_a_published_port_leads_to_the_container(podman: Podman, node: Node) -> None:
    container = podman.run("web", network(podman, node, published(node)), "--publish=8080:80", "--hostname=web")
    podman("exec", "--detach", container, "nc", "-ll", "-p", "80", "-e", "/bin/busybox", "hostname")
    assert fetch(node.host.path, "10.1.0.1", 8080) == b"web\n"
    podman("rm", "--force", "--time=0", container)
    assert refuses(node.host.path, "10.1.0.1", 8080)
    assert node.remains() == {}


def test_a_container_is_started_again(podman: Podman, node: Node) -> None:
    """Its networks come and go with each start."""
    container = podman.run("web", network(podman, node, node.bridge(), node.macvlan("red", "10.2.0.0/24")))
    podman("stop", "--time=5", container)
    assert node.remains() == {}
    podman("start", container)
    assert set(addresses(podman, container)) == {"lo", "eth0", "net1"}


def test_a_container_that_cannot_be_attached_is_told_why(podman: Podman, node: Node) -> None:
    broken = node.macvlan("red", "10.2.0.0/24", master="absent0")
    with pytest.raises(AssertionError, match="master: there is no link absent0"):
        podman.run("web", network(podman, node, node.bridge(), broken))
    assert node.remains() == {}


def test_a_container_has_two_networks_of_podmans(podman: Podman, node: Node) -> None:
    """Each is an ADD of its own; one goes and comes while the container runs."""
    first = network(podman, node, node.bridge(), node.macvlan("red", "10.2.0.0/24"))
    second = network(podman, node, node.bridge("other", "10.3.0.0/24", bridge="cni3", isDefaultGateway=False))
    container = podman.run("web", f"{first},{second}")
    everything = addresses(podman, container)
    assert everything.keys() == {"lo", "eth0", "eth1", "net1"}
    assert {everything["eth0"], everything["eth1"]} == {"10.1.0.2/24", "10.3.0.2/24"}  # podman has no order for them
    podman("network", "disconnect", second, container)
    assert "10.3.0.2/24" not in addresses(podman, container).values()
    assert len(addresses(podman, container)) == len(everything) - 1
    podman("network", "connect", second, container)
    assert addresses(podman, container).keys() == everything.keys()
    podman("rm", "--force", "--time=0", container)
    assert node.remains() == {}


def test_networks_are_made_anew_for_a_container_that_runs(podman: Podman, node: Node) -> None:
    """`podman network reload` is for those whose firewall was flushed: a DEL, and an ADD that wants the same addresses.

    For that podman writes other capabilities into the first plugin: ports are for a plugin that follows.
    """
    name = f"network{next(NETWORKS)}"
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    plugins = [node.config(node.bridge(), node.macvlan("red", "10.2.0.0/24")), portmap]
    podman.configure({"cniVersion": VERSION, "name": name, "plugins": plugins})
    container = podman.run("web", name, "--publish=8080:80", "--hostname=web")
    podman("exec", "--detach", container, "nc", "-ll", "-p", "80", "-e", "/bin/busybox", "hostname")
    before = primary(podman, container)
    podman.enclosure.run("nft", "flush", "ruleset")
    podman("network", "reload", container)
    assert primary(podman, container) == before
    assert fetch(node.host.path, "10.1.0.1", 8080) == b"web\n"
    podman("rm", "--force", "--time=0", container)
    assert node.remains() == {}


def primary(podman: Podman, container: str) -> tuple[str, str]:
    """The MAC and the address of eth0."""
    shown = podman("exec", container, "ip", "link", "show", "eth0")
    return shown.partition("link/ether ")[2].split()[0], addresses(podman, container)["eth0"]
