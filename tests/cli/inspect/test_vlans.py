"""What the machine's kernel may lack: VLANs of bridges, links with a VLAN, ipvlans."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cni_multus.cli.command import DONE
from tests.cli.inspect.conftest import shell

if TYPE_CHECKING:
    from tests.cli.inspect.conftest import Inspected

pytestmark = pytest.mark.vm


def test_what_stands_on_what_is_drawn(node: Inspected) -> None:
    shell(
        node.host.path,
        "ip link add link up0 name up0.100 type vlan id 100; ip link set up0.100 up;"
        "ip address add 10.100.0.1/24 dev up0.100",
    )
    bridge = node.bridge(vlan=7, vlanTrunk=[{"minID": 10, "maxID": 12}])
    storage = {"name": "storage", "type": "ipvlan", "master": "up0.100", **node.ipam("10.100.0.0/24")}
    node.attach("web-0", bridge, storage)
    ended = node.inspect("--graph", "text")
    assert (ended.status, ended.stderr) == (DONE, "")
    assert ended.stdout.splitlines()[1:] == [
        "├─ cni0 (bridge, up, mtu 1500, keeps VLANs apart)",
        "│  └─ blue/web-0  eth0  bridge  vlan 7, tagged 10-12  10.1.0.2/24",
        "└─ up0 (veth, up, mtu 1500)",
        "   └─ up0.100 (vlan, up, mtu 1500, VLAN 100) 10.100.0.1/24",
        "      └─ blue/web-0  net1  ipvlan  10.100.0.2/24",
    ]
    first, second = node.document("web-0")["sandboxes"][0]["interfaces"]
    assert (first["vlans"], second["master"], second["kernel"]["kind"]) == ("7, tagged 10-12", "up0.100", "ipvlan")
