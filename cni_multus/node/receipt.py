"""What was made on a node, and what was there before: written before each change, so that it can be taken back.

    <binDir>/.multus/installed.json     the receipt, replaced by a rename; who changes anything holds `lock` beside it
    <binDir>/.multus/before/<name>      what had a name that we took over, as it was (the same inode)

The first directory that is missing on the way to it appears with the receipt inside, by one rename, and goes the same
way: what has no receipt is not ours.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from cni_multus import VERSION
from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import DecodingFailure
from cni_multus.node.root import resolved
from cni_multus.state import files
from cni_multus.state.lock import Lock

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 1
HOME = ".multus"
INSTALLED, UNINSTALLING = "installed", "uninstalling"
COMING, GOING = ".multus-installing", ".multus-removing"

ASIDE, DIRECTORY, FILE, LINK, LOG, STATE = "aside", "directory", "file", "link", "log", "state"


@dataclass(frozen=True)
class Entry:
    """One thing that was made, and `before`, where what had the name is kept.

    `content` is a link's target, and the digest of a file that replaced one.
    """

    path: str
    kind: str
    content: str = ""
    before: str = ""


@dataclass
class Receipt:
    """What an installation has made; all paths are the node's."""

    root: str
    bin_dir: str
    conf_dir: str = ""
    cni_dir: str = ""
    results_dir: str = ""
    log_file: str = ""
    state: str = INSTALLED
    previous: str = ""
    """The version that a roll-back goes to."""
    retired: dict[str, str] = field(default_factory=dict)
    """Versions that are neither current nor previous, and in which boot they became that."""
    entries: dict[str, Entry] = field(default_factory=dict)

    @staticmethod
    def find(root: str, bin_dir: str) -> Receipt | None:
        """The receipt of a node; None where nothing of ours was installed in `bin_dir`."""
        path = os.path.join(home(root, bin_dir), "installed.json")
        data = files.read(path)
        return None if data is None else Receipt.parse(root, bin_dir, data, path)

    @staticmethod
    def parse(root: str, bin_dir: str, data: bytes, path: str) -> Receipt:
        """Read one; raises DecodingFailure for what is none."""
        document = Section(parse_object(data, path))
        if document.number("format") != FORMAT:
            raise DecodingFailure(f"{path} is of format {document.number('format')}, and this program reads {FORMAT}")
        receipt = Receipt(root, bin_dir)
        for key in ("conf_dir", "cni_dir", "results_dir", "log_file", "state", "previous"):
            setattr(receipt, key, document.text(_camel(key)))
        retired = document.section("retired")
        receipt.retired = {name: retired.text(name) for name in retired.raw}
        for one in document.sections("entries"):
            entry = Entry(one.text("path"), one.text("kind"), one.text("content"), one.text("before"))
            receipt.entries[entry.path] = entry
        return receipt

    def to_json(self) -> dict[str, object]:
        """The inverse of `parse`."""
        return {
            "format": FORMAT,
            "by": f"multus {VERSION}",
            "confDir": self.conf_dir,
            "cniDir": self.cni_dir,
            "resultsDir": self.results_dir,
            "logFile": self.log_file,
            "state": self.state,
            "previous": self.previous,
            "retired": self.retired,
            "entries": [asdict(entry) for entry in self.entries.values()],
        }

    @property
    def data(self) -> bytes:
        """The file's content."""
        return json.dumps(self.to_json(), indent=1).encode() + b"\n"

    def write(self) -> None:
        """Make it durable; the directory that it is in is there."""
        path = os.path.join(home(self.root, self.bin_dir), "installed.json")
        if files.read(path) != self.data:
            files.write_atomically(path, self.data)

    def note(self, *entries: Entry) -> None:
        """Make durable that these are ours; of one that was known already, what it replaced stays known."""
        for entry in entries:
            known = self.entries.get(entry.path)
            before = known.before if known else entry.before
            self.entries[entry.path] = Entry(entry.path, entry.kind, entry.content, before or entry.before)
        self.write()

    def renamed(self, directory: str) -> tuple[str, ...]:
        """The former names of primaries' files in the node's `directory`."""
        return tuple(
            os.path.basename(entry.path)
            for entry in self.entries.values()
            if entry.kind == ASIDE and os.path.dirname(entry.path) == directory
        )

    def has(self, path: str) -> bool:
        """Whether `path` was made by us."""
        return path in self.entries


def content_of(data: bytes) -> str:
    """What an entry says of a file's content."""
    return hashlib.sha256(data).hexdigest()


def home(root: str, bin_dir: str) -> str:
    """The directory that everything of ours in `bin_dir` is in, as this process sees it."""
    return os.path.join(resolved(root, bin_dir), HOME)


def node_lock(root: str, bin_dir: str, wait: float = 60.0) -> Lock:
    """The lock of whoever changes what is installed; the directory of the receipt must be there."""
    return Lock(os.path.join(home(root, bin_dir), "lock"), "another installation is under way", wait=wait)


def begin(receipt: Receipt) -> None:
    """Make the receipt's directory, and what is missing above it, at once; another process may do the same."""
    place = home(receipt.root, receipt.bin_dir)
    if os.path.isdir(place):
        return
    top, made = _missing(place)
    for path in made[:-1]:
        name = _name_of(receipt, path)
        receipt.entries[name] = Entry(name, DIRECTORY)
    coming = os.path.join(os.path.dirname(top), f"{COMING}-{os.getpid()}")
    try:
        inside = coming + place[len(top) :]
        os.makedirs(inside, 0o755)
        files.write_atomically(os.path.join(inside, "installed.json"), receipt.data)
        for path in made:
            files.sync_directory(coming + path[len(top) :])
        try:
            os.rename(coming, top)
        except OSError:
            if not os.path.isdir(place):  # somebody else was faster, and it is that one's receipt then
                raise
            shutil.rmtree(coming)
        files.sync_directory(os.path.dirname(top))
    except OSError as error:
        shutil.rmtree(coming, ignore_errors=True)
        raise files.failure(error, f"make {place}") from error


def missing(receipt: Receipt) -> list[str]:
    """The directories that `begin` makes, as the node names them."""
    place = home(receipt.root, receipt.bin_dir)
    if os.path.isdir(place):
        return []
    return [*(_name_of(receipt, path) for path in _missing(place)[1][:-1]), f"{receipt.bin_dir}/{HOME}"]


def end(receipt: Receipt) -> None:
    """Remove the receipt's directory, and what was made above it, by one rename; the receipt is gone with it."""
    place = home(receipt.root, receipt.bin_dir)
    top = place
    while _name_of(receipt, os.path.dirname(top)) in receipt.entries and len(os.listdir(os.path.dirname(top))) == 1:
        top = os.path.dirname(top)
    parent = os.path.dirname(top)
    going = os.path.join(parent, f"{GOING}-{os.getpid()}")
    try:
        os.rename(top, going)
        files.sync_directory(parent)
    except FileNotFoundError:
        return
    except OSError as error:
        raise files.failure(error, f"remove {top}") from error
    shutil.rmtree(going, ignore_errors=True)


def sweep(root: str, bin_dir: str) -> Iterator[str]:
    """Where a killed process left a directory that was not there yet, or not any more: call it under the lock."""
    path = home(root, bin_dir)
    while path != "/":
        path = os.path.dirname(path)
        if os.path.isdir(path):
            for name in files.names(path):
                if name.startswith((COMING, GOING)) and not _is_alive(name):
                    yield os.path.join(path, name)


def _is_alive(name: str) -> bool:
    pid = name.rpartition("-")[2]
    return pid.isdecimal() and int(pid) != os.getpid() and os.path.isdir(f"/proc/{pid}")


def _missing(path: str) -> tuple[str, list[str]]:
    """The topmost directory that is missing, and all from there to `path`."""
    made = [path]
    while not os.path.isdir(os.path.dirname(made[0])):
        made.insert(0, os.path.dirname(made[0]))
    return made[0], made


def _name_of(receipt: Receipt, path: str) -> str:
    """The node's name, as `bin_dir` has it, of a directory that is `bin_dir` or above it."""
    depth = os.path.relpath(path, resolved(receipt.root, receipt.bin_dir)).count("..")
    name = receipt.bin_dir
    for _ in range(depth):
        name = os.path.dirname(name)
    return os.path.normpath(name)


def _camel(key: str) -> str:
    first, *others = key.split("_")
    return first + "".join(part.capitalize() for part in others)
