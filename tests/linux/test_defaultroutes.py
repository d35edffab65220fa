"""Default routes in the kernel's own words: whatever those are, they are read, or refused with one error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import binary, dictionaries, sampled_from, tuples

from cni_multus.linux.addresses import AF_INET, AF_INET6
from cni_multus.linux.codec import attribute, split_messages
from cni_multus.linux.defaultroutes import DefaultRoute
from cni_multus.linux.routeinfo import RTMSG

HEADERS = tuples(sampled_from([AF_INET, AF_INET6]), sampled_from([0, 4, 0xFFFFFFFF])).map(
    lambda chosen: RTMSG.pack(chosen[0], 0, 0, 0, 254, 4, 0, 1, chosen[1])
)
ATTRIBUTES = dictionaries(sampled_from(range(32)), binary(max_size=24)).map(
    lambda found: b"".join(attribute(kind, value) for kind, value in found.items())
)


@given(tuples(HEADERS, ATTRIBUTES))
def test_any_attributes_are_read_or_refused(parts: tuple[bytes, bytes]) -> None:
    body = b"".join(parts)
    try:
        route = DefaultRoute(body)
    except ValueError:
        return
    for message in (*route.removals((7, b"")), route.restoral()):
        assert len(list(split_messages(message))) == 1
    assert str(route)


@given(binary(max_size=40))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        DefaultRoute(body)
    except ValueError:
        return


def test_what_the_kernel_does_not_take_back_is_left_out() -> None:
    header = RTMSG.pack(AF_INET6, 0, 0, 0, 254, 9, 0, 1, 0x11)
    expiring = attribute(12, b"\0" * 8 + (90061).to_bytes(4, "little") + b"\0" * 20)
    route = DefaultRoute(header + attribute(4, b"\x07\0\0\0") + attribute(25, b"1234") + expiring)
    [(_, _, _, body)] = split_messages(route.restoral())
    expected = RTMSG.pack(AF_INET6, 0, 0, 0, 254, 9, 0, 1, 0) + attribute(4, b"\x07\0\0\0")
    assert body == expected + attribute(23, (900).to_bytes(4, "little"))


@pytest.mark.parametrize("cut", [0, 11, 13])
def test_less_than_a_route_is_refused(cut: int) -> None:
    whole = RTMSG.pack(AF_INET, 0, 0, 0, 254, 4, 0, 1, 0) + attribute(4, b"\x07\0\0\0")
    if cut < RTMSG.size:
        with pytest.raises(ValueError, match="route message of"):
            DefaultRoute(whole[:cut])
    else:
        assert DefaultRoute(whole[:cut]).hops == ((0, b""),)
