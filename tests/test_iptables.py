"""iptables' programs: what iptables-save writes is read back, word by word, and a change is all or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.iptables import change, find_program, may_have, may_have_some, quoted, read_rules, split
from tests.node import in_thread

if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

COMMENTS = ["multus:net:c1:eth0", 'a "quoted" word', "back\\slash", 'both\\"', "two  spaces", "ünïcode", "#", "'"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("-j ACCEPT", ["-j", "ACCEPT"]),
        ("! -d 224.0.0.0/4  -j X", ["!", "-d", "224.0.0.0/4", "-j", "X"]),
        ('--comment "a b" -j X', ["--comment", "a b", "-j", "X"]),
        ('--comment "a \\"b\\" \\\\" -j X', ["--comment", 'a "b" \\', "-j", "X"]),
        ('--comment "" -j X', ["--comment", "", "-j", "X"]),
    ],
)
def test_a_line_is_split_into_words(line: str, words: list[str]) -> None:
    assert split(line) == words


@pytest.mark.parametrize("word", COMMENTS)
def test_quoting_is_the_reverse_of_splitting(word: str) -> None:
    assert split(f"-m comment --comment {quoted(word)} -j X")[3] == word


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("comment", COMMENTS)
def test_what_is_written_is_read_back(comment: str, family: int, host: Namespace) -> None:
    lines = [":MULTUS-x - [0:0]", f"-A MULTUS-x -m comment --comment {quoted(comment)} -j ACCEPT"]
    assert not may_have(host, family, "nat", "MULTUS-x")
    for _ in range(2):  # a chain that is named is emptied first
        in_thread(lambda: change(host, family, "nat", lines, "cannot"))
        [rule] = in_thread(lambda: read_rules(host, family, "nat"))
        assert (rule.chain, rule.option("--comment"), rule.option("-j")) == ("MULTUS-x", comment, "ACCEPT")
        assert rule.option("-s") == ""
    assert may_have(host, family, "nat", "MULTUS-x")
    assert may_have_some(host, family, "nat", "MULTUS-")
    assert not may_have(host, family, "nat", "MULTUS-y")
    assert not may_have_some(host, family, "nat", "CNI-")


def test_a_change_that_is_refused_is_no_change(host: Namespace) -> None:
    lines = [":MULTUS-x - [0:0]", "-A MULTUS-x -j ACCEPT", "-D POSTROUTING -j MULTUS-y"]
    with pytest.raises(NetlinkFailure, match="cannot do it: iptables-restore ended with"):
        in_thread(lambda: change(host, 4, "nat", lines, "cannot do it"))
    assert in_thread(lambda: read_rules(host, 4, "nat")) == []
    assert not may_have(host, 4, "nat", "MULTUS-x")


def test_a_program_that_is_not_there_is_not_found() -> None:
    assert find_program("iptables-restore").endswith("/iptables-restore")
    assert find_program("iptables-of-nobody") == ""
