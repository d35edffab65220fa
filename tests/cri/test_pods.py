"""Pods as a container runtime makes them and takes them away, with several networks each."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.cri.reaching import fetch, refuses
from tests.cri.runtime import Refused

if TYPE_CHECKING:
    from tests.cri.runtime import Sandbox
    from tests.cri.site import Site

AT_ONCE = 16
NAMES = {"eth0", "net1", "net2"}


def shown(site: Site, sandbox: Sandbox) -> dict[str, list[str]]:
    """The addresses of each interface, as the journal has them for network-status."""
    status = [entry for attachment in site.record(sandbox).attachments for entry in attachment.status]
    return {str(entry["interface"]): addresses(entry) for entry in status}


def addresses(entry: dict[str, Any]) -> list[str]:
    return [f"{address}/24" for address in entry.get("ips", [])]


def test_a_pod_has_what_the_journal_says(site: Site) -> None:
    site.containerd.configure(site.three())
    sandbox = site.runtime.run_pod("web")
    found = sandbox.interfaces()
    assert found == shown(site, sandbox)
    assert {name: bool(some) for name, some in found.items()} == dict.fromkeys(NAMES, True)
    for attachment in site.record(sandbox).attachments:
        for entry in attachment.status:
            link = sandbox.execute("ip", "link", "show", str(entry["interface"]))
            assert f"link/ether {entry['mac']} " in link
            assert f"mtu {entry['mtu']} " in link
    assert "default via 10.1.0.1 dev eth0" in sandbox.execute("ip", "route")


def test_the_runtime_tells_the_primarys_address(site: Site) -> None:
    site.containerd.configure(site.three())
    sandbox = site.runtime.run_pod("web")
    assert f"{sandbox.status().network.ip}/24" == sandbox.interfaces()["eth0"][0]


def test_pods_reach_each_other_in_every_network(site: Site) -> None:
    site.containerd.configure(site.three())
    first, second = site.runtime.run_pod("one"), site.runtime.run_pod("two")
    for name, [address] in second.interfaces().items():
        target = address.partition("/")[0]
        assert "1 packets received" in first.execute("ping", "-c1", "-W10", "-I", name, target), name


def test_the_clusters_network_comes_from_files(site: Site) -> None:
    """Those that run the cluster itself get no more than that."""
    directory = site.node.root / "networks"
    directory.mkdir()
    for name, network in {"main": site.node.bridge(), "storage": site.node.macvlan("red", "10.2.0.0/24")}.items():
        named = {"cniVersion": site.containerd.newest_version, **network, "name": name}
        (directory / f"{name}.conf").write_text(json.dumps(named))
    more = {"clusterNetwork": "main", "defaultNetworks": ["storage"], "confDir": str(directory)}
    site.containerd.configure(site.config(**more))
    assert site.runtime.run_pod("web").interfaces().keys() == {"eth0", "net1"}
    assert site.runtime.run_pod("dns", namespace="kube-system").interfaces().keys() == {"eth0"}


def test_stopping_a_pod_leaves_nothing_of_its_networks(site: Site) -> None:
    site.containerd.configure(site.witnessed(site.three()))
    sandbox = site.runtime.run_pod("web")
    assert sandbox.interfaces().keys() == NAMES
    sandbox.stop()
    assert site.remains() == {"sandboxes": [sandbox.id]}
    sandbox.remove()
    assert site.remains() == {}
    first, *others = site.calls("DEL")
    assert first["environment"]["CNI_NETNS"]
    assert [call["environment"]["CNI_NETNS"] for call in others] == [""]
    assert "prevResult" not in others[0]["stdin"]


def test_a_pod_is_removed_without_having_been_stopped(site: Site) -> None:
    site.containerd.configure(site.three())
    site.runtime.run_pod("web").remove()
    assert site.remains() == {}


def test_a_pod_is_removed_under_another_configuration(site: Site) -> None:
    """Runtimes detach with the configuration that there is by then."""
    site.containerd.configure(site.three())
    sandbox = site.runtime.run_pod("web")
    site.containerd.configure(site.config(site.node.bridge("other", "10.9.0.0/24")))
    sandbox.stop()
    sandbox.remove()
    assert site.remains() == {}


def test_a_pod_that_cannot_be_attached_is_refused_with_the_reason(site: Site) -> None:
    broken = site.node.macvlan("red", "10.2.0.0/24", master="absent0")
    site.containerd.configure(site.config(site.node.bridge(), broken))
    with pytest.raises(Refused, match=r"red.*: master: there is no link absent0"):
        site.runtime.run_pod("web")
    assert site.remains() == {}


def test_a_configuration_that_is_wrong_is_told_with_its_path(site: Site) -> None:
    site.containerd.configure(site.config(site.node.bridge(), site.node.macvlan("red", mtu="large")))
    with pytest.raises(Refused, match="mtu"):
        site.runtime.run_pod("web")
    assert site.remains() == {}


def test_ports_of_the_node_lead_to_the_pod(site: Site) -> None:
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    version = site.containerd.newest_version
    delegate = {"cniVersion": version, "name": "primary", "plugins": [site.node.bridge(), portmap]}
    network = site.config(delegate, site.node.macvlan("red"), capabilities={"portMappings": True})
    site.containerd.configure(network)
    sandbox = site.runtime.run_pod("web", ports=((8080, 80),))
    sandbox.execute("sh", "-c", "nc -ll -p 80 -e /bin/busybox hostname >/dev/null 2>&1 &")
    assert fetch(site.node.host.path, "10.1.0.1", 8080) == b"web\n"
    sandbox.stop()
    assert refuses(site.node.host.path, "10.1.0.1", 8080)
    sandbox.remove()
    assert site.remains() == {}


def test_many_pods_at_once(site: Site) -> None:
    site.containerd.configure(site.three())
    with ThreadPoolExecutor(AT_ONCE) as threads:
        sandboxes = list(threads.map(lambda number: site.runtime.run_pod(f"web{number}"), range(AT_ONCE)))
        found = list(threads.map(lambda sandbox: sandbox.interfaces(), sandboxes))
        for name in NAMES:
            assert len({tuple(interfaces[name]) for interfaces in found}) == AT_ONCE
        list(threads.map(lambda sandbox: (sandbox.stop(), sandbox.remove()), sandboxes))
    assert site.remains() == {}


def test_pods_outlive_the_daemon(site: Site) -> None:
    site.containerd.configure(site.three())
    old = site.runtime.run_pod("old")
    before = old.interfaces()
    site.containerd.kill()
    site.containerd.start()
    assert old.interfaces() == before
    new = site.runtime.run_pod("new")
    [target] = before["net1"]
    assert "1 packets received" in new.execute("ping", "-c1", "-W10", target.partition("/")[0])
    for sandbox in (old, new):
        sandbox.stop()
        sandbox.remove()
    assert site.remains() == {}


def test_a_node_that_is_not_ready_says_why(site: Site) -> None:
    """Only containerd 2 asks, and only where the network speaks version 1.1.0."""
    ready = site.node.root / "ready"
    site.containerd.configure(site.config(site.node.bridge(), readinessindicatorfile=str(ready)))
    fine, message = site.runtime.network_condition()
    if site.containerd.newest_version == "1.0.0":
        assert fine
        return
    assert not fine
    assert str(ready) in message
    ready.touch()
    assert site.runtime.network_condition() == (True, "")
