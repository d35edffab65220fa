"""The codec, message by message, against pyroute2's; and what it makes of bytes that no kernel would send."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from cni_multus.linux import addresses, bridges, codec, linkinfo, links, linktable, netlink, routes

if TYPE_CHECKING:
    from collections.abc import Callable

# What an interface may be called, without what pyroute2 cannot write (it speaks UTF-8 only).
NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_characters="/:%"), min_size=1, max_size=15)
NAMES = NAMES.filter(lambda name: len(name.encode()) <= 15)
INDEXES = st.integers(1, 2**31 - 1)
U32 = st.integers(1, 2**32 - 1)
MACS = st.binary(min_size=6, max_size=6).map(lambda octets: octets.hex(":"))
V4 = st.binary(min_size=4, max_size=4)
V6 = st.binary(min_size=16, max_size=16)
PACKED = V4 | V6


def decoded(kind: Callable[[bytes], Any], message: bytes) -> Any:
    """What pyroute2 reads in our message."""
    read = kind(message)
    read.decode()
    assert read["header"]["length"] == len(message)
    return read


def body_of(message: Any, fields: dict[str, Any], attributes: list[tuple[str, Any]]) -> bytes:
    """The body of a message that pyroute2 wrote."""
    for name, value in fields.items():
        message[name] = value
    message["attrs"] = attributes
    message.encode()
    [(_, _, _, body)] = codec.split_messages(bytes(message.data))
    return body


def text_of(packed: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


@given(st.dictionaries(st.integers(0, 0x3FFF), st.binary(max_size=300), max_size=20))
def test_attributes_survive_the_round_trip(pairs: dict[int, bytes]) -> None:
    assert codec.parse_attributes(codec.attributes(*pairs.items())) == pairs
    inside = codec.parse_attributes(codec.nested(18, codec.attributes(*pairs.items())))
    assert codec.parse_attributes(inside[18]) == pairs


@given(st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1), NAMES)
def test_values_survive_the_round_trip(unsigned: int, signed: int, name: str) -> None:
    assert codec.number(codec.u32(unsigned)) == unsigned
    assert codec.number(codec.u16(unsigned & 0xFFFF)) == unsigned & 0xFFFF
    assert codec.number(codec.u8(unsigned & 0xFF)) == unsigned & 0xFF
    assert codec.signed(codec.s32(signed)) == signed
    assert codec.text(codec.string(name)) == name


@given(st.binary(max_size=15).filter(lambda name: b"\0" not in name))
def test_names_that_are_no_text_survive_the_round_trip(name: bytes) -> None:
    assert codec.string(codec.text(name)) == name + b"\0"


@given(INDEXES, st.booleans() | st.none(), st.booleans() | st.none(), U32)
def test_a_change_of_what_a_link_hears_and_holds(
    index: int, promisc: bool | None, allmulti: bool | None, txqlen: int
) -> None:
    read = decoded(ifinfmsg, linktable.change_message(index, promisc=promisc, allmulti=allmulti, txqlen=txqlen))
    assert (read["index"], dict(read["attrs"])) == (index, {"IFLA_TXQLEN": txqlen})
    assert read["flags"] == bool(promisc) * 0x100 + bool(allmulti) * 0x200
    assert read["change"] == (promisc is not None) * 0x100 + (allmulti is not None) * 0x200


@given(
    INDEXES,
    NAMES,
    MACS,
    st.integers(68, 65535),
    st.integers(0, 2**31 - 1),
    U32,
    st.booleans() | st.none(),
    st.booleans() | st.none(),
)
def test_a_change_of_a_link(
    index: int, name: str, mac: str, mtu: int, master: int, group: int, up: bool | None, promisc: bool | None
) -> None:
    message = linktable.change_message(
        index, name=name, mac=mac, mtu=mtu, master=master, group=group, up=up, promisc=promisc
    )
    read = decoded(ifinfmsg, message)
    assert read["index"] == index
    assert read["flags"] == bool(up) * 1 + bool(promisc) * 0x100
    assert read["change"] == (up is not None) * 1 + (promisc is not None) * 0x100
    assert dict(read["attrs"]) == {
        "IFLA_IFNAME": name,
        "IFLA_ADDRESS": mac,
        "IFLA_MTU": mtu,
        "IFLA_MASTER": master,
        "IFLA_GROUP": group,
    }


@given(st.sampled_from([1, 2, 4, 8]), U32)
def test_the_settings_of_a_macvlan(mode: int, queue: int) -> None:
    data = codec.attributes((linkinfo.IFLA_MACVLAN_MODE, codec.u32(mode)), (7, codec.u32(queue)))
    read = decoded(
        ifinfmsg, codec.message(16, 0, linkinfo.IFINFOMSG.pack(0, 0, 0, 0, 0) + links._linkinfo("macvlan", data))
    )
    info = read.get_attr("IFLA_LINKINFO")
    names = {1: "private", 2: "vepa", 4: "bridge", 8: "passthru"}
    assert info.get_attr("IFLA_INFO_KIND") == "macvlan"
    assert info.get_attr("IFLA_INFO_DATA").get_attr("IFLA_MACVLAN_MODE") == names[mode]


@given(INDEXES, NAMES, MACS, st.integers(0, 65535), st.integers(0, 6), INDEXES, INDEXES, st.integers(-1, 9), U32)
def test_a_link_that_pyroute2_wrote(
    index: int, name: str, mac: str, mtu: int, operstate: int, master: int, parent: int, nsid: int, group: int
) -> None:
    body = body_of(
        ifinfmsg(),
        {"index": index, "flags": 0x1003},
        [
            ("IFLA_IFNAME", name),
            ("IFLA_ADDRESS", mac),
            ("IFLA_MTU", mtu),
            ("IFLA_OPERSTATE", linkinfo_state(operstate)),
            ("IFLA_MASTER", master),
            ("IFLA_LINK", parent),
            ("IFLA_LINK_NETNSID", nsid),
            ("IFLA_GROUP", group),
            ("IFLA_PROMISCUITY", 2),
            ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "veth")]}),
        ],
    )
    link = linkinfo.decode_link(body)
    assert (link.index, link.name, link.mac, link.mtu, link.kind) == (index, name, mac, mtu, "veth")
    assert (link.master, link.parent, link.parent_nsid, link.group) == (master, parent, nsid, group)
    assert (link.up, link.running, link.operstate, link.promiscuity) == (True, operstate == 6, operstate, 2)


def linkinfo_state(number: int) -> str:
    return ("UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP")[number]


@pytest.mark.parametrize(
    ("kind", "written", "data"),
    [
        ("macvlan", [("IFLA_MACVLAN_MODE", "bridge")], {"mode": 4}),
        ("bridge", [("IFLA_BR_VLAN_FILTERING", 1), ("IFLA_BR_STP_STATE", 0)], {"vlan_filtering": 1, "stp_state": 0}),
        ("ifb", [], {}),
    ],
)
def test_the_settings_of_each_kind(kind: str, written: list[tuple[str, Any]], data: dict[str, int]) -> None:
    info: list[tuple[str, Any]] = [("IFLA_INFO_KIND", kind)]
    if written:
        info.append(("IFLA_INFO_DATA", {"attrs": written}))
    link = linkinfo.decode_link(body_of(ifinfmsg(), {"index": 1}, [("IFLA_LINKINFO", {"attrs": info})]))
    assert (link.kind, link.data) == (kind, data)


@given(INDEXES, st.booleans(), st.booleans())
def test_the_settings_of_a_port(index: int, hairpin: bool, isolated: bool) -> None:
    read = decoded(ifinfmsg, bridges.port_message(index, hairpin=hairpin, isolated=isolated))
    assert (read["family"], read["index"]) == (7, index)
    settings = dict(read.get_attr("IFLA_PROTINFO")["attrs"])
    assert settings == {"IFLA_BRPORT_MODE": hairpin, "IFLA_BRPORT_ISOLATED": isolated}


@given(INDEXES, PACKED, st.integers(0, 32), st.integers(0, 255), st.booleans())
def test_an_address(index: int, packed: bytes, prefix: int, scope: int, nodad: bool) -> None:
    read = decoded(ifaddrmsg, addresses.add_address_message(index, packed, prefix, nodad=nodad, scope=scope))
    four = len(packed) == 4
    assert read["header"]["flags"] == 0x605
    assert (read["index"], read["prefixlen"], read["scope"]) == (index, prefix, scope)
    assert read["family"] == (socket.AF_INET if four else socket.AF_INET6)
    assert read.get_attr("IFA_LOCAL") == read.get_attr("IFA_ADDRESS") == text_of(packed)
    assert bool(read.get_attr("IFA_BROADCAST")) == (four and prefix < 31)
    assert (read.get_attr("IFA_FLAGS") or 0) == (2 if nodad and not four else 0)


@pytest.mark.parametrize(
    ("prefix", "broadcast"), [(24, "10.1.2.255"), (8, "10.255.255.255"), (30, "10.1.2.7"), (31, None), (32, None)]
)
def test_the_broadcast_address(prefix: int, broadcast: str | None) -> None:
    message = addresses.add_address_message(1, bytes([10, 1, 2, 5]), prefix)
    assert decoded(ifaddrmsg, message).get_attr("IFA_BROADCAST") == broadcast


@given(INDEXES, PACKED, st.integers(0, 32), st.integers(0, 0xFFF))
def test_an_address_that_pyroute2_wrote(index: int, packed: bytes, prefix: int, flags: int) -> None:
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    fields = {"index": index, "prefixlen": prefix, "family": family, "flags": flags & 0xFF, "scope": 253}
    written = [("IFA_ADDRESS", text_of(packed)), ("IFA_FLAGS", flags)]
    address = addresses.decode_address(body_of(ifaddrmsg(), fields, written))
    assert (address.packed, address.prefix, address.index) == (packed, prefix, index)
    assert (address.scope, address.flags, address.family) == (253, flags, 4 if len(packed) == 4 else 6)
    assert address.tentative == bool(flags & 0x40)
    assert address.dadfailed == bool(flags & 0x08)
    assert address.permanent == bool(flags & 0x80)
    assert str(address) == f"{text_of(packed)}/{prefix}"


@given(
    st.sampled_from([V4, V6]).flatmap(lambda family: st.tuples(family, family, family)),
    st.integers(1, 32),
    INDEXES,
    st.integers(1, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 65535),
    st.booleans(),
)
def test_a_route(
    packed: tuple[bytes, bytes, bytes], prefix: int, index: int, table: int, priority: int, mtu: int, onlink: bool
) -> None:
    dst, gateway, source = packed
    family = 4 if len(dst) == 4 else 6
    route = routes.Route(
        family, dst, prefix, gateway, source=source, table=table, priority=priority, mtu=mtu, advmss=mtu, onlink=onlink
    )
    read = decoded(rtmsg, routes.route_message(route, index))
    assert (read["dst_len"], read["proto"], read["type"], read["scope"]) == (prefix, 4, 1, 0)
    assert read["flags"] == (4 if onlink else 0)
    assert read.get_attr("RTA_DST") == text_of(dst)
    assert read.get_attr("RTA_GATEWAY") == text_of(gateway)
    assert read.get_attr("RTA_PREFSRC") == text_of(source)
    assert (read.get_attr("RTA_OIF"), read.get_attr("RTA_TABLE")) == (index, table)
    assert (read.get_attr("RTA_PRIORITY") or 0) == priority
    metrics = dict(read.get_attr("RTA_METRICS")["attrs"]) if mtu else {}
    assert metrics == ({"RTAX_MTU": mtu, "RTAX_ADVMSS": mtu} if mtu else {})


@given(
    st.sampled_from([V4, V6]).flatmap(lambda family: st.tuples(family, family, family)),
    st.integers(1, 32),
    INDEXES,
    st.integers(1, 2**32 - 1),
    U32,
    st.integers(1, 65535),
)
def test_a_route_that_pyroute2_wrote(
    packed: tuple[bytes, bytes, bytes], prefix: int, index: int, table: int, priority: int, mtu: int
) -> None:
    dst, gateway, source = map(text_of, packed)
    family = socket.AF_INET if len(packed[0]) == 4 else socket.AF_INET6
    fields = {"family": family, "dst_len": prefix, "proto": 3, "scope": 253, "type": 1, "flags": 4, "table": 252}
    written = [
        ("RTA_DST", dst),
        ("RTA_GATEWAY", gateway),
        ("RTA_PREFSRC", source),
        ("RTA_OIF", index),
        ("RTA_TABLE", table),
        ("RTA_PRIORITY", priority),
        ("RTA_METRICS", {"attrs": [("RTAX_MTU", mtu), ("RTAX_ADVMSS", mtu)]}),
        ("RTA_MULTIPATH", [{"oif": 7, "attrs": [("RTA_GATEWAY", gateway)]}, {"oif": 8, "attrs": []}]),
    ]
    route = routes.decode_route(body_of(rtmsg(), fields, written))
    assert (route.dst, route.gateway, route.source) == packed
    assert (route.prefix, route.index, route.table, route.priority) == (prefix, index, table, priority)
    assert (route.protocol, route.scope, route.type, route.onlink) == (3, 253, 1, True)
    assert (route.mtu, route.advmss) == (mtu, mtu)
    assert route.multipath == ((7, packed[1]), (8, b""))
    assert route.leaves_by(index)
    assert route.leaves_by(8)
    assert not route.leaves_by(9 if index != 9 else 10)


@given(V4, V6)
def test_an_ipv4_route_via_an_ipv6_gateway(dst: bytes, gateway: bytes) -> None:
    message = routes.add_route_message(3, 4, dst, 32, gateway)
    via = decoded(rtmsg, message).get_attr("RTA_VIA")
    assert via == {"family": socket.AF_INET6, "addr": text_of(gateway)}
    [(_, _, _, body)] = codec.split_messages(message)
    assert routes.decode_route(body).gateway == gateway


@given(PACKED, INDEXES)
def test_a_neighbour(packed: bytes, index: int) -> None:
    from cni_multus.linux.neighbours import remove_neighbour_message

    read = decoded(ndmsg, remove_neighbour_message(index, packed))
    assert (read["ifindex"], read.get_attr("NDA_DST")) == (index, text_of(packed))


PARSERS: list[Callable[[bytes], object]] = [
    codec.parse_attributes,
    lambda data: list(codec.split_messages(data)),
    linkinfo.decode_link,
    addresses.decode_address,
    routes.decode_route,
    lambda data: netlink.failure_of("attempt", data, 0, data),
    lambda data: netlink.failure_of("attempt", data, codec.NLM_F_CAPPED, data),
]


def lengths_that_look_right(data: bytes) -> bytes:
    """The same bytes cut into attributes, so that more than the first header is read."""
    return codec.attributes(*[(data[start] & 0x3F, data[start + 1 : start + 9]) for start in range(0, len(data), 9)])


@pytest.mark.parametrize("parse", PARSERS)
@given(data=st.binary(max_size=400), header=st.sampled_from([0, 8, 12, 16, 20]), regular=st.booleans())
def test_hostile_bytes_are_refused_in_one_way(
    parse: Callable[[bytes], object], data: bytes, header: int, regular: bool
) -> None:
    if regular:
        data = data[:header] + lengths_that_look_right(data[header:])
    try:
        parse(data)
    except ValueError:
        pass


@pytest.mark.parametrize("length", [0, 1, 3])
def test_an_attribute_without_a_length_does_not_loop(length: int) -> None:
    with pytest.raises(ValueError, match="netlink attribute of"):
        codec.parse_attributes(codec.u16(length) + b"\0" * 20)
    with pytest.raises(ValueError, match="netlink message of"):
        list(codec.split_messages(codec.u32(length) + b"\0" * 20))


def test_what_the_kernel_misses_is_told() -> None:
    said = codec.attributes((1, b"no such thing\0"), (2, codec.u32(40)), (5, codec.u32(7)))
    request = codec.message(16, 0, bytes(16) + codec.attributes((3, b"abc\0"), (9, b"")))
    for flags, echoed in ((codec.NLM_F_CAPPED, request[:16]), (0, request)):
        failure = netlink.failure_of("cannot try", request, flags, codec.s32(-22) + echoed + said)
        assert failure is not None
        assert failure.message == "cannot try: Invalid argument: no such thing"
        assert failure.details == "no such thing; offending attribute: type 9 at offset 40; missing attribute: type 7"
    assert netlink.failure_of("cannot try", request, 0, bytes(4) + request) is None
