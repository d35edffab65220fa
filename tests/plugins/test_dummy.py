"""dummy: a link of the pod that leads nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.configs import NO_ADDRESSES, REFUSED_ROUTES, fixed, pools
from tests.plugins.runtime import VERSIONS, WITH_CHECK

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown

vm = pytest.mark.vm  # the machine's own kernel may have no dummies

SOME = ("0.2.0", "0.4.0", "1.0.0", "1.1.0")
SUBNET = "10.1.2.0/24"


def dummy(version: str = "1.1.0", /, **more: object) -> dict[str, Any]:
    return {"cniVersion": version, "name": "blue", "type": "dummy", **more}


@vm
@pytest.mark.parametrize("version", SOME)
def test_it_has_the_addresses_that_the_result_tells(version: str, node: Runtime, pod: Pod, inside: Shown) -> None:
    config = dummy(version, ipam=pools(node, SUBNET, "2001:db8::/64"))
    result = node.add(config, pod)
    shown = inside.link("eth0")
    assert (shown["linkinfo"]["info_kind"], inside.is_up("eth0")) == ("dummy", True)
    assert inside.addresses("eth0") == {"10.1.2.2/24", "2001:db8::2/64"}
    inside.run("ip link set lo up && ping -c 1 -W 5 10.1.2.2 && ping -c 1 -W 5 2001:db8::2")
    if version in VERSIONS[2:]:
        mtu = {"mtu": 1500} if version == "1.1.0" else {}
        assert result["interfaces"] == [{"name": "eth0", "mac": shown["address"], "sandbox": pod.netns, **mtu}]
        assert [ip["interface"] for ip in result["ips"]] == [0, 0]
    if version in WITH_CHECK:
        node.check(config, pod, result)
    node.delete(config, pod, result)
    assert (inside.links(), node.reserved("blue")) == (set(), {})


@vm
def test_the_node_may_have_a_link_of_that_name(node: Runtime, pod: Pod, inside: Shown) -> None:
    node.shown.run("ip link add eth0 type dummy")
    node.add(dummy(ipam=fixed(node, "10.1.2.3/24")), pod)
    node.delete(dummy(ipam=fixed(node, "10.1.2.3/24")), pod)
    assert (inside.links(), "eth0" in node.shown.links()) == (set(), True)


@vm
def test_check_names_every_difference(node: Runtime, pod: Pod, inside: Shown) -> None:
    """The reference does not look at routes."""
    routes = [{"dst": "10.9.0.0/16", "gw": "10.1.2.1"}]
    config = dummy(ipam=fixed(node, "10.1.2.3/24", routes=routes))
    result = node.add(config, pod)
    inside.run("ip route del 10.9.0.0/16 && ip addr add 10.1.2.4/24 dev eth0")
    message = node.difference(config, pod, result)
    assert message.endswith("route 10.9.0.0/16 via 10.1.2.1 is missing")
    inside.run("ip link set eth0 down")
    assert "it is down" in node.difference(config, pod, result)


@vm
@pytest.mark.parametrize("ipam", [NO_ADDRESSES, {"routes": REFUSED_ROUTES}], ids=["ipam", "route"])
def test_a_failure_leaves_no_link_and_no_address(ipam: dict[str, Any], node: Runtime, pod: Pod, inside: Shown) -> None:
    """BUG of the reference: the link stays."""
    wanted = {**fixed(node, "10.1.2.3/24"), **ipam} if "routes" in ipam else ipam
    assert node.ask("ADD", dummy(ipam=wanted), pod).status == 1
    assert inside.links() == set()
    node.add(dummy(ipam=fixed(node, "10.1.2.3/24")), pod)


@pytest.mark.parametrize("ipam", [{}, None, {"type": ""}], ids=str)
def test_without_ipam_it_is_refused(ipam: dict[str, Any] | None, node: Runtime, pod: Pod, inside: Shown) -> None:
    for verb in ("ADD", "STATUS"):
        message = node.ask(verb, dummy(ipam=ipam), pod if verb == "ADD" else None).failed(7)
        assert message.startswith("ipam.type: it is missing")
    assert inside.links() == set()


@pytest.mark.parametrize("path", [None, "", "/nonexistent"])
def test_delete_of_what_was_never_added_succeeds(path: str | None, node: Runtime, pod: Pod, inside: Shown) -> None:
    inside.run("ip link add eth0 type veth peer name other")
    for config in (dummy(), dummy(ipam=pools(node, SUBNET))):
        node.delete(config, pod, **({} if path is None else {"CNI_NETNS": path}))
    assert inside.links() == {"eth0", "other"}
