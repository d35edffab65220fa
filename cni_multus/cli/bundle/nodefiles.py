"""The node's files: configurations, records, leases, Events that wait, the receipt, the log."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from cni_multus.cli.bundle.piece import MEGABYTE, Collector, Piece
from cni_multus.cli.bundle.reading import listing, names, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.bundle.piece import Place

LOG = 4 * MEGABYTE
"""Bytes of a log's end."""
RECORD = 64 << 10
_LEASES = ("/var/lib/cni/networks", "/var/lib/cni/whereabouts", "/run/multus", "/run/cni")
_SECRETS = ("token", ".key", ".pem")


def _configurations(place: Place) -> Iterator[Piece]:
    """Every file of the runtime's directory, and of ours in it."""
    conf_dir = place.site.conf_dir
    yield Piece("conf/listing.txt", f"ls -lR {conf_dir}", "\n".join(listing(conf_dir)) + "\n")
    for directory in (conf_dir, os.path.join(conf_dir, "multus.d")):
        found, trouble = names(directory)
        if trouble:
            yield Piece("conf/unreadable", directory, trouble=trouble)
        for name in found:
            path = os.path.join(directory, name)
            member = f"conf/{os.path.relpath(path, conf_dir)}"
            if os.path.isdir(path):
                continue
            if name.endswith(_SECRETS) or name in _SECRETS:
                yield Piece(member, path, trouble=f"left out, since it is a secret: {path}")
                continue
            content = read(path)
            yield Piece(member, path, content.text, content.trouble)


def _records(place: Place) -> Iterator[Piece]:
    """The journal, the files of the Go Multus, and the runtime's cache."""
    cni_dir = place.site.cni_dir
    yield Piece("records/listing.txt", f"ls -lR {cni_dir}", "\n".join(listing(cni_dir)) + "\n")
    yield _together("records/journal.txt", os.path.join(cni_dir, "journal"))
    yield _together("records/go-multus.txt", cni_dir)
    yield _together("records/go-multus-results.txt", os.path.join(cni_dir, "results"))
    yield _together("records/libcni-results.txt", place.site.results_dir)


def _leases(place: Place) -> Iterator[Piece]:
    """Who has which addresses, and what was borrowed or changed: all directories below the usual places."""
    for top in _LEASES:
        path = place.site.path(top)
        if not os.path.isdir(path):
            continue
        stem = "leases/" + top.strip("/").replace("/", "-")
        yield Piece(f"{stem}-listing.txt", f"ls -lR {path}", "\n".join(listing(path, depth=6)) + "\n")
        yield _together(f"{stem}.txt", path, depth=6)


def _events(place: Place) -> Iterator[Piece]:
    yield _together("events/waiting.txt", os.path.join(place.site.cni_dir, "events"), since=place.since)


def _receipt(place: Place) -> Iterator[Piece]:
    for bin_dir in dict.fromkeys((place.site.bin_dir, place.site.path(place.site.settings.bin_dir))):
        yield Piece(f"programs/{_flat(bin_dir)}.txt", f"ls -lR {bin_dir}", "\n".join(listing(bin_dir, depth=4)) + "\n")
        path = os.path.join(bin_dir, ".multus", "installed.json")
        if os.path.lexists(path):
            found = read(path)
            yield Piece("programs/installed.json", f"{path}, the receipt of multus install", found.text, found.trouble)


def _log(place: Place) -> Iterator[Piece]:
    """The end of the log file, and the names of those that were moved aside."""
    configured = place.site.settings.log_file
    if not configured:
        yield Piece("logs/multus.log", "the log", trouble="no logFile is configured: the runtime's journal has it")
        return
    path = place.site.path(configured)
    found = read(path, LOG)
    yield Piece("logs/multus.log", path, _since(found.text, place.since), found.trouble)
    directory = os.path.dirname(path)
    yield Piece("logs/listing.txt", f"ls -l {directory}", "\n".join(listing(directory, depth=1)) + "\n")


def _settings(_place: Place) -> Iterator[Piece]:
    """Kernel settings on which forwarding, addresses and limits depend."""
    found = {name: read(f"/proc/sys/{name}").text.strip() for name in _wanted()}
    yield Piece("node/sysctls.json", "/proc/sys", json.dumps({name: value for name, value in found.items() if value}))


def _proc(place: Place) -> Iterator[Piece]:
    """Mounts, room, modules, locks, the kernel's and the distribution's versions."""
    for name, path in (
        ("mounts.txt", "/proc/self/mountinfo"),
        ("locks.txt", "/proc/locks"),
        ("modules.txt", "/proc/modules"),
        ("memory.txt", "/proc/meminfo"),
        ("pressure-io.txt", "/proc/pressure/io"),
        ("kernel.txt", "/proc/version"),
        ("uptime.txt", "/proc/uptime"),
        ("os-release.txt", place.site.path("/etc/os-release")),
    ):
        if os.path.exists(path):  # not every kernel has each of them
            found = read(path)
            yield Piece(f"node/{name}", path, found.text, found.trouble)
    yield Piece("node/uname.txt", "uname -a", " ".join(os.uname()) + "\n")
    yield Piece("node/disks.json", "room on the disks of state", json.dumps(_room(place), indent=2) + "\n")


FILES = (
    Collector("conf", "configurations of the runtime's directory", _configurations),
    Collector("records", "records of attachments", _records, 30.0, 24 * MEGABYTE),
    Collector("leases", "records of addresses, devices and settings", _leases, 30.0, 24 * MEGABYTE),
    Collector("events", "Events that wait for the API server", _events),
    Collector("programs", "plugins and the receipt", _receipt),
    Collector("logs", "the log of multus", _log, 30.0),
    Collector("node/sysctls", "kernel settings", _settings),
    Collector("node", "kernel, distribution, mounts, disks", _proc),
)


def _together(name: str, directory: str, since: float = 0.0, depth: int = 1) -> Piece:
    """All files of a directory in one, each under its path."""
    parts: list[str] = []
    troubles: list[str] = []
    for path in _walk(directory, depth, troubles):
        if since and os.lstat(path).st_mtime < since:
            continue
        found = read(path, RECORD)
        if found.trouble:
            troubles.append(found.trouble)
        if found.text:
            parts.append(f"==> {path} <==\n{found.text.rstrip()}\n")
    return Piece(name, f"the files of {directory}, one below the other", "\n".join(parts), "; ".join(troubles[:10]))


def _walk(directory: str, depth: int, troubles: list[str]) -> Iterator[str]:
    found, trouble = names(directory)
    if trouble:
        troubles.append(trouble)
    for name in found:
        path = os.path.join(directory, name)
        if os.path.islink(path):
            continue
        if not os.path.isdir(path):
            yield path
        elif depth > 1:
            yield from _walk(path, depth - 1, troubles)


def _since(text: str, since: float) -> str:
    """The lines from a time on; a line without a time belongs to the one before."""
    if not since:
        return text
    first = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since))
    kept, is_kept = [], False
    for line in text.splitlines(keepends=True):
        stamp = _stamp(line)
        is_kept = stamp >= first if stamp else is_kept
        if is_kept:
            kept.append(line)
    return "".join(kept)


def _stamp(line: str) -> str:
    """The line's time, as our log writes it; "" where it has none."""
    begin = line.find('"time":"') + 8 if line.startswith("{") else 0
    stamp = line[begin : begin + 19]
    return stamp if len(stamp) == 19 and stamp[4] == stamp[7] == "-" and stamp[10] == "T" else ""


def _room(place: Place) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    state = place.site.cni_dir, place.site.conf_dir, place.site.bin_dir
    for path in (*state, *(place.site.path(each) for each in ("/", "/run", "/var/lib/cni", "/tmp"))):
        try:
            found = os.statvfs(path)
        except OSError as error:
            rows.append({"path": path, "trouble": error.strerror})
            continue
        free, size = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
        read_only = bool(found.f_flag & os.ST_RDONLY)
        inodes = {"inodes": found.f_files, "inodesFree": found.f_favail, "readOnly": read_only}
        rows.append({"path": path, "bytes": size, "bytesFree": free, **inodes})
    return rows


def _wanted() -> list[str]:
    """The settings' names; those of every interface of the node as well."""
    links = names("/proc/sys/net/ipv4/conf")[0][:500]
    single = ("net/ipv4/ip_forward", "net/netfilter/nf_conntrack_max", "net/netfilter/nf_conntrack_count")
    bridge = tuple(f"net/bridge/bridge-nf-call-{each}" for each in ("iptables", "ip6tables", "arptables"))
    limits = ("fs/file-max", "fs/inotify/max_user_instances", "fs/inotify/max_user_watches", "kernel/pid_max")
    fourth = ("rp_filter", "forwarding", "arp_ignore", "arp_announce", "proxy_arp", "accept_local")
    sixth = ("disable_ipv6", "forwarding", "accept_ra", "accept_dad")
    each = [f"net/ipv4/conf/{link}/{name}" for link in links for name in fourth]
    return [*single, *bridge, *limits, *each, *(f"net/ipv6/conf/{link}/{name}" for link in links for name in sixth)]


def _flat(path: str) -> str:
    return path.strip("/").replace("/", "-") or "root"
