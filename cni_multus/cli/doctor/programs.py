"""The programs that the runtime and we execute: ours as it was installed, and those that networks name."""

from __future__ import annotations

import os
import stat
import struct
from typing import TYPE_CHECKING

from cni_multus import VERSION
from cni_multus.cli.doctor.finding import CRITICAL, ERROR, WARNING, Check, Finding, Mending
from cni_multus.cli.doctor.uses import text
from cni_multus.registry import MODULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.doctor.patient import Patient

_MACHINES = {3: "i386", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64", 21: "ppc64le", 22: "s390x"}
"""e_machine of elf(5), by the kernel's names (uname -m)."""


def ours(patient: Patient) -> Iterator[Finding]:
    """The program that the runtime executes is missing, or leads nowhere."""
    if patient.ours is None:
        return
    path = os.path.join(patient.site.bin_dir, "multus")
    if any(os.path.exists(os.path.join(directory, "multus")) for directory in _path(patient)):
        return
    leads = f"it is a link to {os.readlink(path)}, which is not there" if os.path.islink(path) else "no such file"
    yield Finding(
        CRITICAL,
        f"the program {path} cannot be executed: {leads}",
        [f"ls -lL {path}: no such file", f"{patient.ours.path} has the type multus"],
        "no pod starts, and none is torn down",
        "`multus install` puts it there; `multus install --rollback` goes back to the version before",
    )


def whole(patient: Patient) -> Iterator[Finding]:
    """The installed program is not as it was built."""
    from cni_multus.node import program

    receipt = patient.receipt
    name = program.current(receipt) if receipt else ""
    if receipt is None or not name or not os.path.exists(os.path.join(patient.site.bin_dir, "multus")):
        return
    if not program.is_whole(receipt, name):
        yield Finding(
            CRITICAL,
            f"the installed program {name} is damaged",
            [f"what is in {patient.site.bin_dir}/.multus/versions/{name} is not what its name stands for"],
            "requests fail, or do what nobody has tested",
            "`multus install` of the same version mends it file by file",
        )


def version(patient: Patient) -> Iterator[Finding]:
    """The node executes another version than this one."""
    from cni_multus.node import program

    receipt = patient.receipt
    name = program.current(receipt) if receipt else ""
    installed = name.rpartition("-")[0]
    if installed and installed != VERSION:
        yield Finding(
            WARNING,
            f"the node executes multus {installed}, and this program is {VERSION}",
            [f"{patient.site.bin_dir}/.multus/current -> versions/{name}"],
            "what is said here holds for this version",
            f"run the node's own: {patient.site.bin_dir}/multus doctor",
        )


def missing(patient: Patient) -> Iterator[Finding]:
    """A type that is neither bundled nor a program."""
    for kind, (where, is_primary) in _named(patient).items():
        if kind in MODULES or _locate(patient, kind):
            continue
        yield Finding(
            CRITICAL if is_primary else ERROR,
            f"plugin {kind!r} is in none of {', '.join(_path(patient))}, and not built in",
            [f"{where} names it", f"built in are {', '.join(sorted(MODULES))}"],
            "no pod starts" if is_primary else "pods with that network do not start, or are not torn down",
            f"put the program there (the CNI that it is of does), or correct the type in {where}",
        )


def executable(patient: Patient) -> Iterator[Finding]:
    """A program that cannot be executed, or that anybody may replace."""
    for kind, (where, is_primary) in _named(patient).items():
        path = _locate(patient, kind)
        if kind in MODULES or not path:
            continue
        severity = CRITICAL if is_primary else ERROR
        mode = os.stat(path).st_mode
        if not mode & 0o111:
            yield Finding(
                severity,
                f"plugin {path} is not executable",
                [f"its mode is {stat.filemode(mode)}", f"{where} names it"],
                "networks of this type are neither attached nor detached",
                f"chmod a+x {path}",
            )
        elif wrong := _wrong_content(path):
            yield Finding(
                severity,
                f"plugin {path} is no program for this machine: {wrong}",
                [f"file {path}", f"this machine is {os.uname().machine}", f"{where} names it"],
                "networks of this type are neither attached nor detached",
                "install it anew, for this architecture",
            )


def writable(patient: Patient) -> Iterator[Finding]:
    """Programs that every user may replace are not executed."""
    paths = {path for kind in _named(patient) if kind not in MODULES and (path := _locate(patient, kind))}
    for path in sorted({*_path(patient), *paths}):
        try:
            mode = os.stat(path).st_mode
        except OSError:
            continue
        if mode & stat.S_IWOTH and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
            yield Finding(
                ERROR,
                f"every user of this node may write to {path}, and root executes what is there",
                [f"its mode is {stat.filemode(mode)}"],
                "programs there are refused: networks that need them do not come up",
                f"look at who wrote there last, then chmod o-w {path}",
                _unwritable(path),
            )


def _unwritable(path: str) -> Mending:
    def do() -> bool:
        mode = os.stat(path).st_mode
        os.chmod(path, stat.S_IMODE(mode) & ~stat.S_IWOTH)
        return bool(mode & stat.S_IWOTH)

    return Mending(f"chmod o-w {path}", do)


def _named(patient: Patient) -> dict[str, tuple[str, bool]]:
    """Every type that is named, IPAMs as well: where, and whether all pods need it."""
    found: dict[str, tuple[str, bool]] = {}
    for use in patient.uses:
        for kind in (use.kind, text(use.ipam, "type")):
            if kind and "/" not in kind and "\0" not in kind:
                where, is_primary = found.get(kind, (use.where, False))
                found[kind] = where, is_primary or use.primary
    return found


def _path(patient: Patient) -> list[str]:
    return list(dict.fromkeys([patient.site.path(patient.site.settings.bin_dir), patient.site.bin_dir]))


def _locate(patient: Patient, kind: str) -> str:
    paths = (os.path.join(directory, kind) for directory in _path(patient))
    return next((path for path in paths if os.path.isfile(path)), "")


def _wrong_content(path: str) -> str:
    """Why the kernel would not execute it, "" where it would."""
    with open(path, "rb") as file:
        head = file.read(256)
    if not head:
        return "it is empty"
    if head[:2] == b"#!":
        interpreter = head[2:].split(b"\n")[0].split()
        found = os.fsdecode(interpreter[0]) if interpreter else ""
        return "" if os.path.exists(found) else f"its interpreter {found or 'is missing'} is not there"
    if head[:4] != b"\x7fELF" or len(head) < 20:
        return "it is neither an ELF program nor a script"
    (number,) = struct.unpack_from("<H" if head[5] == 1 else ">H", head, 18)
    machine = _MACHINES.get(number, f"machine {number}")
    return "" if machine == os.uname().machine or number not in _MACHINES else f"it is for {machine}"


CHECKS = (
    Check("program-missing", "the program that the runtime executes is there", ours),
    Check("program-damaged", "the installed program is as it was built", whole),
    Check("plugin-missing", "every plugin that is named is built in, or a program", missing),
    Check("plugin-executable", "programs can be executed on this machine", executable),
    Check("plugin-writable", "nobody but root may replace programs", writable),
    Check("program-version", "the node executes this version", version),
)
