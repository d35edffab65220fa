"""Links of Debian's kernel, which has kinds that the machine's own may lack, and is older than 6.14."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.codec import attribute, u16, u32
from cni_multus.linux.linkinfo import IFLA_IPVLAN_MODE, IFLA_MACVLAN_MODE, IFLA_VLAN_ID
from cni_multus.linux.links import add_bridge, add_child_link, list_links
from tests.node import links

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.linux.netns import Namespace

    Kernel = Callable[[Namespace | str], Any]

pytestmark = pytest.mark.vm

BRIDGE_MODE, L3S = 4, 2
ON_A_MASTER = {
    "ipvlan": attribute(IFLA_IPVLAN_MODE, u16(L3S)),
    "macvlan": attribute(IFLA_MACVLAN_MODE, u32(BRIDGE_MODE)),
    "vlan": attribute(IFLA_VLAN_ID, u16(77)),
}


@pytest.fixture
def master(host: Namespace) -> int:
    return add_child_link(host, "dummy", b"", parent=0, name="master", namespace=host).index


@pytest.mark.parametrize("kind", ON_A_MASTER)
def test_a_link_on_another(kind: str, host: Namespace, container: Namespace, kernel: Kernel, master: int) -> None:
    made = add_child_link(host, kind, ON_A_MASTER[kind], parent=master, name="net1", namespace=container)
    [seen] = kernel(container).get_links(ifname="net1")
    assert (seen["index"], seen.get(("linkinfo", "kind"))) == (made.index, kind)
    assert made.data == {**made.data, **{"ipvlan": {"mode": L3S}, "vlan": {"id": 77}}.get(kind, {})}


def test_a_link_on_none(host: Namespace, container: Namespace, kernel: Kernel) -> None:
    for kind in ("dummy", "vrf"):
        data = attribute(1, u32(1001)) if kind == "vrf" else b""
        add_child_link(host, kind, data, parent=0, name=f"{kind}7", namespace=container)
    assert links(container.path) == {"dummy7": "dummy", "vrf7": "vrf"}


@pytest.mark.parametrize("kind", ON_A_MASTER)
def test_a_name_that_the_node_has_too(kind: str, host: Namespace, container: Namespace, master: int) -> None:
    """This kernel refuses such a name at first, so that the link is made under another."""
    add_bridge(host, "eth0")
    made = add_child_link(host, kind, ON_A_MASTER[kind], parent=master, name="eth0", namespace=container)
    assert [(link.name, link.index) for link in list_links(container) if link.name != "lo"] == [("eth0", made.index)]
    assert links(host.path) == {"eth0": "bridge", "master": "dummy"}


def test_a_name_that_both_have_is_taken(host: Namespace, container: Namespace, master: int) -> None:
    for namespace in (host, container):
        add_bridge(namespace, "eth0")
    with pytest.raises(NetlinkFailure, match=r"already has a link named eth0"):
        add_child_link(host, "ipvlan", ON_A_MASTER["ipvlan"], parent=master, name="eth0", namespace=container)
    assert links(container.path) == {"eth0": "bridge"}
