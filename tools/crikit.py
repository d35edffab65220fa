"""Container runtimes to test with: several containerds, runc and podman, kubectl, and what it takes to speak to them.

Nothing is installed: Debian's packages are unpacked into the user's cache.

    containerd/<release>/   containerd, its shim, ctr: static, so that newer suites' run here
    bin/                    runc, podman, conmon, busybox, kubectl
    libraries/              what podman and conmon need, and a small machine lacks
    stubs/                  cri_pb2.py, cri_pb2_grpc.py ...: Python modules for each interface
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.debian import Apt, NotFetched, from_a_mirror, kept, run, unpack

RECIPE = "1"  # another number makes everybody fetch anew

SUITE = "bookworm"
NEWEST = "sid"
CONTAINERD = {"1.6": SUITE, "1.7": "trixie", "2": NEWEST}  # the release, and the suite that has it
CONTAINERD_PROGRAMS = ("containerd", "containerd-shim-runc-v2", "ctr")
PROGRAMS = {  # where packages have what is kept of them
    "runc": "usr/sbin/runc",
    "podman": "usr/bin/podman",
    "conmon": "usr/bin/conmon",
    "busybox-static": "bin/busybox",
}
LIBRARIES = ("libsubid4", "libgpgme11", "libassuan0", "libdevmapper1.02.1", "libglib2.0-0")
PROTOCOLS = ("golang-k8s-cri-api-dev", "golang-github-kubernetes-kubelet-dev")
INTERFACES = {  # the name of the stubs, and where the packages describe the interface
    "cri": "cri-api/pkg/apis/runtime/v1",
    "deviceplugin": "kubelet/pkg/apis/deviceplugin/v1beta1",
    "podresources": "kubelet/pkg/apis/podresources/v1",
}
COMPILER = "grpcio-tools"

OVERRIDE = "MULTUS_CRIKIT"  # a directory to use instead, for a machine without a Debian mirror
ADVICE = f"try again, or set {OVERRIDE} to a copy of the directory that `make crikit` prints elsewhere"


class CrikitMissing(Exception):
    """The kit is not there and cannot be fetched; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Kit:
    """Where the programs are."""

    root: Path

    def containerd(self, release: str) -> Path:
        """The directory of one containerd (see CONTAINERD), its shim and its `ctr`; it belongs on the daemon's PATH."""
        return self.root / "containerd" / release

    def program(self, name: str) -> Path:
        """One of `runc`, `podman`, `conmon`, `busybox`, `kubectl`."""
        return self.root / "bin" / name

    @property
    def libraries(self) -> Path:
        """What podman and conmon want in LD_LIBRARY_PATH."""
        return self.root / "libraries"

    def stubs(self, interface: str) -> tuple[Any, Any]:
        """The messages and the services of one of INTERFACES, as Python modules."""
        directory = str(self.root / "stubs")  # the second imports the first by its bare name
        if directory not in sys.path:
            sys.path.append(directory)
        return importlib.import_module(f"{interface}_pb2"), importlib.import_module(f"{interface}_pb2_grpc")


def crikit() -> Kit:
    """The kit, fetched once; raises CrikitMissing."""
    if given := os.environ.get(OVERRIDE):
        kit = Kit(Path(given))
        wanted = (kit.program("runc"), *map(kit.containerd, CONTAINERD), kit.root / "stubs")
        if missing := [path for path in wanted if not path.exists()]:
            raise CrikitMissing(f"{OVERRIDE}={given} holds no {missing[0].relative_to(given)}")
        return kit
    # Stubs refuse a grpcio that is older than their compiler.
    recipe = f"{RECIPE}-{importlib.metadata.version(COMPILER)}"
    try:
        return Kit(kept("crikit", fetch, recipe))
    except NotFetched as error:
        suites = ", ".join(CONTAINERD.values())
        raise CrikitMissing(
            f"cannot fetch containerd, podman, kubectl from Debian {suites} ({ADVICE}): {error}"
        ) from error


def fetch(work: Path) -> str:
    """Download the packages and make a kit of them; the name of the directory to keep it in."""
    made = from_a_mirror(work, sorted({SUITE, *CONTAINERD.values()}), lambda apt: Packages(apt, work).take())
    compile_stubs(work / "protocols/usr/share/gocode/src/k8s.io", work / "unpacked/stubs")
    return f"{'+'.join(made)}+{COMPILER}_{importlib.metadata.version(COMPILER)}"


class Packages:
    """What is taken out of one mirror's packages."""

    def __init__(self, apt: Apt, work: Path) -> None:
        self._apt = apt
        self._work = work
        self._kit = work / "unpacked"
        shutil.rmtree(self._kit, ignore_errors=True)  # a mirror that had only some of it came before
        for directory in ("bin", "libraries"):
            (self._kit / directory).mkdir(parents=True)

    def take(self) -> list[str]:
        """Fill the kit; the packages whose versions tell one kit from another."""
        versions = []
        for release, suite in CONTAINERD.items():
            root, version = self._unpacked("containerd", suite)
            versions.append(version)
            target = self._kit / "containerd" / release
            target.mkdir(parents=True)
            for program in CONTAINERD_PROGRAMS:
                shutil.copy2(root / "usr/bin" / program, target)
        for package, program in PROGRAMS.items():
            shutil.copy2(self._unpacked(package, SUITE)[0] / program, self._kit / "bin")
        for package in LIBRARIES:
            for library in (self._unpacked(package, SUITE)[0]).rglob("*.so.*"):
                shutil.copy2(library, self._kit / "libraries", follow_symlinks=False)
        root, version = self._unpacked("kubectl", NEWEST)
        shutil.copy2(root / "usr/bin/kubectl", self._kit / "bin")
        for package in PROTOCOLS:
            unpack(self._apt.package(package, NEWEST), self._work / "protocols")
        return [*versions, version]

    def _unpacked(self, package: str, suite: str) -> tuple[Path, str]:
        """The root of one package's files, and its version."""
        archive = self._apt.package(package, suite)
        root = self._work / "packages" / suite / package
        root.mkdir(parents=True, exist_ok=True)
        unpack(archive, root)
        archive.unlink()  # the next suite has one of the same name
        version = archive.name.split("_")[1].replace("%3a", ".")
        return root, f"{package}_{version}"


def compile_stubs(sources: Path, target: Path) -> None:
    """Write Python modules for each interface."""
    target.mkdir()
    for name, place in INTERFACES.items():
        text = (sources / place / "api.proto").read_text()
        # What Go's compiler is told is of no use to Python's, which does not have it.
        text = re.sub(r"\[\s*\(gogoproto[^\]]*\]", "", text)
        text = "".join(line for line in text.splitlines(keepends=True) if "gogo" not in line)
        (target / f"{name}.proto").write_text(text)
        options = ["-I.", "--python_out=.", "--grpc_python_out=."]
        run([sys.executable, "-m", "grpc_tools.protoc", *options, f"{name}.proto"], target)


if __name__ == "__main__":
    try:
        found = crikit()
    except CrikitMissing as error:
        sys.exit(f"crikit: {error}")
    print(found.root)
