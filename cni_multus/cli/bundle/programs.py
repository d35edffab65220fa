"""What the node's own programs print, ip, bridge, nft, and the runtime's versions; none of them changes anything."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

from cni_multus.cli.bundle.piece import MEGABYTE, Collector, Piece
from cni_multus.cni.errors import CniError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.bundle.piece import Place

PATIENCE = 8.0
"""Seconds for one program."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NETWORK = (
    ("links.txt", "ip", ("-details", "-statistics", "link", "show")),
    ("addresses.txt", "ip", ("address", "show")),
    ("routes.txt", "ip", ("route", "show", "table", "all")),
    ("routes6.txt", "ip", ("-6", "route", "show", "table", "all")),
    ("rules.txt", "ip", ("rule", "show")),
    ("rules6.txt", "ip", ("-6", "rule", "show")),
    ("neighbours.txt", "ip", ("neighbour", "show")),
    ("vlans.txt", "bridge", ("vlan", "show")),
    ("fdb.txt", "bridge", ("fdb", "show")),
    ("queueing.txt", "tc", ("-statistics", "qdisc", "show")),
)
_VERSIONS = (
    ("containerd", "--version"),
    ("crio", "--version"),
    ("runc", "--version"),
    ("crun", "--version"),
    ("kubelet", "--version"),
    ("nft", "--version"),
    ("ip", "-Version"),
    ("iptables", "--version"),
    ("systemctl", "--version"),
)
_UNITS = ("kubelet", "containerd", "crio", "k3s", "k3s-agent", "rke2-server", "rke2-agent")
_LINES = 5000


def _network(_place: Place) -> Iterator[Piece]:
    """Links, addresses, routes, rules of the namespace that this process is in."""
    for name, program, arguments in _NETWORK:
        yield _printed(f"network/{name}", program, *arguments)


def _filters(_place: Place) -> Iterator[Piece]:
    """The whole ruleset by nft, and our own tables by our own codec."""
    yield _printed("network/nftables.txt", "nft", "--numeric", "list", "ruleset")
    from cni_multus.cli.inspect.nft import look

    found = look()
    lines = [
        f"{owner}\t{each.table}\t{each.kind}\t{each.name}\t{each.detail}"
        for owner, objects in sorted(found.objects.items())
        for each in objects
    ]
    told = "; ".join(str(each) for each in found.notes)
    yield Piece("network/nftables-ours.tsv", "objects of ours, by attachment", "\n".join([*lines, ""]), told)


def _versions(_place: Place) -> Iterator[Piece]:
    """Of the programs that are found."""
    parts = []
    for program, option in _VERSIONS:
        piece = _printed("", program, option)
        parts.append(f"# {program} {option}\n{piece.text.strip() or piece.trouble}\n")
    yield Piece("node/versions.txt", "versions of the runtime's programs", "\n".join(parts))


def _journal(place: Place) -> Iterator[Piece]:
    """What the kubelet and the runtime have logged."""
    since = place.since or time.time() - 86400
    units = [word for unit in _UNITS for word in ("--unit", unit)]
    moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(since))
    bounds = ("--no-pager", "--quiet", "--lines", str(_LINES), "--output", "short-iso", "--since", moment)
    yield _printed("logs/runtime.txt", "journalctl", *bounds, *units)
    yield _printed("logs/kernel.txt", "journalctl", *bounds, "--dmesg")


PROGRAMS = (
    Collector("network", "the node's links, addresses, routes and rules", _network, 30.0),
    Collector("network/nftables", "the node's packet filters", _filters, 20.0, 16 * MEGABYTE),
    Collector("node/versions", "versions of programs", _versions, 30.0),
    Collector("logs/journal", "what the kubelet, the runtime and the kernel have logged", _journal, 30.0),
)


def collectors(place: Place) -> tuple[Collector, ...]:
    """The programs are the node's: in a container with its root elsewhere they cannot be run."""
    if place.is_here:
        return PROGRAMS
    return tuple(each for each in PROGRAMS if each.name in ("network", "network/nftables"))


def _printed(name: str, program: str, *arguments: str) -> Piece:
    """What a program prints, and what it complains of."""
    from cni_multus.program import foreign_environment, run

    what = " ".join((program, *arguments))
    path = shutil.which(program, path=os.environ.get("PATH") or PATH)
    if path is None:
        return Piece(name, what, trouble=f"{program} is not there")
    environment = {**foreign_environment(os.environ), "LC_ALL": "C", "SYSTEMD_COLORS": "0"}
    try:
        outcome = run(path, environment, b"", PATIENCE, arguments)
    except CniError as error:
        return Piece(name, what, trouble=error.message)
    complaint = " | ".join(outcome.stderr.decode("utf-8", "replace").split("\n")).strip(" |")
    if outcome.status and not complaint:
        complaint = f"exit status {outcome.status}"
    return Piece(name, what, outcome.stdout.decode("utf-8", "replace"), complaint)
