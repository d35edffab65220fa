"""The file in which the kubelet's device manager keeps what it gave whom; read where the kubelet cannot be asked.

    {"Data": {"PodDeviceEntries": [{"PodUID": ..., "ResourceName": ..., "DeviceIDs": ...}, ...]}, "Checksum": ...}

`DeviceIDs` is a list with kubelets before 1.20, and lists by NUMA node since. The kubelet replaces the file by a
rename, so that its checksum needs no second look.
"""

from __future__ import annotations

from cni_multus.cni.document import name_of_type, parse_object
from cni_multus.cni.errors import DecodingFailure
from cni_multus.state import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.podresources.messages import Allotted


def read(path: str, uid: str) -> Allotted | None:
    """What the pod has, nothing where it does not stand there; None where there is no file."""
    data = files.read(path, follow=True)
    if data is None:
        return None
    what = f"the kubelet's checkpoint {path}"
    inner = parse_object(data, what, files.LARGEST).get("Data")
    entries = inner.get("PodDeviceEntries") if isinstance(inner, dict) else inner
    if not isinstance(inner, dict) or not (entries is None or isinstance(entries, list)):
        raise DecodingFailure(f"{what} is not one: there is no list Data.PodDeviceEntries")
    found: Allotted = {}
    for at, entry in enumerate(entries or ()):
        if isinstance(entry, dict) and entry.get("PodUID") == uid:
            place = f"{what}: Data.PodDeviceEntries[{at}]"
            resource = entry.get("ResourceName")
            if not isinstance(resource, str):
                raise DecodingFailure(f"{place}.ResourceName is not a string but {name_of_type(resource)}")
            found.setdefault(resource, set()).update(_ids(entry.get("DeviceIDs"), f"{place}.DeviceIDs"))
    return found


def _ids(value: object, place: str) -> Iterator[str]:
    if isinstance(value, dict):
        for node, ids in value.items():
            yield from _ids(ids or [], f"{place}.{node}")
    elif isinstance(value, list) and all(isinstance(member, str) for member in value):
        yield from value
    elif value is not None:
        raise DecodingFailure(f"{place} is neither a list of strings nor lists by NUMA node")
