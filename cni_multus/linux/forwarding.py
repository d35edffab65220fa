"""Whether the node passes packets on."""

from __future__ import annotations

from cni_multus.linux import sysctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

_SETTINGS = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}


def forwards(host: Namespace, family: int) -> bool:
    """Whether the node forwards packets of family 4 or 6."""
    return sysctl.read(host, _SETTINGS[family]) == "1"


def forward(host: Namespace, family: int) -> None:
    """Let the node forward packets of family 4 or 6; it stays so, since others may come to rely on it."""
    if not forwards(host, family):
        sysctl.write(host, _SETTINGS[family], "1")
