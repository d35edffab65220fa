"""STATUS and GC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.node import UPLINK
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

BRIDGE: dict[str, Any] = {"cniVersion": "1.1.0", "name": "blue", "type": "bridge", "bridge": "cni0"}
MACVLAN: dict[str, Any] = {"cniVersion": "1.1.0", "name": "blue", "type": "macvlan", "master": UPLINK}


def valid(*attachments: tuple[str, str]) -> dict[str, Any]:
    listed = [{"containerID": container_id, "ifname": ifname} for container_id, ifname in attachments]
    return {"cni.dev/valid-attachments": listed}


def pool(node: Runtime, subnet: str = "10.1.2.0/24") -> dict[str, Any]:
    return {"type": "host-local", "ranges": [[{"subnet": subnet}]], "dataDir": str(node.addresses)}


@pytest.mark.parametrize("config", [BRIDGE, MACVLAN, {**MACVLAN, "linkInContainer": True, "master": "net0"}])
def test_an_add_that_would_work_is_promised(config: dict[str, Any], node: Runtime) -> None:
    before = node.shown.everything()
    assert node.ask("STATUS", config).succeeded().stdout == b""
    assert node.shown.everything() == before


def test_a_missing_master_is_the_reason(node: Runtime) -> None:
    assert "nowhere" in node.ask("STATUS", {**MACVLAN, "master": "nowhere"}).failed(50)


def test_a_master_that_is_down_is_the_reason(node: Runtime) -> None:
    node.shown.run(f"ip link set {UPLINK} down")
    assert f"{UPLINK} is down" in node.ask("STATUS", MACVLAN).failed(50)


def test_a_missing_default_route_is_the_reason(node: Runtime) -> None:
    config = {**MACVLAN, "master": ""}
    assert "default route" in node.ask("STATUS", config).failed(50)
    node.shown.run(f"ip route add default dev {UPLINK}")
    node.ask("STATUS", config).succeeded()


def test_a_bridge_that_is_none_is_the_reason(node: Runtime) -> None:
    message = node.ask("STATUS", {**BRIDGE, "bridge": UPLINK}).failed(50)
    assert message == f"bridge: {UPLINK} is a veth, not a bridge"


@pytest.mark.parametrize("config", [BRIDGE, MACVLAN], ids=["bridge", "macvlan"])
def test_a_pool_without_addresses_is_the_reason(config: dict[str, Any], node: Runtime, make_pod: MakePod) -> None:
    """The reference promises an ADD that fails."""
    config = {**config, "ipam": pool(node, "10.1.2.0/30")}
    node.ask("STATUS", config).succeeded()
    node.add(config, make_pod())
    node.ask("STATUS", config).failed(50)


@pytest.mark.parametrize("config", [BRIDGE, MACVLAN], ids=["bridge", "macvlan"])
def test_what_ipam_says_is_passed_on(config: dict[str, Any], node: Runtime) -> None:
    node.program("given", node.runtime_path, STATUS={"status": 1, "stdout": '{"code": 51, "msg": "the store is away"}'})
    assert node.ask("STATUS", {**config, "ipam": {"type": "given"}}).failed(51) == "the store is away"


@pytest.mark.parametrize("config", [BRIDGE, MACVLAN], ids=["bridge", "macvlan"])
def test_a_configuration_that_cannot_be_is_told(config: dict[str, Any], node: Runtime) -> None:
    assert node.ask("STATUS", {**config, "mtu": -5}).failed(7).startswith("mtu: ")


@pytest.mark.parametrize("config", [BRIDGE, MACVLAN], ids=["bridge", "macvlan"])
def test_garbage_collection_reaches_ipam(config: dict[str, Any], node: Runtime, make_pod: MakePod) -> None:
    """BUG of the reference: nobody forwards it."""
    config = {**config, "ipam": pool(node)}
    kept, lost = make_pod("kept"), make_pod("lost")
    for pod in (kept, lost):
        node.add(config, pod)
    node.ask("GC", {**config, **valid(("kept", "eth0"))}).succeeded()
    assert list(node.reserved("blue").values()) == ["kept eth0"]


def test_garbage_collection_removes_ports_of_nobody(node: Runtime, make_pod: MakePod) -> None:
    kept, lost = make_pod("kept"), make_pod("lost")
    port = node.add(BRIDGE, kept)["interfaces"][1]["name"]
    node.add(BRIDGE, kept, CNI_IFNAME="net1")
    node.add(BRIDGE, lost)
    other = node.add({**BRIDGE, "name": "blue2"}, lost, CNI_IFNAME="net1")["interfaces"][1]["name"]
    node.shown.run("ip link add stranger master cni0 type veth peer name regnarts")
    node.ask("GC", {**BRIDGE, **valid(("kept", "eth0"))}).succeeded()
    assert set(node.links()) == {"cni0", port, other, "stranger", "regnarts"}
    assert Shown(lost.netns).links() == {"net1"}


def test_garbage_collection_without_a_list_is_refused(node: Runtime, make_pod: MakePod) -> None:
    port = node.add(BRIDGE, make_pod())["interfaces"][1]["name"]
    node.ask("GC", BRIDGE).failed(7)
    assert port in node.links()


def test_garbage_collection_of_an_empty_list_leaves_nothing(node: Runtime, make_pod: MakePod) -> None:
    config = {**BRIDGE, "ipam": pool(node)}
    for at in range(3):
        node.add(config, make_pod(f"pod{at}"))
    node.ask("GC", {**config, **valid()}).succeeded()
    assert node.links() == {"cni0": "bridge"}
    assert node.reserved("blue") == {}


def test_garbage_collection_that_may_not_remove_links_keeps_their_addresses(node: Runtime, make_pod: MakePod) -> None:
    config = {**BRIDGE, "ipam": pool(node)}
    node.add(config, make_pod())
    bounded = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
    message = node.process("GC", {**config, **valid()}, None, *bounded).failed(100)
    assert "cannot remove link" in message
    assert len(node.reserved("blue")) == 1
