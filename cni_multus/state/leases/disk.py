"""What kind of file system the store is on: what it promises for a power cut, and whether it is this node's own."""

from __future__ import annotations

import os

from cni_multus.cni.errors import IoFailure
from cni_multus.state import files

SHARED = (
    "9p",
    "afs",
    "ceph",
    "cifs",
    "fuse.glusterfs",
    "fuse.sshfs",
    "gfs2",
    "lustre",
    "nfs",
    "nfs4",
    "ocfs2",
    "smb3",
)
"""File systems that several nodes see: each would take the other's containers for its own."""

MOUNTS = "/proc/self/mountinfo"
_ESCAPES = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))


class Disk:
    """`kind` as mount(8) has it; `ordered`: one sync makes durable whatever was done before it, in any directory.

    That is so on ext4 with its journal (jbd2 commits in order, and a commit has all names of those before it) and on
    XFS (one log, forced up to a change of the inode). Elsewhere, btrfs for example, each directory is synced by itself.
    """

    __slots__ = ("device", "kind", "ordered")

    def __init__(self, kind: str, device: int, *, ordered: bool) -> None:
        self.kind = kind
        self.device = device
        self.ordered = ordered

    @staticmethod
    def of(path: str) -> Disk:
        """The file system that `path`, a directory, is on."""
        try:
            device = os.stat(path).st_dev
        except OSError as error:
            raise files.failure(error, f"look at {path}") from error
        kind = _kind(os.path.realpath(path), (files.read(MOUNTS) or b"").decode("utf-8", "surrogateescape"))
        return Disk(kind, device, ordered=kind == "xfs" or (kind == "ext4" and _has_journal(device)))

    @staticmethod
    def below(path: str) -> Disk:
        """The file system that the directory `path` is on, or will be once it is made."""
        while not os.path.lexists(path):
            path = os.path.dirname(path)
        return Disk.of(path)

    def require_own(self, path: str) -> None:
        """Raise IoFailure where other nodes can see the directory `path`."""
        if self.kind in SHARED:
            raise IoFailure(
                f"cannot keep leases in {path}: it is on {self.kind}, which several nodes can see",
                "the directory has to be this node's own: set dataDir to one on a local disk",
            )


def _kind(path: str, mounts: str) -> str:
    """The file system of the mount that `path` is below; of several on one place the last hides the others."""
    best, kind = "", ""
    for line in mounts.splitlines():
        fields, separator, rest = line.partition(" - ")
        parts = fields.split(" ")
        if not separator or len(parts) < 5:
            continue
        place = parts[4]
        for escape, character in _ESCAPES:
            place = place.replace(escape, character)
        if len(place) >= len(best) and (path + "/").startswith(place.rstrip("/") + "/"):
            best, kind = place, rest.partition(" ")[0]
    return kind


def _has_journal(device: int) -> bool:
    try:
        name = os.path.basename(os.readlink(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}"))
    except OSError:
        return False
    return any(entry.startswith(f"{name}-") for entry in files.names("/proc/fs/jbd2"))
