"""The messages of the PodResources API, as protobuf itself makes and reads them.

From k8s.io/kubelet/pkg/apis/podresources/v1/api.proto: names and numbers, without what nobody here looks at.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_STRING, _INT64, _MESSAGE = 9, 3, 11
_ONE, _MANY = 1, 3

_MESSAGES: dict[str, list[tuple[str, int, int, int, str]]] = {
    "NUMANode": [("ID", 1, _INT64, _ONE, "")],
    "TopologyInfo": [("nodes", 1, _MESSAGE, _MANY, "NUMANode")],
    "ContainerMemory": [
        ("memory_type", 1, _STRING, _ONE, ""),
        ("size", 2, 4, _ONE, ""),
        ("topology", 3, _MESSAGE, _ONE, "TopologyInfo"),
    ],
    "ContainerDevices": [
        ("resource_name", 1, _STRING, _ONE, ""),
        ("device_ids", 2, _STRING, _MANY, ""),
        ("topology", 3, _MESSAGE, _ONE, "TopologyInfo"),
    ],
    "DynamicResource": [("class_name", 1, _STRING, _ONE, ""), ("claim_name", 2, _STRING, _ONE, "")],
    "ContainerResources": [
        ("name", 1, _STRING, _ONE, ""),
        ("devices", 2, _MESSAGE, _MANY, "ContainerDevices"),
        ("cpu_ids", 3, _INT64, _MANY, ""),
        ("memory", 4, _MESSAGE, _MANY, "ContainerMemory"),
        ("dynamic_resources", 5, _MESSAGE, _MANY, "DynamicResource"),
    ],
    "PodResources": [
        ("name", 1, _STRING, _ONE, ""),
        ("namespace", 2, _STRING, _ONE, ""),
        ("containers", 3, _MESSAGE, _MANY, "ContainerResources"),
    ],
    "ListPodResourcesRequest": [],
    "ListPodResourcesResponse": [("pod_resources", 1, _MESSAGE, _MANY, "PodResources")],
    "GetPodResourcesRequest": [("pod_name", 1, _STRING, _ONE, ""), ("pod_namespace", 2, _STRING, _ONE, "")],
    "GetPodResourcesResponse": [("pod_resources", 1, _MESSAGE, _ONE, "PodResources")],
}


def _file() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="podresources.proto", package="v1", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, label, of in fields:
            message.field.add(name=field, number=number, type=kind, label=label, type_name=f".v1.{of}" if of else None)
    return file


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_file())


def message(name: str) -> Any:
    """The class of a message."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"v1.{name}"))


def pod(name: str, *containers: dict[str, list[str]], namespace: str = "blue") -> Any:
    """A pod whose containers have these device IDs, by their resources, and some other things."""
    found = message("PodResources")(name=name, namespace=namespace)
    for at, devices in enumerate(containers):
        container = found.containers.add(name=f"c{at}", cpu_ids=[1, 2, 300])
        container.memory.add(memory_type="memory", size=1 << 40).topology.nodes.add(ID=-1)
        container.dynamic_resources.add(class_name="example.com", claim_name="claim")
        for resource, ids in devices.items():
            # As the kubelet does it: one entry for each NUMA node, or device.
            for half in (ids[::2], ids[1::2]):
                container.devices.add(resource_name=resource, device_ids=half).topology.nodes.add(ID=1)
    return found
