"""Traffic control on the wire, against pyroute2's; what the kernel makes of it is in tests/plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.tcmsg import tcmsg

from cni_multus.linux import traffic
from cni_multus.linux.links import add_bridge, add_child_link
from cni_multus.linux.shapingsupport import why_not_supported
from cni_multus.linux.traffic import Limit

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.linux.netns import Namespace

INDEXES = st.integers(1, 2**31 - 1)
RATES = st.integers(1, 2**40)
BURSTS = st.integers(1, 2**32 - 1)


def decoded(message: bytes) -> Any:
    read = tcmsg(message)
    read.decode()
    assert read["header"]["length"] == len(message)
    return read


@given(INDEXES, RATES, BURSTS)
def test_a_token_bucket(index: int, rate: int, burst: int) -> None:
    limit = Limit(rate, burst)
    read = decoded(traffic.token_bucket_message(index, 0xB1D00000, limit))
    assert (read["index"], read["handle"], read["parent"]) == (index, 0xB1D00000, traffic.ROOT)
    assert read.get_attr("TCA_KIND") == "tbf"
    parameters = read.get_attr("TCA_OPTIONS").get_attr("TCA_TBF_PARMS")
    assert parameters["rate"] == min(rate, 2**32 - 1)
    assert parameters["limit"] == min(rate // 40 + burst, 2**32 - 1)
    assert parameters["buffer"] == min(int(burst * 1_000_000 // rate * 15.625), 2**32 - 1)
    found = traffic.decode_qdisc(traffic.token_bucket_message(index, 7 << 16, limit)[16:])
    assert (found.kind, found.handle, found.rate, found.limit) == ("tbf", 7 << 16, rate, parameters["limit"])


@given(INDEXES, INDEXES, st.integers(1, 0xFFFF))
def test_a_redirection(index: int, target: int, priority: int) -> None:
    message = traffic.redirect_message(index, priority, target)
    read = decoded(message)
    assert (read["index"], read["parent"], read["info"]) == (index, traffic.INCOMING, priority << 16 | 0x0300)
    options = read.get_attr("TCA_OPTIONS")
    selector = options.get_attr("TCA_U32_SEL")
    assert (selector["flags"], selector["nkeys"]) == (1, 1)
    assert [(key["key_mask"], key["key_val"]) for key in selector["keys"]] == [(0, 0)]
    found = traffic.decode_filter(message[16:])
    assert (found.kind, found.priority, found.target) == ("u32", priority, target)


@pytest.mark.parametrize("decode", [traffic.decode_qdisc, traffic.decode_filter])
@pytest.mark.parametrize("body", [b"", bytes(19), bytes(20) + b"\x03\0\0\0"])
def test_what_is_cut_off_is_refused(decode: Callable[[bytes], object], body: bytes) -> None:
    with pytest.raises(ValueError, match="bytes"):
        decode(body)


def test_the_kernel_shows_what_was_set(container: Namespace, kernel: Callable[[Namespace], Any]) -> None:
    link = add_bridge(container, "br0")
    via = add_child_link(container, "ifb", b"", parent=0, name="ifb9", namespace=container)
    assert traffic.find_qdisc(container, link.index, traffic.INGRESS) is None
    container.netlink.request(traffic.token_bucket_message(link.index, 0x70000, Limit(1_000_000, 100_000)), "bucket")
    container.netlink.request(traffic.clsact_message(link.index), "clsact")
    container.netlink.request(traffic.redirect_message(link.index, 9, via.index), "redirect")
    witness = kernel(container)
    shown = {each.get_attr("TCA_KIND"): each["handle"] for each in witness.get_qdiscs(link.index)}
    assert shown == {"tbf": 0x70000, "clsact": 0xFFFF0000}
    root = traffic.find_qdisc(container, link.index, traffic.ROOT)
    hook = traffic.find_qdisc(container, link.index, traffic.INGRESS)
    assert root is not None
    assert hook is not None
    assert (root.rate, root.limit, root.buffer) == (1_000_000, 125_000, 1_562_500)
    assert hook.kind == "clsact"
    filters = traffic.list_filters(container, link.index, traffic.INCOMING)
    assert {(each.kind, each.priority) for each in filters} == {("u32", 9)}
    assert [each.target for each in filters if each.target] == [via.index]
    assert traffic.list_filters(container, link.index, traffic.OUTGOING) == []
    container.netlink.request(traffic.remove_filters_message(link.index, 9), "filters")
    assert traffic.list_filters(container, link.index, traffic.INCOMING) == []
    for parent in (traffic.ROOT, traffic.INGRESS):
        container.netlink.request(traffic.remove_qdisc_message(link.index, parent), "remove")
    assert not [each for each in witness.get_qdiscs(link.index) if each.get_attr("TCA_KIND") in shown]


def test_the_kernel_has_what_it_takes(container: Namespace) -> None:
    assert why_not_supported(container) == ""
