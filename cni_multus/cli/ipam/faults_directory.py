"""What can be wrong in a directory of host-local or static: files that are no reservations, other spellings."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING

from cni_multus.cli.ipam.finding import Finding
from cni_multus.cni.addressing import Ip
from cni_multus.state import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.ipam.hostlocal import Directory


def faults_of_directory(directory: Directory, grace: float) -> Iterator[Finding]:
    """Every one, in the order of networks and names; a temporary file younger than `grace` is somebody's at work."""
    for held in directory.held():
        if not held.wrong:
            continue
        is_file = os.path.isfile(held.record) and not os.path.islink(held.record)
        yield Finding(
            directory.engine,
            "names nobody" if is_file else "not a file",
            f"{held.pool}/{held.ip}",
            held.wrong,
            "the Go program takes the address for taken, for ever",
            "the file is removed" if is_file else f"look at {held.record}, and remove it",
            partial(directory.release, held) if is_file else None,
        )
    for network in directory.networks():
        yield from _faults_of_names(directory, network, grace)


def _faults_of_names(directory: Directory, network: str, grace: float) -> Iterator[Finding]:
    for name in sorted(files.names(f"{directory.path}/{network}")):
        path = f"{directory.path}/{network}/{name}"
        if name.startswith(files.TEMPORARY) and _age(path) > grace:
            yield Finding(
                directory.engine,
                "temporary file",
                f"{network}/{name}",
                "a killed writer left it",
                "it takes an inode",
                "it is removed",
                partial(files.remove, path),
            )
        elif _is_misspelt(name):
            yield Finding(
                directory.engine,
                "spelling",
                f"{network}/{name}",
                f"the address is spelled {_proper(name)}, which is another file",
                "the address may be given to two at a time",
                f"find out whose it is, and rename or remove {path}",
            )


def _proper(name: str) -> str:
    """The one spelling of the address that a file's name may mean, "" where it means none."""
    plain = ".".join(part.lstrip("0") or "0" for part in name.split(".")) if name.count(".") == 3 else name
    try:
        return str(Ip.parse(plain))
    except ValueError:
        return ""


def _is_misspelt(name: str) -> bool:
    return _proper(name) not in ("", name)


def _age(path: str) -> float:
    try:
        return time.time() - os.lstat(path).st_mtime
    except OSError:
        return 0.0
