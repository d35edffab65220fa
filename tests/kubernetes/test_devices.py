"""Devices of a kubelet's, on a node whose directories are the test's own: each used once, and its file cleared away."""

from __future__ import annotations

import json
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.deviceinfo import DIRECTORY
from cni_multus.podresources.devices import CHECKPOINT, SOCKET
from tests.kubernetes.site import DEFAULT_NETWORK
from tests.node import in_private_mounts
from tests.podresources.api import pod as resources
from tests.podresources.kubelet import Kubelet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.kubernetes.site import Member, Site

VF = "example.com/vf"
DEVICES = ["0000:03:02.1", "0000:03:02.2"]
INFO = Path(DIRECTORY)


@contextmanager
def kubelet(site: Site, pod: Member, devices: list[str]) -> Iterator[Path]:
    """One that has given a pod these devices; its socket has a name that is short enough for one."""
    with tempfile.TemporaryDirectory(prefix="kubelet") as directory:
        socket = Path(directory) / "socket"
        with Kubelet(socket, resources(pod.name, {VF: devices}, namespace=site.cluster.namespace)):
            yield socket


def on_node(socket: Path | None, work: Callable[[], None], checkpoint: object = None) -> None:
    """Where the kubelet's socket or checkpoint, and the files of its devices, are in their places.

    Nobody else sees them there.
    """

    def enter() -> None:
        for directory in ("/var/lib", "/run"):
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", directory], check=True)
        for path in (SOCKET, CHECKPOINT):
            Path(path).parent.mkdir(parents=True)
        if socket:
            Path(SOCKET).symlink_to(socket)
        if checkpoint:
            Path(CHECKPOINT).write_text(json.dumps(checkpoint))
        (INFO / "dp").mkdir(parents=True)
        for device in DEVICES:
            info = {"type": "pci", "version": "1.1.0", "pci": {"pci-address": device}}
            (INFO / "dp" / f"{VF.replace('/', '-')}-{device}-device.json").write_text(json.dumps(info))
        work()

    in_private_mounts(enter)


@pytest.fixture
def wanted(site: Site) -> dict[str, Any]:
    """A network that wants a device for each attachment."""
    asked = {"deviceID": True, "CNIDeviceInfoFile": True}
    network = {**site.node.program("recorder"), "capabilities": asked}
    site.define("vf", network, resource=VF)
    return network


def test_the_default_network_and_another_share_no_device(site: Site, wanted: dict[str, Any]) -> None:
    """The Go Multus counts for each anew, and gives both the first."""
    here = f"{site.cluster.namespace}/vf"
    pod = site.pod("web", "vf", **{DEFAULT_NETWORK: here})

    def two() -> None:
        site.call("ADD", site.config(), pod).succeeded()
        assert [call["stdin"]["deviceID"] for call in site.node.calls("ADD")] == DEVICES
        assert [call["environment"]["CNI_IFNAME"] for call in site.node.calls("ADD")] == ["eth0", "net1"]
        assert [entry["device-info"]["pci"]["pci-address"] for entry in pod.status] == DEVICES
        site.call("DEL", site.config(), pod).succeeded()
        assert list((INFO / "cni").iterdir()) == []

    with kubelet(site, pod, DEVICES) as socket:
        on_node(socket, two)
    before = site.node.calls()

    def one() -> None:
        message = site.call("ADD", site.config(), pod).failed(7)
        assert f"has 1 of the resource '{VF}'" in message
        assert site.node.calls() == before

    with kubelet(site, pod, DEVICES[:1]) as socket:
        on_node(socket, one)


def test_a_device_that_the_kubelet_gave_to_another_pod_is_refused(site: Site, wanted: dict[str, Any]) -> None:
    """The Go Multus gives the kubelet's in its place, and says nothing; a pod may choose among its own."""
    thief = site.pod("thief", [{"name": "vf", "deviceID": DEVICES[1]}])
    owner = site.pod("owner", [{"name": "vf", "deviceID": DEVICES[0]}])

    def ask() -> None:
        message = site.call("ADD", site.config(), thief).failed(7)
        assert f"the device '{DEVICES[1]}' is none of the resource '{VF}'" in message
        assert site.node.calls() == []
        assert site.node.remains(thief) == {}

    with kubelet(site, thief, DEVICES[:1]) as socket:
        on_node(socket, ask)

    def choose() -> None:
        site.call("ADD", site.config(), owner).succeeded()
        assert [call["stdin"]["runtimeConfig"]["deviceID"] for call in site.node.calls("ADD")] == DEVICES[:1]
        site.call("DEL", site.config(), owner).succeeded()

    with kubelet(site, owner, DEVICES) as socket:
        on_node(socket, choose)


def test_the_checkpoint_serves_where_no_kubelet_listens(site: Site, wanted: dict[str, Any]) -> None:
    pod = site.pod("web", "vf,vf")
    entry = {"PodUID": pod.uid, "ContainerName": "main", "ResourceName": VF, "DeviceIDs": {"-1": DEVICES}}
    checkpoint = {"Data": {"PodDeviceEntries": [entry], "RegisteredDevices": {}}, "Checksum": 1}

    def two() -> None:
        site.call("ADD", site.config(), pod).succeeded()
        told = {call["environment"]["CNI_IFNAME"]: call["stdin"]["deviceID"] for call in site.node.calls("ADD")}
        assert told == {"net1": DEVICES[0], "net2": DEVICES[1]}
        assert [entry["device-info"]["pci"]["pci-address"] for entry in pod.status[1:]] == DEVICES

    on_node(None, two, checkpoint)


def test_garbage_collection_takes_networks_of_annotations_and_files_of_devices(
    site: Site, wanted: dict[str, Any]
) -> None:
    """None of them is named by the configuration, and nobody asks the API for them."""
    site.macvlan("red", "10.7.0.0/24")
    pod, valid = site.pod("web", "red,vf"), site.pod("valid", "red")
    config = site.config()

    def collect() -> None:
        for each in (pod, valid):
            site.call("ADD", config, each).succeeded()
        assert [file.name for file in (INFO / "cni").iterdir()] == [
            f"{site.cluster.namespace}-vf-{pod.container_id}_net2"
        ]
        site.await_delivery()
        asked = len(site.road.calls)
        members = [{"containerID": valid.container_id, "ifname": "eth0"}]
        answer = site.node.call("GC", {**config, "cni.dev/valid-attachments": members})
        answer.succeeded()
        assert len(site.road.calls) == asked
        assert list((INFO / "cni").iterdir()) == []

    with kubelet(site, pod, DEVICES) as socket:
        on_node(socket, collect)
    assert pod.links() == {}
    assert [call["environment"]["CNI_IFNAME"] for call in site.node.calls("DEL")] == ["net2"]
    assert site.node.reserved(f"{site.cluster.namespace}_red").keys() == {"10.7.0.3"}
    assert site.node.records() == [f"{valid.container_id}@eth0"]
    site.call("CHECK", config, valid).succeeded()
