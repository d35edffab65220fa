"""What was attached to whom: one file per sandbox, written before the first change and after the last.

    <cniDir>/journal/<containerID>@<ifname>     {"format": 1, "crc32": …, "record": {…}}
    <cniDir>/locks/<containerID>                held while a request for the container runs

A container ID has no '@', so the first one ends it. The file is the only thing that DEL, CHECK and GC need.
"""

from __future__ import annotations

import os
import time
from binascii import crc32

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object, print_compact
from cni_multus.cni.errors import CniError, DecodingFailure
from cni_multus.cni.result import Result
from cni_multus.cni.versions import NEWEST
from cni_multus.state.files import make_directory, read, remove, write_atomically

FORMAT = 1
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Attachment:
    """One network of a sandbox: its configuration as it was, and what came of it (None until it is attached)."""

    __slots__ = ("capabilities", "ifname", "network", "result", "status", "version")

    def __init__(self, network: dict[str, object], version: str, ifname: str, capabilities: dict[str, object]) -> None:
        self.network = network
        self.version = version
        self.ifname = ifname
        self.capabilities = capabilities
        self.result: Result | None = None
        self.status: list[dict[str, object]] = []

    @staticmethod
    def parse(section: Section) -> Attachment:
        """Read one member of a record."""
        attachment = Attachment(
            section.section("network").raw,
            section.text("version"),
            section.text("ifname"),
            section.section("capabilities").raw,
        )
        if section.has("result"):
            attachment.result = Result.parse(section.section("result"), NEWEST)
        attachment.status = [entry.raw for entry in section.sections("status")]
        return attachment

    def to_json(self) -> dict[str, object]:
        """The inverse of `parse`."""
        return {
            "network": self.network,
            "version": self.version,
            "ifname": self.ifname,
            "capabilities": self.capabilities,
            "result": self.result.to_json(NEWEST) if self.result else None,
            "status": self.status,
        }


class Record:
    """A sandbox and its attachments, the primary first; `complete` once every one of them is attached."""

    __slots__ = (
        "arguments",
        "attachments",
        "boot",
        "complete",
        "container_id",
        "created",
        "failed",
        "ifname",
        "netns",
        "netns_id",
    )

    def __init__(self, container_id: str, ifname: str, netns: str, arguments: dict[str, str]) -> None:
        self.container_id = container_id
        self.ifname = ifname
        self.netns = netns
        self.netns_id = _identity(netns)
        self.arguments = arguments
        self.boot = _boot_id()
        self.created = int(time.time())
        self.complete = False
        self.failed = False
        self.attachments: list[Attachment] = []

    @staticmethod
    def parse(section: Section) -> Record:
        """Read a record."""
        arguments = section.section("arguments")
        record = Record(
            section.text("containerID"),
            section.text("ifname"),
            "",
            {key: arguments.text(key) for key in arguments.raw},
        )
        record.netns = section.text("netns")
        record.netns_id = section.text("netnsID")
        record.boot = section.text("boot")
        record.created = section.number("created", high=1 << 60)
        record.complete = section.flag("complete")
        record.failed = section.flag("failed")
        record.attachments = [Attachment.parse(member) for member in section.sections("attachments")]
        return record

    def to_json(self) -> dict[str, object]:
        """The inverse of `parse`."""
        return {
            "containerID": self.container_id,
            "ifname": self.ifname,
            "netns": self.netns,
            "netnsID": self.netns_id,
            "arguments": self.arguments,
            "boot": self.boot,
            "created": self.created,
            "complete": self.complete,
            "failed": self.failed,
            "attachments": [attachment.to_json() for attachment in self.attachments],
        }

    def living_netns(self) -> str:
        """The path of the sandbox's namespace if it is still that one; a path may be somebody else's by now."""
        alive = self.boot == _boot_id() and self.netns_id and _identity(self.netns) == self.netns_id
        return self.netns if alive else ""


class Journal:
    """The records of one `cniDir`."""

    __slots__ = ("_directory",)

    def __init__(self, cni_dir: str) -> None:
        self._directory = os.path.join(cni_dir, "journal")

    def write(self, record: Record) -> None:
        """Make the record durable."""
        make_directory(self._directory, 0o700)
        body = record.to_json()
        document = {"format": FORMAT, "crc32": crc32(print_compact(body)), "record": body}
        write_atomically(self._path(record.container_id, record.ifname), print_compact(document))

    def find(self, container_id: str, ifname: str) -> Record | None:
        """The record of a sandbox; raises DecodingFailure where the file is not what was written."""
        path = self._path(container_id, ifname)
        data = read(path)
        return None if data is None else _parse(data, path)

    def remove(self, container_id: str, ifname: str) -> None:
        """Forget a sandbox."""
        remove(self._path(container_id, ifname))

    def keys(self) -> list[tuple[str, str]]:
        """(container ID, interface) of every record."""
        try:
            names = os.listdir(self._directory)
        except OSError:
            return []
        split = [name.partition("@") for name in sorted(names) if not name.startswith(".")]
        return [(container_id, ifname) for container_id, at, ifname in split if at]

    def records(self) -> list[Record]:
        """Every record that can be read."""
        found = []
        for container_id, ifname in self.keys():
            try:
                record = self.find(container_id, ifname)
            except CniError:
                continue
            if record is not None:
                found.append(record)
        return found

    def _path(self, container_id: str, ifname: str) -> str:
        return os.path.join(self._directory, f"{container_id}@{ifname}")


def _parse(data: bytes, path: str) -> Record:
    document = Section(parse_object(data, path))
    body = document.section("record").raw
    if document.number("format") != FORMAT or document.number("crc32") != crc32(print_compact(body)):
        raise DecodingFailure(f"{path} is not a journal record of format {FORMAT}, or is damaged")
    return Record.parse(Section(body, "record"))


def _identity(netns: str) -> str:
    try:
        found = os.stat(netns)
    except (OSError, ValueError):
        return ""
    return f"{found.st_dev}:{found.st_ino}"


def _boot_id() -> str:
    try:
        with open(_BOOT_ID, "rb", buffering=0) as file:
            return file.read().decode().strip()
    except OSError:
        return ""
