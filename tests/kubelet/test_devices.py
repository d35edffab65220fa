"""Devices that a kubelet gives to pods, and what the plugins of their networks are told of them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from tests.kubelet.pods import RESOURCE_NAME, KubePod, definition, manifest
from tests.kubelet.settings import DEVICES, RESOURCE, ROOT
from tests.node import PROGRAM
from tools.crikit import crikit

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.cluster import Cluster
    from tests.kubelet.node import KubeNode

    Ask = Callable[..., KubePod]

DEVICE_INFO = "/run/k8s.cni.cncf.io/devinfo/dp"


class Recorder:
    """A program in the runtime's directory of plugins, which notes what it is asked, and answers with an address."""

    def __init__(self, node: KubeNode, name: str) -> None:
        self.name = name
        self._calls = node.directory / f"{name}.calls"
        behaviour = node.directory / f"{name}.behaviour"
        answer = {"cniVersion": "1.0.0", "ips": [{"address": "192.0.2.77/24"}]}
        behaviour.write_text(json.dumps({"ADD": {"stdout": json.dumps(answer)}}))
        program = node.directory / "bin" / name
        program.write_text(
            PROGRAM.format(python=sys.executable, calls=str(self._calls), name=name, behaviour=str(behaviour))
        )
        program.chmod(0o755)

    def network(self, **more: object) -> dict[str, Any]:
        """A network of this program's."""
        return {"cniVersion": "1.0.0", "name": self.name, "type": self.name, **more}

    def has_been_asked(self) -> bool:
        """Whether anybody ever called it."""
        return self._calls.exists()

    def told(self, command: str, pod: KubePod) -> list[dict[str, Any]]:
        """The configurations that came with a verb about a pod, in order."""
        calls = [json.loads(line) for line in self._calls.read_text().splitlines()]
        about = f"K8S_POD_NAME={pod.name}"
        return [
            call["stdin"]
            for call in calls
            if call["command"] == command and about in call["environment"]["CNI_ARGS"].split(";")
        ]


@pytest.fixture
def recorder(node: KubeNode, cluster: Cluster) -> Recorder:
    """Its network wants a device for each attachment."""
    made = Recorder(node, cluster.namespace)
    capabilities = {"deviceID": True, "CNIDeviceInfoFile": True}
    network = made.network(capabilities=capabilities)
    node.apply(definition("vf", cluster.namespace, network, **{RESOURCE_NAME: RESOURCE}))
    return made


@pytest.fixture
def ask(node: KubeNode, cluster: Cluster) -> Ask:
    def ask(name: str, networks: str, devices: int) -> KubePod:
        node.apply(manifest(name, cluster.namespace, node.name, networks, {RESOURCE: devices} if devices else None))
        return KubePod(node, cluster.namespace, name)

    return ask


def given(pod: KubePod) -> list[str]:
    """The devices that the kubelet says a pod has."""
    messages, services = crikit().stubs("podresources")
    with grpc.insecure_channel(f"unix://{pod.node.inside.path(f'{ROOT}/pod-resources/kubelet.sock')}") as channel:
        answer = services.PodResourcesListerStub(channel).List(messages.ListPodResourcesRequest(), timeout=10)
    return [
        device
        for each in answer.pod_resources
        if (each.namespace, each.name) == (pod.namespace, pod.name)
        for container in each.containers
        for found in container.devices
        for device in found.device_ids
    ]


def test_each_attachment_has_a_device_of_its_own(recorder: Recorder, ask: Ask) -> None:
    pods = [ask("first", "vf", 1), ask("second", "vf", 1), ask("both", "vf,vf", 2)]
    used = []
    for pod in pods:
        pod.running()
        told = recorder.told("ADD", pod)
        devices = [config["deviceID"] for config in told]
        assert sorted(devices) == sorted(given(pod))
        assert devices == [config["pciBusID"] for config in told]
        assert devices == [config["runtimeConfig"]["deviceID"] for config in told]
        used += devices
    assert len(set(used)) == len(used) == 4
    for pod in pods:
        pod.delete()
        assert {config["deviceID"] for config in recorder.told("DEL", pod)} <= set(used)


def test_what_the_device_plugin_tells_of_a_device(node: KubeNode, recorder: Recorder, ask: Ask) -> None:
    """Any device may be given: each has its file."""
    for device in DEVICES:
        file = node.inside.path(f"{DEVICE_INFO}/{RESOURCE.replace('/', '-')}-{device}-device.json")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"type": "pci", "version": "1.1.0", "pci": {"pci-address": device}}))
    pod = ask("informed", "vf", 1).running()
    [device] = given(pod)
    [_, entry] = pod.status
    assert entry["device-info"] == {"type": "pci", "version": "1.1.0", "pci": {"pci-address": device}}
    [config] = recorder.told("ADD", pod)
    handed = node.inside.path(config["runtimeConfig"]["CNIDeviceInfoFile"].replace("/var/run/", "/run/"))
    assert json.loads(handed.read_text())["pci"] == {"pci-address": device}
    pod.delete()
    assert not handed.exists()


def test_a_pod_without_the_device_that_its_network_wants(recorder: Recorder, ask: Ask) -> None:
    pod = ask("empty-handed", "vf", 0)
    message = pod.told("InvalidNetworks")
    assert RESOURCE in message
    assert not recorder.has_been_asked()
    pod.delete()


def test_one_device_is_not_given_twice(recorder: Recorder, ask: Ask) -> None:
    pod = ask("wants-too-many", "vf,vf", 1)
    message = pod.told("InvalidNetworks")
    assert RESOURCE in message
    assert not recorder.has_been_asked()
    pod.delete()
