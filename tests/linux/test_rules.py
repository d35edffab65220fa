"""Routing rules: what our messages say, as pyroute2 reads them, and what the kernel makes of them."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Any

import pytest
from pyroute2.netlink.rtnl.fibmsg import fibmsg

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.addresses import AF_INET, AF_INET6
from cni_multus.linux.rules import Rule, add_rule_message, decode_rule, list_rules, remove_rule_message
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.linux.netns import Namespace

    Kernel = Callable[[Namespace | str], Any]

V4 = Rule.of(socket.inet_pton(AF_INET, "21.0.111.1"), 100, 32000)
V6 = Rule.of(socket.inet_pton(AF_INET6, "2001:db8::2"), 70000, 32001)
FROM_THE_KERNEL = [  # what `ip rule` calls them, in the order of a namespace that nobody has touched
    ("all", 255, 0),
    ("all", 254, 32766),
    ("all", 253, 32767),
]


def read(message: bytes) -> Any:
    decoded = fibmsg(message)
    decoded.decode()
    return decoded


@pytest.mark.parametrize(
    ("rule", "family", "source", "length"),
    [(V4, AF_INET, "21.0.111.1", 32), (V6, AF_INET6, "2001:db8::2", 128)],
)
@pytest.mark.parametrize(("encode", "kind"), [(add_rule_message, 32), (remove_rule_message, 33)])
def test_pyroute2_reads_what_we_write(
    encode: Callable[[Rule], bytes], kind: int, rule: Rule, family: int, source: str, length: int
) -> None:
    said = read(encode(rule))
    assert said["header"]["type"] == kind
    assert (said["family"], said["src_len"], said["dst_len"], said["action"], said["flags"]) == (
        family,
        length,
        0,
        1,
        0,
    )
    assert said.get_attr("FRA_SRC") == source
    assert (said.get_attr("FRA_TABLE"), said.get_attr("FRA_PRIORITY")) == (rule.table, rule.priority)
    assert said["table"] == (rule.table if rule.table < 256 else 0)
    assert len(said["attrs"]) == 3


@pytest.mark.parametrize("rule", [V4, V6, Rule(4, b"\x0a\x01\0\0", 16, 7, 5)])
def test_a_rule_is_read_as_it_was_written(rule: Rule) -> None:
    assert decode_rule(add_rule_message(rule)[16:]).key == rule.key


@pytest.mark.parametrize("rule", [V4, V6])
def test_the_kernel_and_pyroute2_have_what_we_add(container: Namespace, kernel: Kernel, rule: Rule) -> None:
    before = [each.key for each in list_rules(container)]
    container.netlink.request(add_rule_message(rule), "cannot add")
    assert rule.key in [each.key for each in list_rules(container)]
    seen = [
        found
        for found in kernel(container).get_rules(family=AF_INET if rule.family == 4 else AF_INET6)
        if found.get_attr("FRA_TABLE") == rule.table
    ]
    assert [(found["src_len"], found.get_attr("FRA_PRIORITY")) for found in seen] == [(rule.prefix, rule.priority)]
    with pytest.raises(NetlinkFailure) as failure:
        container.netlink.request(add_rule_message(rule), "cannot add")
    assert failure.value.errno == errno.EEXIST
    container.netlink.request(remove_rule_message(rule), "cannot remove")
    assert [each.key for each in list_rules(container)] == before
    with pytest.raises(NetlinkFailure) as failure:
        container.netlink.request(remove_rule_message(rule), "cannot remove")
    assert failure.value.errno == errno.ENOENT


def test_only_the_exact_rule_is_removed(container: Namespace) -> None:
    others = [Rule.of(V4.source, 100, 32001), Rule.of(V4.source, 101, 32000), Rule(4, V4.source, 24, 100, 32000)]
    for rule in (*others, V4):
        container.netlink.request(add_rule_message(rule), "cannot add")
    container.netlink.request(remove_rule_message(V4), "cannot remove")
    left = {str(rule) for rule in list_rules(container) if rule.source}
    assert left == {str(rule) for rule in others}


def test_rules_are_listed_by_family_in_their_order(container: Namespace) -> None:
    assert [(rule.table, rule.priority) for rule in list_rules(container, 4)] == [
        (table, priority) for _, table, priority in FROM_THE_KERNEL
    ]
    assert {rule.family for rule in list_rules(container)} == {4, 6}
    assert {rule.family for rule in list_rules(container, 6)} == {6}
    assert not any(rule.by_source for rule in list_rules(container))


@pytest.mark.parametrize(
    ("arguments", "by_source"),
    [
        ("from 10.1.2.3 lookup 100", True),
        ("from 10.1.0.0/16 lookup 70000", True),
        ("lookup 100", False),
        ("from 10.1.2.3 to 10.9.0.0/16 lookup 100", False),
        ("from 10.1.2.3 iif lo lookup 100", False),
        ("from 10.1.2.3 oif lo lookup 100", False),
        ("from 10.1.2.3 fwmark 0x7 lookup 100", False),
        ("from 10.1.2.3 tos 0x10 lookup 100", False),
        ("from 10.1.2.3 ipproto tcp dport 80 lookup 100", False),
        ("from 10.1.2.3 uidrange 0-5 lookup 100", False),
        ("from 10.1.2.3 suppress_prefixlength 0 lookup 100", True),
        ("not from 10.1.2.3 lookup 100", False),
        ("from 10.1.2.3 blackhole", False),
    ],
)
def test_a_rule_that_looks_at_more_is_told_from_one_that_does_not(
    container: Namespace, arguments: str, by_source: bool
) -> None:
    Shown(container.path).run(f"ip rule add {arguments} priority 77")
    [rule] = [rule for rule in list_rules(container) if rule.priority == 77]
    assert rule.by_source is by_source


@pytest.mark.parametrize("body", [b"", b"\x02" * 11, b"\x1c" + bytes(11), b"\x02" + bytes(11) + b"\xff\x00\x01\x00"])
def test_what_is_no_rule_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        decode_rule(body)
