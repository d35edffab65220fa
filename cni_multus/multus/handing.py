"""What the Go Multus would have left of a sandbox, written for it: the inverse of `takeover`.

Its DEL begins with the scratch file, so that is written last: until then the sandbox is on record with us.
"""

from __future__ import annotations

import os
from binascii import b2a_base64

from cni_multus.cni.document import print_compact
from cni_multus.cni.errors import IoFailure
from cni_multus.multus.plan import Planned
from cni_multus.multus.takeover import coming, results
from cni_multus.state import files, libcni_cache
from cni_multus.state.libcni_cache import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.network import Network
    from cni_multus.state.journal import Attachment, Record

_REQUESTS = (("mac", "macRequest"), ("infinibandGUID", "infinibandGUIDRequest"), ("deviceID", "deviceID"))
"""Capabilities that the Go Multus keeps in the scratch file; libcni's cache has the others."""


def write(cni_dir: str, record: Record) -> None:
    """Write it, durable; raises what keeps that from being possible."""
    path = os.path.join(cni_dir, record.container_id)
    if os.path.isdir(path):
        raise IoFailure(f"{path} is a directory: the Go Multus could keep nothing of container {record.container_id}")
    temporary = coming(cni_dir, record.container_id)
    planned = [(Planned.recorded(attachment), attachment) for attachment in record.attachments]
    for one, attachment in planned:
        libcni_cache.write(results(cni_dir), _entry(record, one, attachment), temporary=temporary)
    scratch = [_delegate(record, at, one) for at, (one, _) in enumerate(planned)]
    files.write_atomically(path, print_compact(scratch), temporary=temporary)


def whole(network: Network) -> dict[str, object]:
    """The configuration as libcni needs it, with the name and the version that were found elsewhere."""
    return {**network.raw, "name": network.name, "cniVersion": network.version}


def _entry(record: Record, planned: Planned, attachment: Attachment) -> Entry:
    network = planned.network
    entry = Entry(
        network.name, record.container_id, planned.ifname, netns=record.netns, config=print_compact(whole(network))
    )
    entry.cni_args = list({"IgnoreUnknown": "true", **record.arguments, **attachment.arguments}.items())
    entry.capability_args = attachment.capabilities
    entry.result = attachment.result.to_json(network.version) if attachment.result else None
    return entry


def _delegate(record: Record, at: int, planned: Planned) -> dict[str, object]:
    """One object of the scratch file (multus-cni 4, types.DelegateNetConf)."""
    network, asked = planned.network, planned.capabilities.raw
    head: dict[str, object] = {"cniVersion": network.version, "name": network.name}
    is_list = "plugins" in network.raw
    usual = f"net{at}" if at else record.ifname
    return {
        "Conf": {} if is_list else {**head, "type": network.types[0]},
        # It takes what has a member here for a list.
        "ConfList": {**head, "plugins": [{"type": kind} for kind in network.types]} if is_list else {},
        "Name": network.name,
        "ifnameRequest": "" if planned.ifname == usual else planned.ifname,
        **{key: asked.get(capability, "") for capability, key in _REQUESTS},
        "ipRequest": asked.get("ips") or None,
        "default-route": None,
        "IsFilterV4Gateway": False,
        "IsFilterV6Gateway": False,
        "resourceName": "",
        "Bytes": b2a_base64(print_compact(whole(network)), newline=False).decode(),
    }
