"""The Go reference plugins: Debian's package, unpacked into the user's cache; apt's own state stays untouched."""

import os
import sys
from pathlib import Path

from tools.debian import Apt, NotFetched, from_a_mirror, kept, unpack

PACKAGE = "containernetworking-plugins"
SUITE = "sid"
EXPECTED = "1.9.1"  # the version that the lists of intended differences were written against
PLUGINS = Path("usr/lib/cni")  # where the package keeps its programs

OVERRIDE = "CNI_REFERENCE"  # a directory of reference plugins to use instead, for a machine without a Debian mirror
ADVICE = f"try again, or set {OVERRIDE} to a directory that holds the CNI plugins"


class ReferenceMissing(Exception):
    """The reference plugins are not there and cannot be fetched; the message says why and what to do."""


def reference_plugins() -> Path:
    """The directory of the Go programs (bridge, host-local, ...), fetched once; raises ReferenceMissing."""
    if given := os.environ.get(OVERRIDE):
        if not (Path(given) / "bridge").exists():
            raise ReferenceMissing(f"{OVERRIDE}={given} holds no program named bridge")
        return Path(given)
    try:
        return kept("reference", fetch) / PLUGINS
    except NotFetched as error:
        raise ReferenceMissing(f"cannot fetch {PACKAGE} from Debian {SUITE} ({ADVICE}): {error}") from error


def fetch(work: Path) -> str:
    """Download the package and unpack it; the name of the directory to keep it in."""

    def download(apt: Apt) -> Path:
        return apt.package(PACKAGE)

    archive = from_a_mirror(work, [SUITE], download)
    unpack(archive, work / "unpacked")
    return archive.stem


if __name__ == "__main__":
    try:
        found = reference_plugins()
    except ReferenceMissing as error:
        sys.exit(f"reference: {error}")
    print(found)
    if EXPECTED not in str(found):
        print(f"reference: expected {EXPECTED}; comparisons may show differences that are new", file=sys.stderr)
