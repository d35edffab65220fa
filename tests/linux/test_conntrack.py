"""Our messages about connections: what conntrack itself lists before and after them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from pyroute2.netlink.nfnetlink.nfctsocket import nfct_msg

from cni_multus.linux.conntrack import flows_to, forget, forget_led
from tests.plugins.flows import make_flows, strangers

if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

TCP, UDP, SCTP = 6, 17, 132
CLIENT, NODE, OTHER = bytes((11, 0, 0, 1)), bytes((192, 0, 2, 1)), bytes((192, 0, 2, 9))
POD, NEXT = bytes((10, 1, 2, 5)), bytes((10, 1, 2, 6))
V6 = [bytes.fromhex("20010db8" + "0" * 22 + f"{last:02x}") for last in range(4)]


@pytest.fixture(autouse=True)
def tracked(host: Namespace) -> None:
    """The kernel tracks in namespaces that have a rule for it."""
    nft(host, "add table inet x; add chain inet x y { type nat hook prerouting priority 0; }")


def nft(host: Namespace, script: str) -> None:
    subprocess.run(["nsenter", f"--net={host.path}", "nft", script], check=True)


def listed(host: Namespace, family: int = 4) -> list[str]:
    """The lines of conntrack, without what changes by itself."""
    command = ["nsenter", f"--net={host.path}", "conntrack", "-L", "-f", f"ipv{family}"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    words = [line.split() for line in lines]
    return sorted(
        " ".join(word for word in line if "=" in word and "mark" not in word and "use" not in word) for line in words
    )


def test_those_to_a_port_are_found(host: Namespace) -> None:
    make_flows(
        host,
        UDP,
        [
            ((CLIENT, 4000), (NODE, 53), (NODE, 53)),
            ((CLIENT, 4001), (NODE, 53), (POD, 5353)),
            ((CLIENT, 4002), (NODE, 54), (POD, 5353)),
        ],
    )
    make_flows(host, TCP, [((CLIENT, 4000), (NODE, 53), (NODE, 53))])
    found = [
        (flow.protocol, flow.destination, flow.port, flow.answers, flow.redirected)
        for flow in flows_to(host, 4, UDP, 53)
    ]
    assert sorted(found) == [(UDP, NODE, 53, POD, True), (UDP, NODE, 53, NODE, False)]
    assert len(flows_to(host, 4, UDP, 0)) == 3
    assert [flow.redirected for flow in flows_to(host, 4, TCP, 53)] == [False]
    assert flows_to(host, 6, UDP, 53) == []
    assert flows_to(host, 4, SCTP, 53) == []


def test_those_of_ipv6_are_found(host: Namespace) -> None:
    make_flows(host, UDP, [((V6[0], 4000), (V6[1], 53), (V6[2], 5353)), ((V6[0], 4000), (V6[1], 54), (V6[1], 54))])
    assert [(flow.destination, flow.answers, flow.redirected) for flow in flows_to(host, 6, UDP, 53)] == [
        (V6[1], V6[2], True)
    ]
    forget(host, flows_to(host, 6, UDP, 53))
    assert [flow.port for flow in flows_to(host, 6, UDP, 0)] == [54]


def test_what_is_forgotten_is_gone_and_nothing_else(host: Namespace) -> None:
    make_flows(host, UDP, [((CLIENT, 4000 + number), (NODE, 53), (POD, 53)) for number in range(600)])
    make_flows(host, UDP, [((CLIENT, 3999), (OTHER, 53), (POD, 53))])
    flows = flows_to(host, 4, UDP, 53)
    assert len(flows) == 601
    forget(host, [flow for flow in flows if flow.destination == NODE])
    assert [line for line in listed(host) if "dport=53" in line] == [
        "src=11.0.0.1 dst=192.0.2.9 sport=3999 dport=53 src=10.1.2.5 dst=11.0.0.1 sport=53 dport=3999"
    ]


def test_what_was_forgotten_before_is_no_failure(host: Namespace) -> None:
    make_flows(host, UDP, strangers(300, 53))
    flows = flows_to(host, 4, UDP, 53)
    forget(host, flows[:100])
    forget(host, flows)
    assert flows_to(host, 4, UDP, 53) == []


@pytest.mark.parametrize("kernel", ["this one", pytest.param("Debian's", marks=pytest.mark.vm)])
def test_what_leads_to_an_address_goes_by_one_message_and_nothing_else_does(kernel: str, host: Namespace) -> None:
    """Before 6.10 the message is refused, whatever is there, and nothing goes."""
    gone = [((CLIENT, 4000), (NODE, 53), (POD, 53)), ((CLIENT, 4001), (OTHER, 53), (POD, 5353))]
    stay = [
        ((CLIENT, 4002), (NODE, 54), (POD, 53)),
        ((CLIENT, 4003), (NODE, 53), (NEXT, 53)),
        ((CLIENT, 4004), (NODE, 53), (NODE, 53)),
        ((POD, 53), (CLIENT, 9), (CLIENT, 9)),
    ]
    of_tcp = [((CLIENT, 4005), (NODE, 53), (POD, 53))]
    of_v6 = [((V6[0], 4006), (V6[1], 53), (V6[2], 53))]
    for protocol, flows in ((UDP, [*gone, *stay]), (TCP, of_tcp), (UDP, of_v6)):
        make_flows(host, protocol, flows)
    before = listed(host), listed(host, 6)
    assert (len(before[0]), len(before[1])) == (7, 1)
    if not forget_led(host, [(UDP, 53, POD)]):  # the kernel is older than 6.10
        assert (listed(host), listed(host, 6)) == before
        return
    left = [line for line in before[0] if "sport=4000 dport=53" not in line and "sport=4001" not in line]
    assert len(left) == 5
    assert (listed(host), listed(host, 6)) == (left, before[1])


def test_our_messages_are_read_as_they_are_meant(host: Namespace) -> None:
    make_flows(host, UDP, [((CLIENT, 4000), (NODE, 53), (POD, 5353))])
    [flow] = flows_to(host, 4, UDP, 53)
    message = nfct_msg(flow.remove_message())
    message.decode()
    assert message["nfgen_family"] == 2
    sent = message.get_attr("CTA_TUPLE_ORIG")
    assert sent.get_attr("CTA_TUPLE_IP").get_attr("CTA_IP_V4_SRC") == "11.0.0.1"
    assert sent.get_attr("CTA_TUPLE_PROTO").get_attr("CTA_PROTO_DST_PORT") == 53
    assert message.get_attr("CTA_ID")
