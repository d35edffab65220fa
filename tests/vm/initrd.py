"""What the virtual machine's kernel starts with: files in memory that mount this machine's, and go on there."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tools.vmkit import Kit

ROOT, SHARE = "root", "share"
"""The names under which qemu offers this machine's root directory, and a directory to write to."""

INSIDE = "/vm"
"""The machine's own directory: `share`, where it meets the host, and `tmp`, which is in memory."""

MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
DIRECTORY, PROGRAM, FILE = 0o040755, 0o100755, 0o100644

# The host's files are read only; what is written stays in memory. The kernel loads its modules by calling /vm/modprobe.
INIT = """#!/bin/busybox sh
b=/bin/busybox
die() {{ echo "init: $1"; $b poweroff -f; }}
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs dev /dev
for module in {modules}; do $b insmod /modules/$module || die "cannot load $module"; done
$b mount -t 9p -o ro,cache=loose,{options} {root} /lower || die "cannot mount the host's files"
$b mount -t tmpfs -o mode=755 rw /rw
$b mkdir /rw/upper /rw/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work root /new || die "cannot write"
for directory in proc sys dev; do $b mount --move /$directory /new/$directory; done
$b mkdir -p /new/dev/pts /new/dev/shm /new/dev/net /new/lib/modules/{version} /new{inside}/share /new{inside}/tmp
$b mknod /new/dev/net/tun c 10 200
$b mount -t devpts -o ptmxmode=666 devpts /new/dev/pts
$b mount -t tmpfs shm /new/dev/shm
$b mount -t tmpfs -o mode=755 run /new/run
$b mount -t tmpfs tmp /new{inside}/tmp
$b mount -t cgroup2 cgroup /new/sys/fs/cgroup
$b mount --bind /lower{tree} /new/lib/modules/{version} || die "cannot find the kernel's modules"
$b mount -t 9p -o cache=none,{options} {share} /new{inside}/share || die "cannot mount the share"
$b cp /bin/busybox /start /modprobe /new{inside}/
$b echo {inside}/modprobe > /new/proc/sys/kernel/modprobe
[ -e /new/usr/sbin/modprobe ] || $b ln -s {inside}/modprobe /new/usr/sbin/modprobe
$b ip link set lo up
exec $b switch_root /new /bin/sh {inside}/start
"""

MODPROBE = """#!{inside}/busybox sh
exec {modprobe} "$@"
"""

START = """
{environment}
cut -d' ' -f1 /proc/uptime > {inside}/share/booted
cd {directory}
setsid {command} > {inside}/share/output 2>&1 < /dev/null
echo $? > {inside}/share/status
{inside}/busybox poweroff -f
"""


def initrd(kit: Kit, command: list[str], environment: dict[str, str], directory: Path) -> bytes:
    """An archive (cpio, newc) whose `init` ends in the command, in a directory of the host's."""
    options = "trans=virtio,version=9p2000.L,msize=512000"
    modules = list(with_dependencies(kit.modules, MODULES))
    places = {"inside": INSIDE, "root": ROOT, "share": SHARE, "tree": kit.modules, "version": kit.modules.name}
    init = INIT.format(modules=" ".join(module.name for module in modules), options=options, **places)
    modprobe = MODPROBE.format(modprobe=shlex.join(kit.command("bin/kmod", "modprobe")), **places)
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in environment.items())
    start = START.format(
        environment=exports, directory=shlex.quote(str(directory)), command=shlex.join(command), **places
    )
    return archive(
        [
            *((name, DIRECTORY, b"") for name in ("bin", "dev", "lower", "modules", "new", "proc", "rw", "sys")),
            ("bin/busybox", PROGRAM, kit.busybox.read_bytes()),
            ("init", PROGRAM, init.encode()),
            ("modprobe", PROGRAM, modprobe.encode()),
            ("start", PROGRAM, start.encode()),
            *((f"modules/{module.name}", FILE, module.read_bytes()) for module in modules),
        ]
    )


def with_dependencies(tree: Path, names: Iterable[str]) -> Iterator[Path]:
    """The files of modules in the order in which they can be loaded, each once; what is built in has none."""
    needs = {}
    for line in (tree / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needs[path] = others.split()
    paths = {module_name(path): path for path in needs}
    wanted = [paths[name] for name in names if name in paths]
    # modules.dep lists all that a module needs, directly or not, with what is to be loaded first at the end.
    loaded = [path for module in wanted for path in (*reversed(needs[module]), module)]
    return (tree / path for path in dict.fromkeys(loaded))


def module_name(path: str) -> str:
    """What the kernel calls the module in a file."""
    return path.rpartition("/")[2].partition(".")[0].replace("-", "_")


def archive(entries: Iterable[tuple[str, int, bytes]]) -> bytes:
    """Name, mode and content of each file as the kernel's Documentation/driver-api/early-userspace has them."""
    out = bytearray()
    for number, (name, mode, content) in enumerate((*entries, ("TRAILER!!!", 0, b"")), 1):
        path = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields)
        for part in (path, content):
            out += part + bytes(-(len(out) + len(part)) % 4)
    return bytes(out)
