"""What runtimes ask for besides networks, and how they give up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.cri.site import Site

PATIENCE = 60


def chain(site: Site, *plugins: dict[str, Any]) -> dict[str, Any]:
    """The primary network with more plugins behind the bridge."""
    return {"cniVersion": site.containerd.newest_version, "name": "primary", "plugins": [site.node.bridge(), *plugins]}


def test_a_pods_bandwidth_is_limited(site: Site) -> None:
    """The runtime reads annotations of its own for that, and says 4294967295 bits where no burst is known."""
    capability = {"bandwidth": True}
    network = site.config(chain(site, {"type": "bandwidth", "capabilities": capability}), capabilities=capability)
    site.containerd.configure(network)
    limits = {"kubernetes.io/ingress-bandwidth": "10M", "kubernetes.io/egress-bandwidth": "20M"}
    sandbox = site.runtime.run_pod("web", annotations=limits)
    shown = site.containerd.enclosure.run("tc", "qdisc", "show")
    assert "rate 10Mbit" in shown
    assert "rate 20Mbit" in shown
    sandbox.stop()
    sandbox.remove()
    assert site.remains() == {}


def test_both_families_are_told(site: Site) -> None:
    pools = [[{"subnet": "10.1.0.0/24"}], [{"subnet": "2001:db8:1::/64"}]]
    ipam = {"type": "host-local", "ranges": pools, "dataDir": str(site.node.addresses)}
    site.containerd.configure(site.config({**site.node.bridge(), "ipam": ipam}))
    sandbox = site.runtime.run_pod("web")
    told = sandbox.status().network
    assert [told.ip, *(each.ip for each in told.additional_ips)] == ["10.1.0.2", "2001:db8:1::2"]
    assert sandbox.interfaces() == {"eth0": ["10.1.0.2/24", "2001:db8:1::2/64"]}


def test_a_pod_that_the_kubelet_gives_up_leaves_nothing(site: Site) -> None:
    """The runtime kills the plugin in the middle of its ADD, and detaches what there may be."""
    slow = site.node.program("fabric", ADD={"sleep": 2})
    site.containerd.configure(site.config(site.node.bridge(), slow))
    site.runtime.give_up_pod("web", lambda: site.node.calls("ADD"))
    deadline = time.monotonic() + PATIENCE
    while found := site.remains():
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    assert site.node.calls("DEL")
    site.containerd.configure(site.config(site.node.bridge()))
    assert site.runtime.run_pod("web", attempt=1).interfaces().keys() == {"eth0"}
