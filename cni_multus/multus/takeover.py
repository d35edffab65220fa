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


def find_record(cni_dir: str, request: Request, remembered: list[libcni_cache.Entry] | None = None) -> Record | None:
    """The record that a Go Multus's files amount to, None where it left none.

    `remembered` is what libcni's cache has of the container, where the caller has read it. Raises DecodingFailure where
    there are files of which nothing can be read.
    """
    path = os.path.join(cni_dir, request.container_id)
    data = _read_scratch(path)
    if remembered is None:
        remembered = libcni_cache.entries(results(cni_dir), container_id=request.container_id)
    cached = {entry.ifname: entry for entry in remembered}
    if data is None and not cached:
        return None
    record = Record(request.container_id, request.ifname, request.netns, request.arguments)
    record.complete = True
    record.attachments = _listed(data, path, request)
    known = {attachment.ifname: attachment for attachment in record.attachments}
    for ifname in sorted(cached, key=lambda name: (name != request.ifname, len(name), name)):
        if ifname in known:
            _add_cached(known[ifname], cached[ifname])
        elif lost := _from_cache(cached[ifname]):
            record.attachments.append(lost)
    if not record.attachments and data != b"[]":
        raise DecodingFailure(f"{path}, written by the Go Multus, cannot be read, and {results(cni_dir)} knows nothing")
    if not record.arguments and request.ifname in cached:
        record.arguments = dict(cached[request.ifname].cni_args)
    return record


def forget(cni_dir: str, container_id: str) -> None:
    """Remove what the Go Multus left of a container."""
    path = os.path.join(cni_dir, container_id)
    if not os.path.isdir(path):
        remove(path)
    for entry in libcni_cache.entries(results(cni_dir), container_id=container_id):
        libcni_cache.remove(results(cni_dir), entry)
    remove(coming(cni_dir, container_id))


def results(cni_dir: str) -> str:
    """Where libcni keeps its cache."""
    return os.path.join(cni_dir, "results")


def coming(cni_dir: str, container_id: str) -> str:
    """The name of what is written there for a container, until it is whole."""
    return os.path.join(results(cni_dir), f".multus-{container_id}")


def _read_scratch(path: str) -> bytes | None:
    """What the file holds, None where there is none: a directory of the name is one of ours."""
    return None if os.path.isdir(path) else read(path)


def _listed(data: bytes | None, path: str, request: Request) -> list[Attachment]:
    """What the scratch file lists; nothing where it was cut by a power loss: libcni's cache may still know."""
    try:
        value = parse(data, path) if data else []
        delegates = objects(value, "") if isinstance(value, list) else ()
        names = [delegate.text("ifnameRequest") for delegate in delegates]
    except CniError:
        return []
    found = []
    for at, (delegate, asked) in enumerate(zip(delegates, names, strict=True)):
        ifname = asked or (f"net{at}" if at else request.ifname)
        if attachment := _from_scratch(delegate, ifname, request):
            found.append(attachment)
    return found


def _from_scratch(delegate: Section, ifname: str, request: Request) -> Attachment | None:
    try:
        network = parse_object(a2b_base64(delegate.text("Bytes")), "Bytes")
        if not network.get("name"):
            network["name"] = delegate.text("Name")
        addresses = delegate.items("ipRequest")
    except (CniError, NotBase64, ValueError):
        return None
    capabilities: dict[str, object] = {"ips": addresses} if addresses else {}
    for key, name in (("macRequest", "mac"), ("infinibandGUIDRequest", "infinibandGUID"), ("deviceID", "deviceID")):
        if delegate.value(key):
            capabilities[name] = delegate.value(key)
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
