"""Files and directories: room, rights, namespaces that are files only, who holds a lock, what waits."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

from cni_multus.cli.doctor.finding import CRITICAL, ERROR, WARNING, Check, Finding, Mending
from cni_multus.cli.inspect.leftovers import NAMED
from cni_multus.cni.errors import CniError
from cni_multus.state import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.doctor.patient import Patient

_EMPTY, _LITTLE = 4 << 20, 64 << 20
_NO_INODES, _FEW_INODES = 100, 1000
_LONG_WORK = 240.0
"""Seconds: the kubelet has given up on a sandbox by then."""
_LONG_WAIT = 300.0
_SHOWN = 8


def room(patient: Patient) -> Iterator[Finding]:
    """Bytes, and inodes, of every file system that state is on."""
    for path, what, found in _file_systems(patient):
        size, free, inodes = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, found.f_favail
        empty, little = min(_EMPTY, size // 100), min(_LITTLE, size // 20)
        evidence = [f"df -h {path}: {free >> 20} MiB free", f"df -i {path}: {inodes} inodes free"]
        if free <= little:
            how = "full" if free <= empty else "almost full"
            yield Finding(
                CRITICAL if free <= empty else WARNING,
                f"the disk of {path} ({what}) is {how}: {free >> 10} KiB are free",
                evidence,
                "ADD fails (code 5): what it does could not be put on record",
                f"see what fills it: du -x {path}",
            )
        elif found.f_files and inodes <= min(_FEW_INODES, found.f_files // 20):
            yield Finding(
                CRITICAL if inodes <= min(_NO_INODES, found.f_files // 100) else WARNING,
                f"the file system of {path} ({what}) has {inodes} inodes left",
                evidence,
                "ADD fails (code 5): no file can be made any more",
                f"see what has so many files: du --inodes -x {path}",
            )


def read_only(patient: Patient) -> Iterator[Finding]:
    """A file system that nothing can be written to."""
    for path, what, found in _file_systems(patient, every=True):
        if found.f_flag & os.ST_RDONLY and path not in (patient.site.conf_dir, patient.site.bin_dir):
            yield Finding(
                CRITICAL,
                f"{path} ({what}) is on a file system that is mounted read-only",
                [f"findmnt -T {path}"],
                "ADD fails (code 5), and DEL cannot forget what it took apart",
                "dmesg says whether the kernel did that after an error of the disk; mount it read-write",
            )


def modes(patient: Patient) -> Iterator[Finding]:
    """Directories of state, and configurations, that everybody may write to; secrets that everybody may read."""
    paths = [path for path in patient.directories if path != patient.site.bin_dir]
    paths += [os.path.join(patient.site.cni_dir, "journal"), *(file.path for file in patient.files)]
    for path in paths:
        mode = _mode(path)
        if mode & stat.S_IWOTH and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
            yield Finding(
                ERROR,
                f"every user of this node may write to {path}",
                [f"its mode is {stat.filemode(mode)}"],
                "whoever writes there decides which networks pods get, as root",
                f"look at who wrote there last, then chmod o-w {path}",
                _less(path, stat.S_IWOTH, "o-w"),
            )
    for path in _secrets(patient):
        mode = _mode(path)
        if mode & 0o077:
            yield Finding(
                ERROR,
                f"others than root may read {path}, which has the credentials of multus",
                [f"its mode is {stat.filemode(mode)}"],
                "whoever reads it may do in the cluster what multus may",
                f"chmod go-rwx {path}, and have another token made",
                _less(path, 0o077, "go-rwx"),
            )


def namespaces(patient: Patient) -> Iterator[Finding]:
    """Names of namespaces behind which there is none."""
    directory = patient.site.path(NAMED)
    if not os.path.isdir(directory):
        return
    kind = os.stat("/proc/self/ns/net").st_dev
    for name in sorted(files.names(directory)):
        path = os.path.join(directory, name)
        found = os.lstat(path)
        if found.st_dev == kind or not stat.S_ISREG(found.st_mode):
            continue
        users = [known.pod or known.container_id for known in patient.node.known if known.netns == f"{NAMED}/{name}"]
        yield Finding(
            ERROR,
            f"{path} is a file, and no namespace is mounted on it",
            [
                f"stat -f -c %T {path}: not nsfs",
                f"on record for {', '.join(users)}" if users else "no record names it",
                "if the runtime sees a namespace there: its mounts do not reach this process (mount propagation)",
            ],
            "a pod with it hangs in ContainerCreating, or Terminating: nothing in it can be reached",
            f"if no container has it: ip netns delete {name}; in a container, mount {NAMED} with HostToContainer",
        )


def propagation(patient: Patient) -> Iterator[Finding]:
    """In a container: whether a namespace that the runtime mounts now is seen here."""
    if patient.site.root == "/":
        return
    directory = os.path.realpath(patient.site.path(NAMED))
    covering: tuple[str, list[str]] = ("", [])
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            # proc(5): the mount point is field 5; what stands between field 6 and "-" tells of propagation.
            words = line.split()
            point, optional = words[4], words[6 : words.index("-")]
            is_above = directory == point or directory.startswith(point.rstrip("/") + "/")
            if is_above and len(point) >= len(covering[0]):
                covering = point, optional
    if os.path.isdir(directory) and not any(each.startswith(("master:", "shared:")) for each in covering[1]):
        yield Finding(
            ERROR,
            f"namespaces that the runtime makes are not seen here: {covering[0]} is mounted without propagation",
            [f"findmnt -T {directory} -o TARGET,PROPAGATION: private"],
            "what this program, and `multus node watch`, say of namespaces is of the moment when its pod began",
            f"mount {NAMED} with mountPropagation: HostToContainer",
        )


def locks(patient: Patient) -> Iterator[Finding]:
    """Processes that hold a pod's record for longer than any request lasts, or that are stopped."""
    for known in patient.node.known:
        if not known.worker:
            continue
        state, age = _process(known.worker)
        is_stopped = state in ("T", "t")
        if is_stopped or age > _LONG_WORK or state == "D":
            how = {"T": "is stopped", "t": "is being traced", "D": "hangs in the kernel"}.get(state, "has not ended")
            yield Finding(
                ERROR,
                f"process {known.worker} holds the record of {known.pod or known.container_id}, and {how} "
                f"({age:.0f} s old)",
                [f"its lock: {known.path}", f"/proc/{known.worker}/status: state {state}", _command(known.worker)],
                "every other request of that pod waits, and fails (code 11)",
                f"kill -CONT {known.worker}"
                if is_stopped
                else f"see what it waits for: cat /proc/{known.worker}/stack",
            )


def events(patient: Patient) -> Iterator[Finding]:
    """Events that nobody delivers."""
    from cni_multus.events.spool import Spool

    spool = Spool(patient.site.cni_dir)
    if not os.path.isdir(spool.directory):
        return
    waiting = spool.waiting()
    age = time.time() - int(waiting[0].partition("-")[0]) / 1e9 if waiting else 0.0
    if age > _LONG_WAIT:
        yield Finding(
            WARNING,
            f"{len(waiting)} Events wait for the API server, the oldest for {age / 60:.0f} min",
            [f"ls {spool.directory}"],
            "nobody sees in the Events of pods why their networks failed",
            "see whether the API server can be reached, and the account may create Events; they are dropped after 1 h",
        )


def _file_systems(patient: Patient, *, every: bool = False) -> Iterator[tuple[str, str, os.statvfs_result]]:
    seen: set[int] = set()
    for path, what in patient.directories.items():
        device = os.stat(path).st_dev
        if every or device not in seen:
            seen.add(device)
            yield path, what, os.statvfs(path)


def _secrets(patient: Patient) -> list[str]:
    paths = [patient.site.kubeconfig]
    if patient.server.access is not None and patient.server.access.token_file:
        paths.append(patient.server.access.token_file)
    return [path for path in dict.fromkeys(paths) if path]


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode
    except OSError:
        return 0


def _less(path: str, bits: int, what: str) -> Mending:
    def do() -> bool:
        mode = os.stat(path).st_mode
        os.chmod(path, stat.S_IMODE(mode) & ~bits)
        return bool(mode & bits)

    return Mending(f"chmod {what} {path}", do)


def _process(pid: int) -> tuple[str, float]:
    """The state of a process, and its age in seconds (proc(5): stat, fields 3 and 22)."""
    try:
        words = (files.read(f"/proc/{pid}/stat") or b"").decode(errors="replace").rpartition(")")[2].split()
        started = int(words[19]) / os.sysconf("SC_CLK_TCK")
        return words[0], max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    except (CniError, IndexError, ValueError):
        return "", 0.0


def _command(pid: int) -> str:
    try:
        return (files.read(f"/proc/{pid}/cmdline") or b"").replace(b"\0", b" ").decode(errors="replace").strip()
    except CniError:
        return "its command line cannot be read"


CHECKS = (
    Check("disk-room", "file systems of state have bytes and inodes left", room),
    Check("disk-read-only", "file systems of state can be written to", read_only),
    Check("netns-file", "every name of a namespace has one behind it", namespaces),
    Check("netns-mount", "in a container: new namespaces are seen", propagation),
    Check("lock-held", "nobody holds a pod's record for ever", locks),
    Check("modes", "state, configurations and credentials are root's", modes),
    Check("events-waiting", "Events reach the API server", events),
)
