"""VLANs of bridges: what pyroute2 reads in our messages, and what we read in the kernel's."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from cni_multus.linux.bridgevlans import (
    LAST,
    NATIVE,
    UNTAGGED,
    _vlans,
    filtering_message,
    join_message,
    leave_message,
    list_vlans,
    written,
)
from cni_multus.linux.codec import attribute, split_messages
from cni_multus.linux.links import add_bridge, add_veth, find_link_by_index

if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

AF_BRIDGE, SETLINK, DELLINK = 7, 19, 17
RANGE_BEGIN, RANGE_END = 8, 16
VLANS = st.dictionaries(st.integers(1, LAST), st.sampled_from([0, UNTAGGED]), min_size=1, max_size=40)


def infos(message: bytes) -> list[tuple[int, int]]:
    """(flags, VLAN) of each attribute, as pyroute2 reads them."""
    read: Any = ifinfmsg(message)
    read.decode()
    assert (read["family"], read["index"]) == (AF_BRIDGE, 7)
    return [(info["flags"], info["vid"]) for _, info in read.get_attr("IFLA_AF_SPEC")["attrs"]]


def kind_of(message: bytes) -> int:
    return int.from_bytes(message[4:6], "little")


def test_vlans_that_follow_each_other_are_told_as_ranges() -> None:
    message = join_message(7, {100: NATIVE, 5: 0, **dict.fromkeys(range(200, 211), 0), 211: UNTAGGED})
    assert kind_of(message) == SETLINK
    assert infos(message) == [(0, 5), (NATIVE, 100), (RANGE_BEGIN, 200), (RANGE_END, 210), (UNTAGGED, 211)]


def test_the_native_vlan_parts_a_range() -> None:
    message = join_message(7, {99: 0, 100: NATIVE, 101: 0})
    assert infos(message) == [(0, 99), (NATIVE, 100), (0, 101)]


def test_a_port_leaves_all_vlans_by_one_message() -> None:
    assert kind_of(leave_message(7)) == DELLINK
    assert infos(leave_message(7)) == [(RANGE_BEGIN, 1), (RANGE_END, LAST)]


@given(VLANS)
def test_what_is_told_is_what_is_read(vlans: dict[int, int]) -> None:
    [(_, _, _, body)] = split_messages(join_message(7, vlans))
    told = body[16 + 4 :]
    assert dict(_vlans(told)) == vlans


def test_what_else_a_port_tells_is_passed_over() -> None:
    mode = attribute(1, struct.pack("=H", 3)) + attribute(4, b"\x01\x02\x03\x04\x05")
    assert dict(_vlans(mode + attribute(2, struct.pack("=HH", NATIVE, 9)) + mode)) == {9: NATIVE}


@pytest.mark.parametrize("told", [b"\x03\x00\x02\x00", b"\xff\x00\x02\x00\x00\x00\x00\x00"])
def test_bytes_that_no_kernel_would_send(told: bytes) -> None:
    with pytest.raises(ValueError, match="VLAN attribute"):
        dict(_vlans(told))


def test_the_switch_of_a_bridge() -> None:
    read: Any = ifinfmsg(filtering_message(7, True))
    read.decode()
    info = read.get_attr("IFLA_LINKINFO")
    assert info.get_attr("IFLA_INFO_KIND") == "bridge"
    assert info.get_attr("IFLA_INFO_DATA").get_attr("IFLA_BR_VLAN_FILTERING") == 1


@pytest.mark.parametrize(("vlans", "words"), [({1}, "1"), ({1, 3, 4, 5, 100}, "1, 3-5, 100"), (set(), "")])
def test_vlans_for_people(vlans: set[int], words: str) -> None:
    assert written(vlans) == words


def test_a_bridge_without_vlans_has_none(host: Namespace) -> None:
    add_bridge(host, "br0")
    assert 100 not in {vlan for vlans in list_vlans(host).values() for vlan in vlans}


@pytest.mark.vm
def test_the_kernel_has_what_it_was_told(host: Namespace, container: Namespace) -> None:
    bridge = add_bridge(host, "br0", vlan_filtering=True)
    port = add_veth(host, "veth1", master=bridge.index, peer="eth0", peer_namespace=container)
    assert list_vlans(host) == {bridge.index: {1: NATIVE}, port.index: {1: NATIVE}}
    wanted = {100: NATIVE, **dict.fromkeys(range(200, LAST + 1), 0), 7: UNTAGGED}
    for message in (leave_message(port.index), leave_message(port.index), join_message(port.index, wanted)):
        host.netlink.request(message, "cannot change VLANs")
    assert list_vlans(host)[port.index] == wanted
    for on in (False, True):
        host.netlink.request(filtering_message(bridge.index, on), "cannot switch")
        found = find_link_by_index(host, bridge.index)
        assert found is not None
        assert found.data["vlan_filtering"] == on
