"""The socket: every answer finds its question, whatever happens between them."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.errors import NetlinkFailure, TryAgainLater
from cni_multus.linux import codec
from cni_multus.linux.addresses import RTM_GETADDR, add_address_message, list_addresses, remove_address_message
from cni_multus.linux.links import add_bridge, change_message, find_link, list_links
from cni_multus.linux.netlink import Socket

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.linux.netns import Namespace

LOOPBACK = 1
MANY = 1000
EVERY_ADDRESS = codec.dump_request(RTM_GETADDR, bytes(8))


def address(number: int) -> bytes:
    return bytes([10, 0, number >> 8, number & 0xFF])


def fill(ns: Namespace) -> None:
    """More addresses than one datagram of a dump holds."""
    ns.netlink.batch([(add_address_message(LOOPBACK, address(each), 32), f"add {each}") for each in range(MANY)])


class Raced(Socket):
    """A socket on which, `races` times, the kernel's list changes after the first part of it was read."""

    __slots__ = ("change", "races")

    def __init__(self, races: int, change: Callable[[], None]) -> None:
        super().__init__()
        self.races = races
        self.change = change

    def _receive(self, attempt: str, passing: tuple[int, ...] = ()) -> list[tuple[int, int, int, bytes]]:
        received = super()._receive(attempt, passing)
        if self.races:
            self.races -= 1
            self.change()
        return received


def raced(ns: Namespace, races: int) -> Raced:
    """One whose address list gains and loses an address at each race."""
    passing = address(MANY)

    def change() -> None:
        ns.netlink.request(add_address_message(LOOPBACK, passing, 32), "add")
        ns.netlink.request(remove_address_message(LOOPBACK, passing, 32), "remove")

    with ns.inside():
        return Raced(races, change)


def test_an_interrupted_dump_is_read_again(container: Namespace) -> None:
    fill(container)
    socket_ = raced(container, races=3)
    assert len(socket_.dump(EVERY_ADDRESS)) == MANY
    assert socket_.races == 0
    socket_.close()


def test_a_list_that_never_stops_changing_is_not_believed(container: Namespace) -> None:
    fill(container)
    socket_ = raced(container, races=1_000_000)
    with pytest.raises(TryAgainLater, match="cannot list it: it changed while it was read, 20 times in a row"):
        socket_.dump(EVERY_ADDRESS, "cannot list it")
    socket_.takes_torn, socket_.was_torn = True, False  # as one who only looks
    assert abs(len(socket_.dump(EVERY_ADDRESS)) - MANY) <= 1
    assert socket_.was_torn
    socket_.races = 0
    assert len(socket_.dump(EVERY_ADDRESS)) == MANY
    socket_.close()


def test_a_batch_larger_than_a_datagram_arrives_whole(container: Namespace, kernel: Callable[..., Any]) -> None:
    fill(container)
    assert len(kernel(container).get_addr(family=socket.AF_INET)) == MANY
    assert {each.packed for each in list_addresses(container)} == {address(each) for each in range(MANY)}


def test_a_batch_raises_the_first_failure_after_trying_all(container: Namespace) -> None:
    taken = add_address_message(LOOPBACK, address(1), 32)
    batch = [
        (taken, "first"),
        (taken, "cannot do the second"),
        (change_message(999, up=True), "cannot do the third"),
        (add_address_message(LOOPBACK, address(2), 32), "fourth"),
    ]
    with pytest.raises(NetlinkFailure, match=r"^cannot do the second: File exists") as failure:
        container.netlink.batch(batch)
    assert failure.value.errno == errno.EEXIST
    assert [each.packed for each in list_addresses(container)] == [address(1), address(2)]
    # Nothing of it is left in the socket to answer the next question.
    assert find_link(container, "lo")


def test_the_kernels_words_and_the_attribute_reach_the_message(container: Namespace) -> None:
    with pytest.raises(NetlinkFailure) as failure:
        container.netlink.request(change_message(LOOPBACK, name="a" * 16), "cannot rename lo")
    assert failure.value.errno in (errno.ERANGE, errno.EINVAL)
    assert failure.value.message.startswith("cannot rename lo: Numerical result out of range: ")
    assert "offending attribute: type 3 at offset 32" in failure.value.details


def test_words_of_the_kernel_are_told_twice_for_people_and_for_machines(container: Namespace) -> None:
    with pytest.raises(NetlinkFailure) as failure:
        add_bridge(container, "br0", mtu=1_000_000)
    assert failure.value.message == "cannot add bridge br0: Invalid argument: mtu greater than device maximum"
    assert failure.value.details == "mtu greater than device maximum"
    assert (failure.value.code, failure.value.errno) == (100, errno.EINVAL)


def test_a_dump_that_is_refused_says_so(container: Namespace) -> None:
    nonsense = codec.dump_request(RTM_GETADDR, b"\0\x01\0\0\0\0\0\0")
    with pytest.raises(NetlinkFailure, match=r"cannot list: Invalid argument: .*header"):
        container.netlink.dump(nonsense, "cannot list")


def test_a_message_that_the_kernel_does_not_know(container: Namespace) -> None:
    with pytest.raises(NetlinkFailure, match="cannot try: Operation not supported"):
        container.netlink.request(codec.message(4000, 0, bytes(16)), "cannot try")


def test_only_the_kernel_is_listened_to(container: Namespace) -> None:
    """A privileged process in the container sends "no such device", numbered as the next answer will be."""
    with container.inside():
        forger = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    own = container.netlink
    refusal = codec.s32(-errno.ENODEV) + bytes(16)
    forged = codec.numbered(codec.message(codec.NLMSG_ERROR, 0, refusal), own._sequence + 1)
    with forger:
        forger.sendto(forged, (own._socket.getsockname()[0], 0))
    assert find_link(container, "lo")


def test_answers_to_abandoned_questions_are_skipped(container: Namespace) -> None:
    container.netlink._send([codec.message(18, 0, bytes(16)), change_message(999, up=True)], "never read")
    assert find_link(container, "lo")


def test_a_closed_socket_is_a_failure_of_the_attempt(container: Namespace) -> None:
    container.netlink._socket.close()
    with pytest.raises(NetlinkFailure, match=r"cannot list links of .*: no word from the kernel: Bad file descriptor"):
        list_links(container)
    container.netlink._socket = socket.socket()


def test_a_lost_answer_is_not_waited_for_for_ever(container: Namespace) -> None:
    own = container.netlink
    own._socket.setsockopt(socket.SOL_SOCKET, 20, codec.u32(0) * 2 + codec.u32(10_000) + codec.u32(0))
    with pytest.raises(NetlinkFailure, match="cannot wait: no word from the kernel: Connection timed out") as failure:
        own._receive("cannot wait")
    assert failure.value.errno == errno.ETIMEDOUT


def test_a_dump_of_what_the_kernel_does_not_know(container: Namespace) -> None:
    with pytest.raises(NetlinkFailure, match="cannot list: Operation not supported") as failure:
        container.netlink.dump(codec.dump_request(4002, bytes(16)), "cannot list")
    assert failure.value.errno == errno.EOPNOTSUPP


def drowned(ns: Namespace) -> Socket:
    """A socket whose small buffer overflowed with answers that nobody read."""
    with ns.inside():
        socket_ = Socket()
    socket_._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    for _ in range(100):
        socket_._send([change_message(999, up=True)], "never read")
    return socket_


def test_an_overflow_loses_an_answer_but_not_the_next(container: Namespace) -> None:
    socket_ = drowned(container)
    with pytest.raises(
        NetlinkFailure, match="cannot ask: no word from the kernel: No buffer space available"
    ) as failure:
        socket_.request(codec.message(18, 0, codec.u32(0) + codec.s32(LOOPBACK) + bytes(8)), "cannot ask")
    assert failure.value.errno == errno.ENOBUFS
    assert len(socket_.dump(EVERY_ADDRESS)) == 0
    socket_.close()


def test_an_overflow_interrupts_a_dump(container: Namespace) -> None:
    fill(container)
    socket_ = drowned(container)
    assert len(socket_.dump(EVERY_ADDRESS)) == MANY
    socket_.close()
