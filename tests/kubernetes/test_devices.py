"""Networks that want a device of the kubelet's: who gets which, what plugins and the pod are told, what is left."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import LIBC, MS_BIND, checked
from tests.kubernetes.site import DEFAULT_NETWORK, Member, Site
from tests.node import CLONE_NEWNS, MS_PRIVATE, MS_REC, Node
from tests.podresources.api import pod
from tests.podresources.kubelet import Kubelet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cni_multus.linux.netns import Namespace
    from tests.cluster.cluster import Cluster
    from tests.conftest import MakeNamespace
    from tests.node import Answer

VF = "example.com/vf"
IDS = ["0000:01:00.3", "0000:01:00.1", "0000:01:00.2"]
INFO = {"type": "pci", "version": "1.1.0", "pci": {"pci-address": "0000:01:00.1"}}
CAPABILITIES = {"deviceID": True, "CNIDeviceInfoFile": True}


class KubeletNode(Node):
    """A node with /var/lib/kubelet and /var/run of its own, under these names for the plugin only."""

    def __init__(self, host: Namespace, root: Path) -> None:
        super().__init__(host, root)
        self.own_run = root / "run"
        self.device_info = self.own_run / "k8s.cni.cncf.io" / "devinfo"
        (self.device_info / "dp").mkdir(parents=True)
        self._short = TemporaryDirectory(prefix="lib")  # a socket's path has 107 characters
        self.lib = Path(self._short.name)
        (self.lib / "kubelet" / "pod-resources").mkdir(parents=True)
        (self.lib / "kubelet" / "device-plugins").mkdir()

    def close(self) -> None:
        self._short.cleanup()

    def run(self, work: Callable[[], int]) -> int:
        def enter() -> int:
            checked(LIBC.unshare(CLONE_NEWNS))
            checked(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
            for directory, place in ((self.lib, b"/var/lib"), (self.own_run, b"/run")):
                checked(LIBC.mount(bytes(directory), place, None, MS_BIND, None))
            return work()

        return super().run(enter)


class Devices:
    """A site with a kubelet, and a network `vf` whose plugin notes what it is told."""

    def __init__(self, site: Site) -> None:
        assert isinstance(site.node, KubeletNode)
        self.site = site
        self.node = site.node
        site.define("vf", self.network("vf"), resource=VF)

    def network(self, name: str) -> dict[str, Any]:
        return {**self.node.program(name), "capabilities": CAPABILITIES}

    def has(self, name: str, *ids: str) -> Kubelet:
        """A kubelet that runs, and has given a pod these."""
        namespace = self.site.cluster.namespace
        socket = self.node.lib / "kubelet" / "pod-resources" / "kubelet.sock"
        return Kubelet(socket, pod(name, {VF: list(ids)}, namespace=namespace))

    def call(self, command: str, member: Member, **config: object) -> Answer:
        return self.site.call(command, self.site.config(**config), member)

    def told(self, command: str) -> list[dict[str, Any]]:
        """What came with a verb, by the interfaces: programs run side by side."""
        calls = sorted(self.node.calls(command), key=lambda call: str(call["environment"]["CNI_IFNAME"]))
        return [call["stdin"] for call in calls]

    def files(self) -> list[str]:
        """The device-info files of attachments."""
        directory = self.node.device_info / "cni"
        return sorted(os.listdir(directory)) if directory.exists() else []


@pytest.fixture
def devices(cluster: Cluster, host: Namespace, netns: MakeNamespace, tmp_path: Path) -> Iterator[Devices]:
    (tmp_path / "node").mkdir()
    found = Devices(Site(cluster, host, netns, tmp_path / "node", KubeletNode))
    yield found
    found.node.close()


def test_each_network_has_one_and_is_told_which(devices: Devices) -> None:
    (devices.node.device_info / "dp" / f"{VF.replace('/', '-')}-0000:01:00.1-device.json").write_text(json.dumps(INFO))
    member = devices.site.pod("web", "vf,vf@two")
    with devices.has("web", *IDS) as kubelet:
        devices.call("ADD", member).succeeded()
    assert kubelet.calls == ["Get"]
    first, second = devices.told("ADD")
    assert [first["deviceID"], second["deviceID"]] == ["0000:01:00.1", "0000:01:00.2"]
    for told in (first, second):
        assert told["pciBusID"] == told["runtimeConfig"]["deviceID"] == told["deviceID"]
    path = first["runtimeConfig"]["CNIDeviceInfoFile"]
    assert path.startswith("/var/run/k8s.cni.cncf.io/devinfo/cni/")
    assert path.endswith(f"-{member.container_id}_net1")
    assert devices.files() == [os.path.basename(path)]
    assert [entry["device-info"] for entry in member.status if "device-info" in entry] == [INFO]
    devices.call("DEL", member).succeeded()
    assert devices.files() == []
    assert [told["deviceID"] for told in devices.told("DEL")] == ["0000:01:00.1", "0000:01:00.2"]


def test_the_default_network_s_device_is_not_given_twice(devices: Devices) -> None:
    member = devices.site.pod("web", "vf", **{DEFAULT_NETWORK: "vf"})
    with devices.has("web", *IDS[:2]):
        devices.call("ADD", member, multusNamespace=devices.site.cluster.namespace).succeeded()
    assert [told["deviceID"] for told in devices.told("ADD")] == ["0000:01:00.1", "0000:01:00.3"]


def test_a_device_that_an_element_names_is_left_out(devices: Devices) -> None:
    member = devices.site.pod("web", [{"name": "vf"}, {"name": "vf", "deviceID": "0000:01:00.1"}])
    with devices.has("web", *IDS):
        devices.call("ADD", member).succeeded()
    assert [told["runtimeConfig"]["deviceID"] for told in devices.told("ADD")] == ["0000:01:00.2", "0000:01:00.1"]


@pytest.mark.parametrize(
    ("ids", "said"),
    [([], "has no device of the resource 'example.com/vf'"), (IDS[:1], "has 1 of the resource 'example.com/vf'")],
)
def test_too_few_devices_are_told_before_anything_is_attached(devices: Devices, ids: list[str], said: str) -> None:
    member = devices.site.pod("web", "vf,vf")
    with devices.has("web", *ids):
        answer = devices.call("ADD", member)
    assert said in answer.failed(7)
    assert devices.node.calls() == []
    assert devices.node.remains(member) == {}
    assert devices.files() == []
    devices.site.await_delivery()
    assert said in devices.site.events("InvalidNetworks")[0]


def test_the_checkpoint_serves_where_no_kubelet_listens(devices: Devices) -> None:
    member = devices.site.pod("web", "vf")
    entry = {"PodUID": member.uid, "ContainerName": "c", "ResourceName": VF, "DeviceIDs": {"0": IDS}, "AllocResp": ""}
    path = devices.node.lib / "kubelet" / "device-plugins" / "kubelet_internal_checkpoint"
    path.write_text(json.dumps({"Data": {"PodDeviceEntries": [entry], "RegisteredDevices": {}}, "Checksum": 1}))
    devices.call("ADD", member).succeeded()
    assert [told["deviceID"] for told in devices.told("ADD")] == ["0000:01:00.1"]


def test_without_a_kubelet_it_is_tried_again_later(devices: Devices) -> None:
    member = devices.site.pod("web", "vf")
    assert "no kubelet listens" in devices.call("ADD", member).failed(11)
    assert devices.node.remains(member) == {}


def test_a_failed_attachment_leaves_no_device_info(devices: Devices) -> None:
    for each in IDS:
        file = devices.node.device_info / "dp" / f"{VF.replace('/', '-')}-{each}-device.json"
        file.write_text(json.dumps({"type": "pci", "version": "1.0.0", "pci": {"pci-address": each}}))
    devices.node.program("vf", ADD={"status": 1, "stdout": json.dumps({"code": 7, "msg": "no"})})
    member = devices.site.pod("web", "vf")
    with devices.has("web", *IDS):
        devices.call("ADD", member).failed(7)
    assert devices.files() == []


def test_a_pod_without_such_networks_asks_nobody(devices: Devices) -> None:
    devices.site.macvlan("plain", "10.2.0.0/24")
    member = devices.site.pod("web", "plain")
    with devices.has("web", *IDS) as kubelet:
        devices.call("ADD", member).succeeded()
    assert kubelet.calls == []
