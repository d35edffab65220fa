"""nftables of Debian's kernel, in each family that the plugins may want."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conftest import entered

if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

pytestmark = pytest.mark.vm

RULES = """
add table ip nat
add chain ip nat postrouting { type nat hook postrouting priority 100; }
add rule ip nat postrouting masquerade
add table ip6 nat
add chain ip6 nat prerouting { type nat hook prerouting priority -100; }
add rule ip6 nat prerouting tcp dport 80 dnat to [fd00::1]:8080
add table inet filter
add chain inet filter forward { type filter hook forward priority 0; }
add rule inet filter forward ct state established,related accept
add table bridge filter
add chain bridge filter forward { type filter hook forward priority 0; }
add rule bridge filter forward ether saddr 02:00:00:00:00:01 drop
"""


def test_every_family_is_there(host: Namespace) -> None:
    with entered(host.path):
        subprocess.run(["nft", "-f", "-"], input=RULES, text=True, check=True)
        listed = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    for rule in ("masquerade", "dnat to [fd00::1]:8080", "ct state established,related accept", "ether saddr"):
        assert rule in listed
