"""What boots a virtual machine: qemu, a stock kernel and its modules, from Debian, unpacked into the user's cache.

The programs come with every library that they need, so that the kit runs whatever this machine has installed:

    programs/   qemu, kmod, busybox, the C library ...
    kernel/     boot/vmlinux, lib/modules/<version>/
"""

from __future__ import annotations

import lzma
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.debian import Apt, NotFetched, from_a_mirror, kept, run, unpack

SUITE = "bookworm"
BACKPORTS = "bookworm-backports"  # its qemu has a network card, igb, that does SR-IOV; the release's has none
PROGRAMS = ("qemu-system-x86", "kmod", "busybox-static")
KERNEL = "linux-image-amd64"  # depends on the release's kernel
RECIPE = "1"  # another number makes everybody fetch anew

XZ = b"\xfd7zXZ\0"
NOT_NEEDED = (  # two thirds of the kernel: drivers of what the machine does not have
    "sound",
    *(f"drivers/{kind}" for kind in ("ata", "comedi", "gpu", "hid", "hwmon", "iio", "infiniband", "input", "md")),
    *(f"drivers/{kind}" for kind in ("media", "mmc", "mtd", "nvme", "platform", "scsi", "staging", "target", "usb")),
    *(f"drivers/{kind}" for kind in ("video", "net/wireless", "net/usb")),
)

OVERRIDE = "MULTUS_VMKIT"  # a directory to use instead, for a machine without a Debian mirror
ADVICE = f"try again, or set {OVERRIDE} to a copy of the directory that `make vmkit` prints elsewhere"


class VmkitMissing(Exception):
    """The kit is not there and cannot be fetched; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Kit:
    """Where the parts of a kit are."""

    root: Path

    @property
    def kernel(self) -> Path:
        """The kernel as an ELF file, which boots three seconds faster than one that unpacks itself."""
        return self.root / "kernel/boot/vmlinux"

    @property
    def modules(self) -> Path:
        """The directory of its modules; its name is the kernel's version."""
        return next((self.root / "kernel/lib/modules").iterdir())

    @property
    def busybox(self) -> Path:
        """A program that needs no library."""
        return self.programs / "bin/busybox"

    @property
    def programs(self) -> Path:
        """What would be the root directory of a machine that has the packages installed."""
        return self.root / "programs"

    def command(self, program: str, name: str = "") -> list[str]:
        """How to start a program of the kit with the kit's own libraries, under another name if need be."""
        root = self.programs
        libraries = ":".join(f"{root}/{place}/x86_64-linux-gnu" for place in ("lib", "usr/lib"))
        called = ["--argv0", name] if name else []
        return [f"{root}/lib64/ld-linux-x86-64.so.2", *called, "--library-path", libraries, f"{root}/{program}"]


def vmkit() -> Kit:
    """The kit, fetched once; raises VmkitMissing."""
    if given := os.environ.get(OVERRIDE):
        kit = Kit(Path(given))
        if not kit.kernel.exists():
            raise VmkitMissing(f"{OVERRIDE}={given} holds no {kit.kernel.relative_to(given)}")
        return kit
    try:
        return Kit(kept("vmkit", fetch, RECIPE))
    except NotFetched as error:
        what = ", ".join((*PROGRAMS, KERNEL))
        raise VmkitMissing(f"cannot fetch {what} from Debian {SUITE} ({ADVICE}): {error}") from error


def fetch(work: Path) -> str:
    """Download the packages and make a kit of them; the name of the directory to keep it in."""
    kit = Kit(work / "unpacked")
    kit.root.mkdir()

    def download(apt: Apt) -> tuple[list[Path], Path]:
        [kernel] = (name for name in apt.dependencies(KERNEL) if name.startswith("linux-image-"))
        return apt.closure(PROGRAMS, BACKPORTS), apt.package(kernel)

    programs, kernel = from_a_mirror(work, [SUITE, BACKPORTS], download)
    for package in programs:
        unpack(package, kit.programs)
    unpack(kernel, kit.root / "kernel")
    prepare_kernel(kit)
    for directory in ("doc", "locale", "man"):
        shutil.rmtree(kit.programs / "usr/share" / directory)
    [qemu] = (package.stem for package in programs if package.name.startswith(f"{PROGRAMS[0]}_"))
    return f"{qemu}+{kernel.stem}".replace("%3a", ".")  # a colon would part two directories


def prepare_kernel(kit: Kit) -> None:
    """Take the kernel out of its shell, drop what no virtual machine has, and let its modules be found."""
    compressed = (kit.kernel.parent / f"vmlinuz-{kit.modules.name}").read_bytes()
    kit.kernel.write_bytes(lzma.LZMADecompressor().decompress(compressed[compressed.index(XZ) :]))
    for directory in NOT_NEEDED:
        shutil.rmtree(kit.modules / "kernel" / directory, ignore_errors=True)
    run([*kit.command("bin/kmod", "depmod"), "-b", str(kit.root / "kernel"), kit.modules.name], kit.root)


if __name__ == "__main__":
    try:
        found = vmkit()
    except VmkitMissing as error:
        sys.exit(f"vmkit: {error}")
    print(found.root)
