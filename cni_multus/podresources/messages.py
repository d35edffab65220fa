"""What the kubelet's PodResources API sends (protobuf; k8s.io/kubelet/pkg/apis/podresources/v1/api.proto).

A reader of the few fields that are needed, which skips the others, those of dynamic resource allocation among them.
"""

from __future__ import annotations

from cni_multus.podresources.faults import Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Allotted = dict[str, set[str]]
    """Device IDs by the resource that they are of."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def pod_request(namespace: str, pod: str) -> bytes:
    """GetPodResourcesRequest: pod_name = 1, pod_namespace = 2."""
    return _text(1, pod) + _text(2, namespace)


def devices_of(answer: memoryview, namespace: str, pod: str) -> Allotted | None:
    """What a pod has; None where it is not in the answer.

    GetPodResourcesResponse and ListPodResourcesResponse have the pods in the same place: pod_resources = 1.
    """
    found: Allotted | None = None
    names = {1: pod.encode("utf-8", "surrogateescape"), 2: namespace.encode("utf-8", "surrogateescape")}
    for number, resources in _fields(answer):
        if number != 1:
            continue
        # PodResources: name = 1, namespace = 2, containers = 3; of a string that comes twice the last one counts.
        said = {inner: bytes(value) for inner, value in _fields(resources) if inner in names and len(value) < 1024}
        if said == names:
            found = {} if found is None else found
            for inner, container in _fields(resources):
                if inner == 3:
                    _add_container(found, container)
    return found


def _add_container(found: Allotted, container: memoryview) -> None:
    """ContainerResources: devices = 2. ContainerDevices: resource_name = 1, device_ids = 2."""
    for number, devices in _fields(container):
        if number != 2:
            continue
        resource = ""
        ids: set[str] = set()
        for inner, value in _fields(devices):
            if inner == 1:
                resource = _string(value)
            elif inner == 2:
                ids.add(_string(value))
        found.setdefault(resource, set()).update(ids)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of each field that has a length; the others are stepped over."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            _, at = _varint(message, at)
        elif kind == _BYTES:
            size, at = _varint(message, at)
            if size > end - at:
                raise Malformed("a field of its answer is longer than the answer")
            yield key >> 3, message[at : at + size]
            at += size
        elif kind in {_FIXED32, _FIXED64}:
            at += 4 if kind == _FIXED32 else 8
        else:
            raise Malformed(f"a field of its answer has the type {kind}, which there is none of")
    if at > end:
        raise Malformed("its answer ends within a field")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(message[at : at + 10]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value, at + shift + 1
    raise Malformed("a number in its answer has no end")


def _string(value: memoryview) -> str:
    try:
        return bytes(value).decode()
    except UnicodeDecodeError:
        raise Malformed(f"a name in its answer is not UTF-8: {bytes(value[:80])!r}") from None


def _text(number: int, value: str) -> bytes:
    data = value.encode("utf-8", "surrogateescape")
    size = len(data)
    length = bytes((size,)) if size < 0x80 else bytes((size & 0x7F | 0x80, size >> 7))  # less than 16 KiB
    return bytes((number << 3 | _BYTES,)) + length + data
