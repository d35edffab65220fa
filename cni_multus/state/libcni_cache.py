"""libcni's result cache, which Go runtimes, the Go cnitool and the Go Multus keep: read, and written as they do.

    <directory>/<network>-<containerID>-<ifname>     {"kind": "cniCacheV1", "containerId": …, "config": base64, …}

`directory` is `/var/lib/cni/results`, or `<cniDir>/results` for Multus. All three parts of the name may contain '-',
so a file is identified by what it holds. libcni writes in place: a file that a crash cut counts as none.
"""

from __future__ import annotations

import os
from binascii import Error as NotBase64
from binascii import a2b_base64, b2a_base64

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object, print_compact
from cni_multus.cni.errors import CniError, DecodingFailure, IoFailure
from cni_multus.state import files

KIND = "cniCacheV1"


class Entry:
    """One attachment: the network list it was made from, as bytes, and what came of it."""

    __slots__ = ("capability_args", "cni_args", "config", "container_id", "ifname", "netns", "network", "result")

    def __init__(self, network: str, container_id: str, ifname: str, *, netns: str = "", config: bytes = b"") -> None:
        self.network = network
        self.container_id = container_id
        self.ifname = ifname
        self.netns = netns
        self.config = config
        self.cni_args: list[tuple[str, str]] = []
        self.capability_args: dict[str, object] = {}
        self.result: dict[str, object] | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from every other."""
        return self.network, self.container_id, self.ifname

    @property
    def name(self) -> str:
        """The name of its file."""
        return "-".join(self.key)

    @staticmethod
    def parse(data: bytes, what: str) -> Entry:
        """Read a file's content; raises CniError for what is cut, damaged, or of another kind."""
        document = Section(parse_object(data, what))
        if document.text("kind") != KIND:
            raise DecodingFailure(f"{what}: kind is {document.text('kind')!r}, not {KIND}")
        entry = Entry(document.text("networkName"), document.text("containerId"), document.text("ifName"))
        if not all(entry.key):
            raise DecodingFailure(f"{what} does not name a network, a container and an interface")
        entry.netns = document.text("netns")
        try:
            entry.config = a2b_base64(document.text("config"))
        except (NotBase64, ValueError) as error:
            raise DecodingFailure(f"{what}: config: {error}") from error
        entry.cni_args = [_pair(member, what) for member in document.items("cniArgs")]
        entry.capability_args = document.section("capabilityArgs").raw
        if document.has("result"):
            entry.result = document.section("result").raw
        return entry

    def to_json(self) -> dict[str, object]:
        """The inverse of `parse`."""
        shown: dict[str, object] = {
            "kind": KIND,
            "containerId": self.container_id,
            "config": b2a_base64(self.config, newline=False).decode(),
            "ifName": self.ifname,
            "networkName": self.network,
        }
        if self.netns:
            shown["netns"] = self.netns
        if self.cni_args:
            shown["cniArgs"] = [list(pair) for pair in self.cni_args]
        if self.capability_args:
            shown["capabilityArgs"] = self.capability_args
        if self.result is not None:
            shown["result"] = self.result
        return shown


def entries(directory: str, *, container_id: str = "", network: str = "") -> list[Entry]:
    """Every attachment that is remembered, of one container or network if asked; what cannot be read is passed over."""
    found = []
    for name in _names(directory):
        if container_id in name and network in name:
            entry = _find(os.path.join(directory, name))
            # One that has another name than it says would lead to another file.
            if entry is None or entry.name != name:
                continue
            if container_id in ("", entry.container_id) and network in ("", entry.network):
                found.append(entry)
    return found


def read(directory: str, network: str, container_id: str, ifname: str) -> Entry | None:
    """One attachment, None where nothing readable is remembered of it."""
    wanted = Entry(network, container_id, ifname)
    found = _find(os.path.join(directory, wanted.name))
    return found if found is not None and found.key == wanted.key else None


def write(directory: str, entry: Entry, *, temporary: str = "") -> None:
    """Remember an attachment; IoFailure where that is not possible, or another one has the file's name.

    `temporary` is the file's name until it is whole, where one at a time writes it.
    """
    path = os.path.join(directory, entry.name)
    other = _find(path)
    if other is not None and other.key != entry.key:
        raise IoFailure(f"cannot write {path}: it belongs to network {other.network}, container {other.container_id}")
    files.make_directory(directory, 0o700)
    files.write_atomically(path, print_compact(entry.to_json()), temporary=temporary)


def remove(directory: str, entry: Entry) -> None:
    """Forget an attachment; succeeds where nothing is remembered, and leaves what is another one's."""
    path = os.path.join(directory, entry.name)
    other = _find(path)
    if other is None or other.key == entry.key:
        files.remove(path)


def _find(path: str) -> Entry | None:
    try:
        data = files.read(path)
        return None if data is None else Entry.parse(data, path)
    except CniError:
        return None


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _pair(member: object, what: str) -> tuple[str, str]:
    if isinstance(member, list) and len(member) == 2:
        key, value = member
        if isinstance(key, str) and isinstance(value, str):
            return key, value
    raise DecodingFailure(f"{what}: cniArgs is not a list of pairs")
