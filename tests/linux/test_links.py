"""Links in real namespaces: what our messages made of them, as pyroute2 reads it."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux import links
from cni_multus.linux.codec import attribute, u32
from cni_multus.linux.linkdata import macvlan_data
from cni_multus.linux.linkinfo import IFF_PROMISC, IFF_UP
from cni_multus.linux.links import (
    add_bridge,
    add_child_link,
    add_veth,
    change_link,
    find_link,
    find_link_by_index,
    link,
    list_links,
    random_mac,
    random_veth_name,
    remove_group,
    remove_link,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.linux.linkinfo import Link
    from cni_multus.linux.netns import Namespace

    Kernel = Callable[[Namespace | str], Any]

MAC = "02:00:5e:10:00:01"
OTHER_MAC = "02:00:5e:10:00:02"
BRIDGE_MODE = 4
GROUP = 4711


def names(ns: Namespace) -> set[str]:
    return {each.name for each in list_links(ns)} - {"lo"}


def a_pair(host: Namespace, container: Namespace, name: str = "eth0", group: int = 0) -> Link:
    return add_veth(host, random_veth_name(), peer=name, peer_namespace=container, peer_group=group)


def add_macvlan(host: Namespace, *, mode: int = BRIDGE_MODE, bc_queue_len: int = 0, **more: Any) -> Link:
    return add_child_link(host, "macvlan", macvlan_data(mode, bc_queue_len), **more)


def test_a_bridge_is_made_whole(host: Namespace, kernel: Kernel) -> None:
    made = add_bridge(host, "br0", mac=MAC, mtu=1400, promisc=True)
    [seen] = kernel(host).get_links(ifname="br0")
    assert (seen.get(("linkinfo", "kind")), seen["index"], seen.get("mtu"), seen.get("address")) == (
        "bridge",
        made.index,
        1400,
        MAC,
    )
    assert seen["flags"] & (IFF_UP | IFF_PROMISC) == IFF_UP | IFF_PROMISC
    assert (made.name, made.kind, made.mac, made.mtu, made.up) == ("br0", "bridge", MAC, 1400, True)
    assert made.data["vlan_filtering"] == 0


def test_a_bridge_may_stay_down(host: Namespace) -> None:
    made = add_bridge(host, "br0", up=False)
    assert not made.up
    assert not made.flags & IFF_PROMISC


def test_a_bridge_that_exists(host: Namespace) -> None:
    add_bridge(host, "br0")
    with pytest.raises(NetlinkFailure, match=r"^cannot add bridge br0: File exists") as failure:
        add_bridge(host, "br0")
    assert failure.value.errno == errno.EEXIST


def test_a_pair_is_made_in_one_message(host: Namespace, container: Namespace, kernel: Kernel) -> None:
    bridge = add_bridge(host, "br0")
    made = add_veth(
        host,
        "veth1",
        master=bridge.index,
        mtu=1400,
        mac=MAC,
        peer="eth0",
        peer_mac=OTHER_MAC,
        peer_namespace=container,
        peer_group=GROUP,
    )
    [port] = kernel(host).get_links(ifname="veth1")
    [peer] = kernel(container).get_links(ifname="eth0")
    assert (port.get("master"), port.get("mtu"), port.get("address"), port["state"]) == (bridge.index, 1400, MAC, "up")
    assert (peer.get("group"), peer.get("mtu"), peer.get("address"), peer["state"]) == (GROUP, 1400, OTHER_MAC, "down")
    assert (made.index, made.parent) == (port["index"], peer["index"])
    assert made.parent_nsid is not None
    assert not made.running
    change_link(container, made.parent, up=True)
    assert link(host, "veth1").running


def test_a_pair_may_lie_in_one_namespace(host: Namespace) -> None:
    made = add_veth(host, "veth1", peer="veth2", peer_namespace=host, up=False)
    assert (made.up, made.parent, made.parent_nsid) == (False, link(host, "veth2").index, None)


@pytest.mark.parametrize(("name", "peer", "taken"), [("veth1", "eth0", "container"), ("taken", "eth1", "host")])
def test_a_pair_whose_name_is_taken(host: Namespace, container: Namespace, name: str, peer: str, taken: str) -> None:
    add_veth(host, "taken", peer="eth0", peer_namespace=container)
    before = names(host), names(container)
    with pytest.raises(NetlinkFailure, match=f"/{taken} already has a link named {peer if peer == 'eth0' else name}$"):
        add_veth(host, name, peer=peer, peer_namespace=container)
    assert (names(host), names(container)) == before


@pytest.mark.parametrize(("mode", "known_as"), [(1, "private"), (2, "vepa"), (4, "bridge"), (8, "passthru")])
def test_a_macvlan(host: Namespace, container: Namespace, kernel: Kernel, mode: int, known_as: str) -> None:
    parent = a_pair(host, container)
    made = add_macvlan(
        host, parent=parent.index, name="net1", mode=mode, namespace=container, mtu=1300, group=GROUP, bc_queue_len=77
    )
    [seen] = kernel(container).get_links(ifname="net1")
    assert seen.get(("linkinfo", "data", "macvlan_mode")) == known_as
    assert (seen["index"], seen.get("address")) == (made.index, made.mac)
    assert (seen.get("mtu"), seen.get("group"), seen["state"]) == (1300, GROUP, "down")
    assert (made.kind, made.data["mode"], made.data["bc_queue_len"]) == ("macvlan", mode, 77)
    assert (made.parent, made.group) == (parent.index, GROUP)


def test_a_macvlan_with_a_mac(host: Namespace, container: Namespace) -> None:
    parent = a_pair(host, container)
    made = add_macvlan(host, parent=parent.index, name="net1", mode=BRIDGE_MODE, namespace=container, mac=MAC)
    assert made.mac == MAC == link(container, "net1").mac


def test_a_macvlan_over_a_link_of_the_container(container: Namespace, kernel: Kernel) -> None:
    parent = add_veth(container, "eth0", peer="eth1", peer_namespace=container)
    add_macvlan(container, parent=parent.index, name="net1", mode=BRIDGE_MODE, namespace=container)
    assert kernel(container).link_lookup(ifname="net1")


def test_a_name_that_the_host_has_too_is_no_hindrance(host: Namespace, container: Namespace) -> None:
    parent = add_veth(host, "eth0", peer="eth1", peer_namespace=host)
    made = add_macvlan(host, parent=parent.index, name="eth0", mode=BRIDGE_MODE, namespace=container)
    assert (made.kind, names(container), names(host)) == ("macvlan", {"eth0"}, {"eth0", "eth1"})


def test_a_name_that_the_container_has(host: Namespace, container: Namespace) -> None:
    parent = a_pair(host, container, "net1")
    with pytest.raises(NetlinkFailure, match=r"^cannot add macvlan net1 on ens5: .*/container already has") as failure:
        add_macvlan(host, parent=parent.index, name="net1", mode=BRIDGE_MODE, namespace=container, parent_name="ens5")
    assert failure.value.errno == errno.EEXIST
    assert names(container) == {"net1"}


def test_a_parent_that_is_gone(host: Namespace, container: Namespace) -> None:
    with pytest.raises(NetlinkFailure, match=r"^cannot add macvlan net1 on link 999: No such device$") as failure:
        add_macvlan(host, parent=999, name="net1", mode=BRIDGE_MODE, namespace=container)
    assert failure.value.errno == errno.ENODEV


def test_an_mtu_that_the_kernel_refuses(host: Namespace, container: Namespace) -> None:
    parent = a_pair(host, container)
    with pytest.raises(NetlinkFailure, match="Invalid argument: mtu greater than device maximum"):
        add_macvlan(host, parent=parent.index, name="net1", mode=BRIDGE_MODE, namespace=container, mtu=70_000)


def test_a_second_macvlan_beside_one_in_passthru_mode(host: Namespace, container: Namespace) -> None:
    parent = a_pair(host, container)
    add_macvlan(host, parent=parent.index, name="net1", mode=8, namespace=container)
    with pytest.raises(NetlinkFailure, match="cannot add macvlan net2"):
        add_macvlan(host, parent=parent.index, name="net2", mode=BRIDGE_MODE, namespace=container)
    assert names(container) == {"eth0", "net1"}


@pytest.mark.parametrize("name", ["net%d", ""])
def test_a_name_that_the_kernel_would_choose(host: Namespace, container: Namespace, name: str) -> None:
    with pytest.raises(NetlinkFailure, match="is not a name for a link"):
        add_child_link(host, "ifb", b"", parent=0, name=name, namespace=container)
    assert names(container) == set()


def test_a_link_of_any_kind(host: Namespace, container: Namespace, kernel: Kernel) -> None:
    made = add_child_link(host, "ifb", b"", parent=0, name="ifb7", namespace=container, mac=MAC, group=GROUP)
    [seen] = kernel(container).get_links(ifname="ifb7")
    assert (seen.get(("linkinfo", "kind")), seen.get("group"), made.mac) == ("ifb", GROUP, MAC)


def test_links_of_one_kind_are_listed_alone(host: Namespace) -> None:
    add_bridge(host, "br0")
    add_veth(host, "veth0", peer="veth1", peer_namespace=host)
    assert [each.name for each in links.list_links(host, "bridge")] == ["br0"]
    assert {each.name for each in links.list_links(host, "nothing-known")} == {"lo", "br0", "veth0", "veth1"}


def test_a_kind_that_the_kernel_lacks(host: Namespace, container: Namespace) -> None:
    with pytest.raises(NetlinkFailure, match=r"cannot add nonsense net1: Operation not supported.*Unknown device type"):
        add_child_link(host, "nonsense", b"", parent=0, name="net1", namespace=container)


def test_a_new_link_gets_its_name(host: Namespace, container: Namespace) -> None:
    made = a_pair(host, container, "temporary")
    links.rename_new_link(container, "temporary", "net1", "cannot add it")
    assert link(container, "net1").index == made.parent


def test_a_new_link_that_cannot_have_its_name_is_taken_away(host: Namespace, container: Namespace) -> None:
    a_pair(host, container, "net1")
    a_pair(host, container, "temporary")
    with pytest.raises(NetlinkFailure, match=r"^cannot add it: File exists"):
        links.rename_new_link(container, "temporary", "net1", "cannot add it")
    assert names(container) == {"net1"}


def test_a_link_is_found_by_its_names(host: Namespace, kernel: Kernel) -> None:
    made = add_bridge(host, "br0")
    long = "a-name-that-is-longer-than-fifteen-bytes"
    kernel(host).link("property_add", index=made.index, altname=["short", long])
    for name in ("br0", "short", long):
        found = find_link(host, name)
        assert found is not None
        assert (found.index, found.name) == (made.index, "br0")
    by_index = find_link_by_index(host, made.index)
    assert by_index is not None
    assert by_index.name == "br0"


@pytest.mark.parametrize("name", ["absent", "a-name-that-is-longer-than-fifteen-bytes", "x" * 200, "", "ü" * 7])
def test_a_name_that_no_link_has(host: Namespace, name: str) -> None:
    assert find_link(host, name) is None
    with pytest.raises(NetlinkFailure, match=f"^no link named {name} in .*/host$") as failure:
        link(host, name)
    assert failure.value.errno == errno.ENODEV


@pytest.mark.parametrize("index", [999, 0, -1])
def test_an_index_that_no_link_has(host: Namespace, index: int) -> None:
    assert find_link_by_index(host, index) is None


def test_every_link_is_listed(host: Namespace, kernel: Kernel) -> None:
    for number in range(60):
        add_bridge(host, f"br{number}", up=False)
    seen = {(each["index"], each.get("ifname"), each.get("address")) for each in kernel(host).get_links()}
    assert {(each.index, each.name, each.mac) for each in list_links(host)} == seen
    assert len(seen) == 61


def test_a_link_is_changed_in_one_message(host: Namespace, kernel: Kernel) -> None:
    bridge = add_bridge(host, "br0")
    made = add_veth(host, "veth1", peer="veth2", peer_namespace=host, up=False)
    change_link(
        host, made.index, up=True, mtu=1400, mac=MAC, master=bridge.index, promisc=True, name="port", group=GROUP
    )
    [seen] = kernel(host).get_links(ifname="port")
    assert (seen["index"], seen.get("mtu"), seen.get("address")) == (made.index, 1400, MAC)
    assert (seen.get("master"), seen.get("group"), seen["state"]) == (bridge.index, GROUP, "up")
    assert seen["flags"] & IFF_PROMISC
    change_link(host, made.index, up=False, master=0, promisc=False, group=0)
    [seen] = kernel(host).get_links(ifname="port")
    assert (seen.get("master"), seen.get("group"), seen["state"]) == (None, 0, "down")
    assert not seen["flags"] & IFF_PROMISC


def test_a_change_that_is_refused_says_what_was_tried(host: Namespace) -> None:
    with pytest.raises(NetlinkFailure, match=r"^cannot enslave it: No such device"):
        change_link(host, 999, master=1, attempt="cannot enslave it")
    with pytest.raises(NetlinkFailure, match=r"^cannot change link 999 in .*/host: No such device"):
        change_link(host, 999, up=True)


def test_a_link_is_removed_once(host: Namespace) -> None:
    index = add_bridge(host, "br0").index
    assert remove_link(host, "br0")
    assert not remove_link(host, "br0")
    assert not remove_link(host, index)
    assert not remove_link(host, "a-name-that-is-longer-than-fifteen-bytes")


def test_a_link_that_cannot_be_removed(host: Namespace) -> None:
    with pytest.raises(NetlinkFailure, match=r"^cannot remove link lo from .*/host: Operation not supported"):
        remove_link(host, "lo")


def test_a_group_is_removed_at_once(host: Namespace, container: Namespace) -> None:
    parent = a_pair(host, container, "eth0", group=GROUP)
    a_pair(host, container, "stays")
    for number in range(3):
        add_macvlan(host, parent=parent.index, name=f"net{number}", mode=BRIDGE_MODE, namespace=container, group=GROUP)
    assert remove_group(container, GROUP)
    assert names(container) == {"stays"}
    assert not remove_group(container, GROUP)


def test_a_group_with_a_link_that_cannot_go(host: Namespace, container: Namespace) -> None:
    """The kernel refuses the whole group for one physical link in it: the others go one by one."""
    a_pair(host, container, "net1", group=GROUP)
    a_pair(host, container, "net2", group=GROUP)
    a_pair(host, container, "net3")
    a_pair(host, container, "stays")
    change_link(container, link(container, "lo").index, group=GROUP)
    assert remove_group(container, GROUP, ["net3", "absent", "lo"])
    assert names(container) == {"stays"}
    assert not remove_group(container, GROUP)


def test_group_zero_is_everybodys(host: Namespace, container: Namespace) -> None:
    a_pair(host, container, "net1")
    a_pair(host, container, "stays")
    assert remove_group(container, 0, ["net1"])
    assert not remove_group(container, 0)
    assert names(container) == {"stays"}


def test_random_names_and_addresses() -> None:
    macs = {random_mac() for _ in range(100)}
    assert len(macs) == 100
    assert all(int(mac[:2], 16) & 3 == 2 and len(mac) == 17 for mac in macs)
    made = random_veth_name()
    assert made.startswith("veth")
    assert len(made) == 12
    assert int(made[4:], 16) >= 0


def test_what_exists_already_need_not_be_a_name(container: Namespace) -> None:
    """EEXIST may mean a second vxlan of one number: it is passed on, and nothing is left of the attempts."""
    number = attribute(1, u32(42))
    add_child_link(container, "vxlan", number, parent=0, name="net1", namespace=container)
    with pytest.raises(NetlinkFailure, match=r"^cannot add vxlan net2: File exists") as failure:
        add_child_link(container, "vxlan", number, parent=0, name="net2", namespace=container)
    assert failure.value.errno == errno.EEXIST
    assert names(container) == {"net1"}
