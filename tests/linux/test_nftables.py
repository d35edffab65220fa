"""Our nftables messages: what nft itself reads of what they make, transactions that are whole or nothing, listings."""

from __future__ import annotations

import errno
import json
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux import expressions as say
from cni_multus.linux.netns import Namespace, setns
from cni_multus.linux.nftables import INET, POSTROUTING, PREROUTING, Changes, Table
from cni_multus.linux.nftdata import (
    DROP,
    ETHER_ADDR,
    GOTO,
    IFNAME,
    INET_PROTO,
    INET_SERVICE,
    IPV4_ADDR,
    IPV6_ADDR,
    JUMP,
    RETURN,
    concatenated,
)
from cni_multus.linux.nftlists import find_element, list_chains, list_elements, list_rules

if TYPE_CHECKING:
    from tests.conftest import MakeNamespace

ADDRESS = bytes((10, 1, 2, 3))
WEB = concatenated(b"\x06", (8080).to_bytes(2, "big"))


def lay_out(changes: Changes) -> None:
    changes.add_set("sources", IPV4_ADDR, verdicts=True)
    changes.add_set("ports", INET_PROTO, INET_SERVICE, verdicts=True)
    changes.add_set("ports6", IPV6_ADDR, INET_PROTO, INET_SERVICE, verdicts=True)
    changes.add_set("guarded", IFNAME)
    changes.add_set("allowed", IFNAME, ETHER_ADDR)
    changes.add_base_chain("postrouting", "nat", POSTROUTING, 100)
    changes.add_base_chain("prerouting", "nat", PREROUTING, -100)
    changes.add_rule("postrouting", say.of_family(4), say.load_saddr(4), say.verdict_from("sources"))


TABLE = Table(INET, "multus_test", lay_out)


def changes() -> Changes:
    return Changes(TABLE)


def nft(ns: Namespace, *arguments: str) -> str:
    command = ["nsenter", f"--net={ns.path}", "nft", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def rules(ns: Namespace, chain: str) -> list[str]:
    """The rules of a chain, as nft writes them."""
    lines = nft(ns, "list", "chain", "inet", "multus_test", chain).splitlines()
    return [
        line.strip() for line in lines if line.startswith("\t\t") and not line.strip().startswith(("type", "comment"))
    ]


@pytest.mark.parametrize(
    ("expressions", "written"),
    [
        ((say.of_family(4), say.load_saddr(4), say.verdict_from("sources")), "ip saddr vmap @sources"),
        (
            (
                say.of_family(6),
                say.load_daddr(6),
                say.load_meta(say.META_L4PROTO, 4),
                say.load_dport(5),
                say.verdict_from("ports6"),
            ),
            "ip6 daddr . meta l4proto . th dport vmap @ports6",
        ),
        ((say.load_is_local(), say.compare(say.LOCAL), say.masquerade()), "fib daddr type local masquerade"),
        (
            (say.load_is_local(of_source=True), say.compare(say.LOCAL, say.NOT_EQUAL), say.verdict(DROP)),
            "fib saddr type != local drop",
        ),
        (
            (say.load_meta(say.META_IIFNAME), say.look_up("guarded", absent=True), say.verdict(DROP)),
            "iifname != @guarded drop",
        ),
        (
            (
                say.of_family(4),
                say.load_daddr(4),
                say.mask(b"\xff\xff\xff\x00"),
                say.compare(b"\x0a\x01\x02\x00"),
                say.verdict(RETURN),
            ),
            "ip daddr 10.1.2.0/24 return",
        ),
        (
            (say.of_family(4), say.load_value(ADDRESS), say.load_value(b"\x00\x50", 1), say.dnat(4, 0, 1)),
            "meta nfproto ipv4 dnat ip to 10.1.2.3:80",
        ),
        (
            (
                say.load_meta(say.META_MARK),
                say.mask(struct.pack("=I", 0xFFFFDFFF), struct.pack("=I", 0x2000)),
                say.set_mark(),
            ),
            "meta mark set meta mark | 0x00002000",
        ),
        (
            (
                say.load_ct(say.CT_STATE),
                say.mask(struct.pack("=I", 6)),
                say.compare(bytes(4), say.NOT_EQUAL),
                say.verdict(1),
            ),
            "ct state established,related accept",
        ),
        (
            (
                say.load_ct(say.CT_STATUS),
                say.mask(struct.pack("=I", 32)),
                say.compare(bytes(4), say.NOT_EQUAL),
                say.verdict(1),
            ),
            "ct status dnat accept",
        ),
    ],
)
def test_nft_reads_our_rules_as_they_are_meant(host: Namespace, expressions: tuple[bytes, ...], written: str) -> None:
    change = changes()
    chain = "prerouting" if "dnat ip" in written else "postrouting"
    change.add_rule(chain, *expressions, comment="why")
    change.commit(host)
    assert rules(host, chain)[-1] == f'{written} comment "why"'


def test_maps_comments_and_chains_read_well(host: Namespace) -> None:
    change = changes()
    change.add_chain("of-pod", "multus:net:id:eth0")
    change.add_element("sources", ADDRESS, verdict=GOTO, chain="of-pod", comment="whose")
    change.add_element("ports", WEB, verdict=JUMP, chain="of-pod")
    change.add_element("guarded", b"veth0".ljust(16, b"\0"))
    change.commit(host)
    text = " ".join(nft(host, "list", "ruleset").split())
    assert 'elements = { 10.1.2.3 comment "whose" : goto of-pod }' in text
    assert "elements = { tcp . 8080 : jump of-pod }" in text
    assert 'elements = { "veth0" }' in text
    assert 'chain of-pod { comment "multus:net:id:eth0"' in text


def test_maps_to_addresses_and_ports_read_well(host: Namespace) -> None:
    change = changes()
    change.add_set("to", INET_PROTO, INET_SERVICE, values=(IPV4_ADDR, INET_SERVICE))
    change.add_set("to6", INET_PROTO, INET_SERVICE, IPV6_ADDR, values=(IPV6_ADDR, INET_SERVICE))
    value = concatenated(ADDRESS, (80).to_bytes(2, "big"))
    change.add_element("to", WEB, value=value, comment="whose")
    sent = say.load_meta(say.META_L4PROTO) + say.load_dport(1)
    change.add_rule("prerouting", say.of_family(4), sent, say.value_from("to", 0, 8), say.dnat(4, 8, 9))
    change.add_rule(
        "prerouting", say.of_family(6), sent, say.load_daddr(6, 2), say.value_from("to6", 0, 8), say.dnat(6, 8, 12)
    )
    change.commit(host)
    text = " ".join(nft(host, "list", "ruleset").split())
    assert "type inet_proto . inet_service : ipv4_addr . inet_service" in text
    assert 'elements = { tcp . 8080 comment "whose" : 10.1.2.3 . 80 }' in text
    assert rules(host, "prerouting") == [
        "meta nfproto ipv4 dnat ip to meta l4proto . th dport map @to",
        "dnat ip6 to meta l4proto . th dport . ip6 daddr map @to6",
    ]
    found = find_element(host, TABLE, "to", WEB)
    assert found is not None
    assert (found.value, found.chain) == (value, "")


def test_a_range_is_compared_as_it_is_meant(host: Namespace) -> None:
    change = changes()
    low, high = (10).to_bytes(2, "big"), (20).to_bytes(2, "big")
    for operation in (say.EQUAL, say.NOT_EQUAL):
        change.add_rule("prerouting", say.load_dport(), say.compare_range(low, high, operation), say.verdict(RETURN))
    change.commit(host)
    assert rules(host, "prerouting") == ["th dport 10-20 return", "th dport != 10-20 return"]


def test_what_was_made_is_listed(host: Namespace) -> None:
    assert (list_chains(host, TABLE), list_elements(host, TABLE, "sources"), list_rules(host, TABLE, "of-pod")) == (
        {},
        [],
        [],
    )
    change = changes()
    change.add_chain("of-pod", "multus:net:id:eth0")
    change.add_rule("of-pod", say.masquerade(), comment="10.1.2.3")
    change.add_element("sources", ADDRESS, verdict=GOTO, chain="of-pod", comment="whose")
    change.commit(host)
    assert list_chains(host, TABLE) == {"postrouting": "", "prerouting": "", "of-pod": "multus:net:id:eth0"}
    assert [rule.comment for rule in list_rules(host, TABLE, "of-pod")] == ["10.1.2.3"]
    assert [(one.key, one.chain, one.comment) for one in list_elements(host, TABLE, "sources")] == [
        (ADDRESS, "of-pod", "whose")
    ]
    found = find_element(host, TABLE, "sources", ADDRESS)
    assert found is not None
    assert (found.key, found.chain) == (ADDRESS, "of-pod")
    assert find_element(host, TABLE, "sources", bytes(4)) is None
    assert find_element(host, TABLE, "no-such-set", bytes(4)) is None


def test_long_listings_are_complete(host: Namespace) -> None:
    change = changes()
    for number in range(5000):
        change.add_chain(f"chain-{number}", f"multus:net:{number}:eth0")
        change.add_element(
            "sources", number.to_bytes(4, "big"), verdict=GOTO, chain=f"chain-{number}", comment=str(number)
        )
    change.commit(host)
    assert len(list_chains(host, TABLE)) == 5002
    assert {one.comment for one in list_elements(host, TABLE, "sources")} == {str(number) for number in range(5000)}


def test_a_transaction_that_fails_changes_nothing(host: Namespace) -> None:
    change = changes()
    change.add_chain("one")
    change.add_element("sources", ADDRESS, verdict=GOTO, chain="one")
    change.commit(host)
    before = nft(host, "-j", "list", "ruleset")
    for failing in ("first", "middle", "last"):
        change = changes()
        if failing != "first":
            change.add_chain("two")
        change.add_element("sources", ADDRESS, verdict=GOTO, chain="one")
        if failing != "last":
            change.add_chain("three")
        with pytest.raises(
            NetlinkFailure, match=r"cannot add to set sources of nftables table inet multus_test"
        ) as raised:
            change.commit(host)
        assert raised.value.errno == errno.EEXIST
        assert json.loads(nft(host, "-j", "list", "ruleset")) == json.loads(before)


def test_the_first_transaction_that_fails_leaves_no_table(host: Namespace) -> None:
    change = changes()
    change.add_element("sources", ADDRESS, verdict=GOTO, chain="nowhere")
    with pytest.raises(NetlinkFailure):
        change.commit(host)
    assert not TABLE.exists(host)


def test_what_was_removed_is_gone(host: Namespace) -> None:
    change = changes()
    change.add_chain("one")
    change.add_rule("one", say.masquerade())
    change.add_element("sources", ADDRESS, verdict=GOTO, chain="one")
    change.commit(host)
    change = changes()
    change.remove_element("sources", ADDRESS)
    change.remove_chain("one")
    change.commit(host)
    assert "one" not in list_chains(host, TABLE)
    assert list_elements(host, TABLE, "sources") == []


def test_the_table_is_laid_out_once_however_many_begin_at_once(netns: MakeNamespace) -> None:
    for _ in range(5):
        path = netns()

        def begin(number: int, path: str = path) -> None:
            with open(path, "rb") as target:
                setns(target.fileno())
            with Namespace.host() as ns:
                change = changes()
                change.add_chain(f"chain-{number}")
                change.commit(ns)

        for thread in [ThreadPoolExecutor(1) for _ in range(8)]:
            thread.submit(begin, id(thread))
            thread.shutdown(wait=False)
        with Namespace.open(path) as ns:
            while len(list_chains(ns, TABLE)) < 10:
                pass
            assert len(rules(ns, "postrouting")) == 1


def test_names_and_comments_of_any_length_are_cut_not_refused(host: Namespace) -> None:
    change = changes()
    change.add_chain("long", "x" * 500)
    change.commit(host)
    assert list_chains(host, TABLE)["long"] == "x" * 127
