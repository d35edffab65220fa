"""A sandbox that the Go Multus attached: its scratch file and libcni's cache, read as a journal record.

Formats: multus-cni 4, `<cniDir>/<containerID>` (a list of delegates, `Bytes` their configuration in base64), and
libcni 1.3, `<cniDir>/results/<network>-<containerID>-<ifname>`.
"""

from __future__ import annotations

import os
from binascii import Error as NotBase64
from binascii import a2b_base64

from cni_multus.cni.config import Section, objects
from cni_multus.cni.document import parse, parse_object
from cni_multus.cni.errors import CniError, DecodingFailure
from cni_multus.cni.result import Result
from cni_multus.cni.versions import OLDEST
from cni_multus.state import libcni_cache
from cni_multus.state.files import read, remove
from cni_multus.state.journal import Attachment, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request


def find_record(cni_dir: str, request: Request) -> Record | None:
    """The record that a Go Multus's files amount to, None where it left none (or none that can be read)."""
    path = os.path.join(cni_dir, request.container_id)
    data = read(path)
    cached = {
        entry.ifname: entry for entry in libcni_cache.entries(results(cni_dir), container_id=request.container_id)
    }
    if data is None and not cached:
        return None
    record = Record(request.container_id, request.ifname, request.netns, request.arguments)
    record.complete = True
    delegates = _delegates(data, path)
    for at, delegate in enumerate(delegates):
        ifname = delegate.text("ifnameRequest") or (f"net{at}" if at else request.ifname)
        attachment = _from_scratch(delegate, ifname, request)
        if attachment is not None:
            record.attachments.append(attachment)
    known = {attachment.ifname for attachment in record.attachments}
    for ifname, entry in cached.items():
        if ifname in known:
            _add_cached(next(one for one in record.attachments if one.ifname == ifname), entry)
        else:
            lost = _from_cache(entry)
            if lost is not None:
                record.attachments.append(lost)
    return record if record.attachments else None


def forget(cni_dir: str, container_id: str) -> None:
    """Remove what the Go Multus left of a container."""
    remove(os.path.join(cni_dir, container_id))
    for entry in libcni_cache.entries(results(cni_dir), container_id=container_id):
        libcni_cache.remove(results(cni_dir), entry)


def results(cni_dir: str) -> str:
    """Where libcni keeps its cache."""
    return os.path.join(cni_dir, "results")


def _delegates(data: bytes | None, path: str) -> tuple[Section, ...]:
    try:
        value = parse(data, path) if data else []
        return objects(value, "") if isinstance(value, list) else ()
    except DecodingFailure:
        return ()  # cut by a power loss; libcni's cache may still know


def _from_scratch(delegate: Section, ifname: str, request: Request) -> Attachment | None:
    try:
        network = parse_object(a2b_base64(delegate.text("Bytes")), "Bytes")
    except (CniError, NotBase64, ValueError):
        return None
    if not network.get("name"):
        network["name"] = delegate.text("Name")
    capabilities: dict[str, object] = {}
    for key, name in (("macRequest", "mac"), ("infinibandGUIDRequest", "infinibandGUID"), ("deviceID", "deviceID")):
        if delegate.value(key):
            capabilities[name] = delegate.value(key)
    if delegate.items("ipRequest"):
        capabilities["ips"] = delegate.items("ipRequest")
    return Attachment(network, request.config.text("cniVersion"), ifname, capabilities)


def _add_cached(attachment: Attachment, entry: libcni_cache.Entry) -> None:
    attachment.capabilities = {**entry.capability_args, **attachment.capabilities}
    if entry.result is not None:
        try:
            attachment.result = Result.parse(Section(entry.result), OLDEST)
        except CniError:
            attachment.result = None


def _from_cache(entry: libcni_cache.Entry) -> Attachment | None:
    try:
        network = parse_object(entry.config, "config")
    except CniError:
        return None
    attachment = Attachment(network, "", entry.ifname, {})
    _add_cached(attachment, entry)
    return attachment
