"""Kernel settings: written in the namespace that was meant, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import IoFailure
from cni_multus.linux import sysctl
from cni_multus.linux.links import add_bridge

if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

FORWARD = "net/ipv4/ip_forward"
RANGE = "net/ipv4/ip_local_port_range"


def test_a_setting_is_of_its_namespace(host: Namespace, container: Namespace) -> None:
    ours = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    sysctl.write(container, RANGE, "40000 50000")
    assert sysctl.read(container, RANGE) == "40000\t50000"
    assert sysctl.read(host, RANGE) != "40000\t50000"
    assert Path("/proc/sys/net/ipv4/ip_local_port_range").read_text() == ours


def test_several_settings_are_written_in_order(container: Namespace) -> None:
    add_bridge(container, "a.b")
    sysctl.write_many(
        container,
        [
            ("net/ipv4/conf/a.b/arp_notify", "1", False),
            ("net/ipv6/conf/absent/accept_ra", "0", True),
            ("net/ipv6/conf/a.b/accept_ra", "0", False),
        ],
    )
    assert sysctl.read(container, "net/ipv4/conf/a.b/arp_notify") == "1"
    assert sysctl.read(container, "net/ipv6/conf/a.b/accept_ra") == "0"


def test_a_setting_that_the_kernel_lacks(container: Namespace) -> None:
    assert sysctl.read(container, "net/ipv4/absent") is None
    sysctl.write(container, "net/ipv4/absent", "1", missing_ok=True)
    with pytest.raises(IoFailure, match=r"^cannot set net/ipv4/absent to '1' in .*/container: No such file"):
        sysctl.write(container, "net/ipv4/absent", "1")


def test_a_value_that_the_kernel_refuses(container: Namespace) -> None:
    with pytest.raises(IoFailure, match=r"^cannot set net/ipv4/ip_forward to 'x' in .*: Invalid argument"):
        sysctl.write(container, FORWARD, "x", missing_ok=True)


def test_a_directory_is_no_setting(container: Namespace) -> None:
    with pytest.raises(IoFailure, match=r"cannot read net/ipv4 in .*: Is a directory"):
        sysctl.read(container, "net/ipv4")


@pytest.mark.parametrize(
    "name",
    [
        "net/../kernel/panic",
        "net/ipv4/conf/../../../kernel/panic",
        "/net/ipv4/ip_forward",
        "kernel/panic",
        "net.ipv4.ip_forward",
        "net//ipv4",
        "net/./ipv4",
        "net",
        "",
        "net/ipv4/ip_forward/",
        "net/\0",
    ],
)
def test_a_name_that_leads_elsewhere(container: Namespace, name: str) -> None:
    with pytest.raises(IoFailure, match="does not name a kernel setting of a network namespace"):
        sysctl.write_many(container, [(FORWARD, "1", False), (name, "1", True)])
    with pytest.raises(IoFailure, match="does not name"):
        sysctl.read(container, name)
    assert sysctl.read(container, FORWARD) == "0"
