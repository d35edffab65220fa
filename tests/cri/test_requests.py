"""What runtimes ask for besides networks, and how they give up."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.cri.runtime import Refused

if TYPE_CHECKING:
    from tests.cri.site import Site

PATIENCE = 60
GIVEN = {"cniVersion": "1.0.0", "ips": [{"address": "192.0.2.1/24"}]}


def chain(site: Site, *plugins: dict[str, Any]) -> dict[str, Any]:
    """The primary network with more plugins behind the bridge."""
    return {"cniVersion": site.containerd.newest_version, "name": "primary", "plugins": [site.node.bridge(), *plugins]}


def await_nothing(site: Site) -> None:
    """The runtime may still be detaching what nobody waits for."""
    deadline = time.monotonic() + PATIENCE
    while found := site.remains():
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


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
    await_nothing(site)
    assert site.node.calls("DEL")
    site.containerd.configure(site.config(site.node.bridge()))
    assert site.runtime.run_pod("web", attempt=1).interfaces().keys() == {"eth0"}


def test_a_daemon_that_is_killed_while_it_attaches_a_pod_leaves_nothing(site: Site) -> None:
    """The plugin is still at it when the kubelet has the sandbox removed; containerd 1.7 waits for no DEL then."""
    slow = site.node.program("fabric", ADD={"sleep": 4, "stdout": json.dumps(GIVEN)})
    site.containerd.configure(site.config(site.node.bridge(), slow))
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(site.runtime.run_pod, "web")
        while not site.node.calls("ADD"):
            assert not asked.done()
            time.sleep(0.01)
        site.containerd.kill()
        with pytest.raises(Refused):
            asked.result()
    site.containerd.start()
    for sandbox in site.runtime.sandboxes():
        site.runtime.stop(sandbox)
        site.runtime.remove(sandbox)
    await_nothing(site)
    assert site.node.calls("DEL")
