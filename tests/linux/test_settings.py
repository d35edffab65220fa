"""Kernel settings as operators write them."""

from __future__ import annotations

import pytest

from cni_multus.linux.settings import kernel_name, same_value


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.IFNAME.arp_filter", "net/ipv4/conf/eth0.1/arp_filter"),
        ("net/ipv4/conf/IFNAME/arp_filter", "net/ipv4/conf/eth0.1/arp_filter"),
        ("net.ipv4.conf.eth0/100.arp_filter", "net/ipv4/conf/eth0.100/arp_filter"),
        ("net/ipv4/conf/eth0.100/arp_filter", "net/ipv4/conf/eth0.100/arp_filter"),
        ("net.ipv4.conf.IFNAME.IFNAME", "net/ipv4/conf/eth0.1/IFNAME"),
    ],
)
def test_a_key_names_a_file(key: str, name: str) -> None:
    assert kernel_name(key, "eth0.1") == name


@pytest.mark.parametrize(
    "key",
    [
        "",
        "net",
        "net.",
        "network.x",
        "kernel.hostname",
        "/net/ipv4/ip_forward",
        "net/../kernel/hostname",
        "net.ipv4..conf",
        "net/./a",
        "net/ipv4/a\0b",
        "net/ipv4/",
    ],
)
def test_a_key_outside_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="does not name a kernel setting of a network namespace"):
        kernel_name(key, "eth0")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1", "1", True),
        ("1", "0", False),
        ("4096\t16384\t4194304", " 4096 16384  4194304 ", True),
        ("16", "0x10", True),
        ("cubic", "cubic", True),
        ("cubic", "reno", False),
        ("1 2", "1", False),
        ("", "", True),
    ],
)
def test_values_are_compared_as_the_kernel_reads_them(one: str, other: str, same: bool) -> None:
    assert same_value(one, other) == same
