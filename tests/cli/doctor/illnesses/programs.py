"""What is wrong with programs, disks, rights and files of a node."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.cli.doctor.illnesses.illness import Illness
from tests.conftest import LIBC, MS_BIND, checked
from tests.node import Pod
from tests.nodes.kit import fill

if TYPE_CHECKING:
    from tests.cli.doctor.conftest import Ward

MS_RDONLY, MS_REMOUNT = 1, 32


def small_disk(node: Ward, options: bytes) -> None:
    node.mounts.append(lambda: checked(LIBC.mount(b"none", bytes(node.addresses), b"tmpfs", None, options)))


def program_without_permission(node: Ward) -> None:
    node.program("sriov").clear()
    (node.bin_dir / "sriov").chmod(0o644)
    node.define("blue", {"cniVersion": "1.0.0", "name": "blue", "type": "sriov"})


def program_of_another_machine(node: Ward) -> None:
    head = bytearray(64)
    head[:20] = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00"
    (node.bin_dir / "sriov").write_bytes(head)
    (node.bin_dir / "sriov").chmod(0o755)
    node.define("blue", {"cniVersion": "1.0.0", "name": "blue", "type": "sriov"})


def anybody_may_write(node: Ward) -> None:
    node.bin_dir.chmod(0o777)


def stale_link(node: Ward) -> None:
    os.unlink(node.bin_dir / ".multus" / "current")
    os.symlink("versions/0.0.1-000000000000", node.bin_dir / ".multus" / "current")


def damaged_program(node: Ward) -> None:
    [version] = (node.bin_dir / ".multus" / "versions").iterdir()
    (version / "_internal" / "part").write_text("")


def another_version(node: Ward) -> None:
    versions = node.bin_dir / ".multus" / "versions"
    [version] = versions.iterdir()
    version.rename(versions / f"0.0.9-{version.name.rpartition('-')[2]}")
    os.unlink(versions.parent / "current")
    os.symlink(f"versions/0.0.9-{version.name.rpartition('-')[2]}", versions.parent / "current")


def disk_full(node: Ward) -> None:
    small_disk(node, b"size=1m")
    node.mounts.append(lambda: fill(node.addresses / "rubbish"))


def no_inodes(node: Ward) -> None:
    small_disk(node, b"size=1g,nr_inodes=10")
    node.mounts += [(node.addresses / str(number)).touch for number in range(9)]


def disk_read_only(node: Ward) -> None:
    path = bytes(node.addresses)
    node.mounts.append(lambda: checked(LIBC.mount(path, path, None, MS_BIND, None)))
    node.mounts.append(lambda: checked(LIBC.mount(path, path, None, MS_BIND | MS_REMOUNT | MS_RDONLY, None)))


def namespace_file(node: Ward) -> None:
    (node.run_dir / "netns" / "cni-1234").touch()


def journal_for_everybody(node: Ward) -> None:
    (node.cni_dir / "journal").chmod(0o777)


def stopped_worker(node: Ward) -> None:
    script = "import fcntl, os, signal, sys; f = open(sys.argv[1]); fcntl.flock(f, 2); os.kill(0, signal.SIGSTOP)"
    command = [sys.executable, "-c", script, str(node.record_file(Pod("", "web-0")))]
    process = subprocess.Popen(command, process_group=0)
    node.started.append(process)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)


def events_that_wait(node: Ward) -> None:
    (node.cni_dir / "events").mkdir(exist_ok=True)
    for minutes in (50, 10):
        moment = time.time_ns() - minutes * 60 * 10**9
        (node.cni_dir / "events" / f"{moment:020}-{'a' * 16}").write_text("{}")


def selinux_denies(node: Ward) -> None:
    (node.log_dir / "audit").mkdir()
    (node.log_dir / "audit" / "audit.log").write_text(
        "type=AVC msg=audit(1700000000.1:7): avc:  denied  { write } for  pid=7 "
        'comm="multus" name="journal" dev="vda1" scontext=system_u:system_r:container_t:s0 '
        "tcontext=system_u:object_r:container_var_lib_t:s0 tclass=dir permissive=0\n"
    )


ILLNESSES = {
    "a program without permission": Illness(program_without_permission, "plugin-executable", ("sriov is not exec",)),
    "a program for another machine": Illness(program_of_another_machine, "plugin-executable", ("for aarch64",)),
    "a directory for everybody": Illness(anybody_may_write, "plugin-writable", ("every user", "bin")),
    "a link to nowhere": Illness(stale_link, "program-missing", ("bin/multus",)),
    "a damaged program": Illness(damaged_program, "program-damaged", ("is damaged",)),
    "another version": Illness(another_version, "program-version", ("0.0.9",)),
    "a disk that is full": Illness(disk_full, "disk-room", ("is full", "addresses")),
    "a disk without inodes": Illness(no_inodes, "disk-room", ("inodes left",)),
    "a disk that is read-only": Illness(disk_read_only, "disk-read-only", ("mounted read-only",)),
    "a namespace's file without one": Illness(namespace_file, "netns-file", ("cni-1234", "no namespace")),
    "a journal for everybody": Illness(journal_for_everybody, "modes", ("journal",)),
    "a worker that is stopped": Illness(stopped_worker, "lock-held", ("blue/web-0", "is stopped")),
    "Events that wait": Illness(events_that_wait, "events-waiting", ("2 Events", "50 min")),
    "a policy that denies": Illness(selinux_denies, "denied", ("SELinux denied multus",)),
}
