"""What was attached to whom: one file per call of a runtime, written before the first change and after the last.

    <cniDir>/journal/<containerID>@<ifname>

A container ID has no '@', so the first one ends it. The file is one of `lines`, each synced: the plan first, then what
came of it, then what a DEL could not remove. It is also the lock: whoever works for the sandbox holds a flock on it. It
is all that DEL, CHECK and GC need.
"""

from __future__ import annotations

import os
import time

from cni_multus.cni.config import Section
from cni_multus.cni.errors import DecodingFailure
from cni_multus.cni.result import Result
from cni_multus.cni.versions import NEWEST
from cni_multus.state import files, lines
from cni_multus.state.lock import Lock

FORMAT = 1
SWEEP_WAIT = 60.0
"""Seconds that an ADD waits for a GC, or a GC for another."""
CLOSED = "closed"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Attachment:
    """One network of a sandbox: its configuration as it was, and what came of it (None until it is attached)."""

    __slots__ = ("arguments", "capabilities", "ifname", "label", "network", "result", "status", "version")

    def __init__(self, network: dict[str, object], version: str, ifname: str, capabilities: dict[str, object]) -> None:
        self.network = network
        self.version = version
        self.ifname = ifname
        self.capabilities = capabilities
        self.arguments: dict[str, str] = {}
        """Of CNI_ARGS, what holds for this network alone."""
        self.label = ""
        """What network-status calls it: a definition's namespace and name, or the network's own name."""
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
        arguments = section.section("arguments")
        attachment.arguments = {key: arguments.text(key) for key in arguments.raw}
        attachment.label = section.text("label")
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
            "arguments": self.arguments,
            "label": self.label,
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
            "format": FORMAT,
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

    @property
    def key(self) -> str:
        """What the runtime's own call was about (`Request.sandbox`)."""
        return f"{self.container_id}@{self.ifname}"

    def is_of(self, netns: str) -> bool:
        """Whether `netns` is the namespace that the record is of: a path may be another one's by now."""
        return self.boot == _boot_id() and self.netns_id != "" and _identity(netns) == self.netns_id

    def sandbox(self, netns: str) -> str:
        """A path of the sandbox's namespace: `netns` if it is that, else the path it had; "" when it is gone."""
        return next((path for path in (netns, self.netns) if path and self.is_of(path)), "")


class Journal:
    """The records of one `cniDir`."""

    __slots__ = ("_directory",)

    def __init__(self, cni_dir: str) -> None:
        self._directory = os.path.join(cni_dir, "journal")

    def make(self) -> None:
        """Make the directory."""
        files.make_directory(self._directory, 0o700)

    def path(self, container_id: str, ifname: str) -> str:
        """The sandbox's file; whoever works for the sandbox holds a lock on it."""
        return os.path.join(self._directory, f"{container_id}@{ifname}")

    def is_there(self) -> bool:
        """Whether anything was ever attached."""
        return files.exists(self._directory)

    def has(self, container_id: str, ifname: str) -> bool:
        """Whether there is a file for the sandbox, be it one that a request has only just begun."""
        return files.exists(self.path(container_id, ifname))

    def find(self, container_id: str, ifname: str) -> Record | None:
        """The record of a sandbox; raises DecodingFailure where the file is not what was written."""
        path = self.path(container_id, ifname)
        record = _read(path)
        if record is not None and (record.container_id, record.ifname) != (container_id, ifname):
            raise DecodingFailure(f"{path} holds the record of another sandbox, {record.key!r}")
        return record

    def write(self, record: Record) -> None:
        """Make the record durable."""
        lines.append(self.path(record.container_id, record.ifname), record.to_json(), durable=True)

    def remove(self, container_id: str, ifname: str) -> None:
        """Forget a sandbox; the file itself, which then holds nothing, goes with the lock that it is."""
        path = self.path(container_id, ifname)
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW))
        except FileNotFoundError:
            return
        except OSError as error:
            raise files.failure(error, f"empty {path}") from error

    def close(self) -> None:
        """Let no ADD begin a record any more; one that had begun is in `keys` from here on. The directory is there."""
        files.create_exclusively(os.path.join(self._directory, CLOSED), b"")

    def reopen(self) -> None:
        """Let them again."""
        files.remove(os.path.join(self._directory, CLOSED))

    @property
    def is_closed(self) -> bool:
        """Whether the program is just being removed from the node; ask when the record's file is there."""
        return files.exists(os.path.join(self._directory, CLOSED))

    def still(self) -> Lock:
        """`with journal.still():` nobody attaches whose record is not in `keys`; where the journal is there."""
        attempt = "garbage is being collected"
        return Lock(self._directory, attempt, wait=SWEEP_WAIT, flags=os.O_DIRECTORY)

    def await_sweep(self) -> None:
        """Whoever attaches calls it when the record is written: a sweep that may not know of it has ended then."""
        with self.still():
            return

    def keys(self) -> list[tuple[str, str]]:
        """(container ID, interface) of every record."""
        split = [name.partition("@") for name in sorted(files.names(self._directory))]
        return [(container_id, ifname) for container_id, at, ifname in split if at]


def _read(path: str) -> Record | None:
    document = lines.last(path)
    if document is None:
        return None
    if (spoken := document.number("format")) != FORMAT:
        raise DecodingFailure(f"{path} is of format {spoken}, and this program reads {FORMAT}")
    return Record.parse(document)


def _identity(netns: str) -> str:
    found = files.status(netns)  # raises: whoever took it for gone would leave what is in it
    return f"{found.st_dev}:{found.st_ino}" if found else ""


def _boot_id() -> str:
    return (files.read(_BOOT_ID) or b"").decode("ascii", "replace").strip()
