"""The Go reference plugins: Debian's package, unpacked into the user's cache; apt's own state stays untouched."""

import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = "containernetworking-plugins"
SUITE = "sid"
EXPECTED = "1.9.1"  # the version that the lists of intended differences were written against
PLUGINS = Path("usr/lib/cni")  # where the package keeps its programs
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

OVERRIDE = "CNI_REFERENCE"  # a directory of reference plugins to use instead, for a machine without a Debian mirror
ADVICE = f"or set {OVERRIDE} to a directory that holds the CNI plugins"


class ReferenceMissing(Exception):
    """The reference plugins are not there and cannot be fetched; the message says why and what to do."""


def cache() -> Path:
    """Where everything that tests download is kept, outside the checkout so that a fresh clone finds it again."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "multus-tests"


def reference_plugins() -> Path:
    """The directory of the Go programs (bridge, host-local, ...), fetched once; raises ReferenceMissing."""
    if given := os.environ.get(OVERRIDE):
        if not (Path(given) / "bridge").exists():
            raise ReferenceMissing(f"{OVERRIDE}={given} holds no program named bridge")
        return Path(given)
    base = cache() / "reference"
    base.mkdir(parents=True, exist_ok=True)
    with (base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = base / "stamp"  # names the unpacked package; written last
        if not stamp.exists():
            stamp.write_text(fetch(base))
        return base / stamp.read_text() / PLUGINS


def fetch(base: Path) -> str:
    """Download and unpack the package below `base`; the name of the directory it is in."""
    with tempfile.TemporaryDirectory(dir=base) as directory:
        work = Path(directory)
        archive = download(work)
        run(["dpkg", "-x", str(archive), str(work / "unpacked")], work)
        shutil.rmtree(base / archive.stem, ignore_errors=True)
        (work / "unpacked").rename(base / archive.stem)
        return archive.stem


def download(work: Path) -> Path:
    """The package, from the first of this machine's mirrors that has the suite."""
    failure = ReferenceMissing(f"apt's sources name no Debian mirror; add one, {ADVICE}")
    for mirror in mirrors(work):
        apt = private_apt(work, mirror)
        try:
            run([*apt, "update"], work)
            run([*apt, "download", PACKAGE], work)
        except ReferenceMissing as error:
            failure = error
            continue
        return next(work.glob(f"{PACKAGE}_*.deb"))
    raise failure


def mirrors(work: Path) -> list[str]:
    """The archives that apt is configured with for this release, whatever format its sources are written in."""
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "stable")
    unknown = work / "unknown"  # with no lists known, apt names all that it would fetch
    unknown.mkdir()
    uris = run(["apt-get", f"-oDir::State::lists={unknown}", "update", "--print-uris"], work)
    return re.findall(rf"^'(\S+)/dists/{release}/InRelease'", uris, re.MULTILINE)


def private_apt(work: Path, mirror: str) -> list[str]:
    """An apt-get that knows one suite of one mirror and keeps lists, cache and status below `work`."""
    for directory in ("lists", "archives"):
        shutil.rmtree(work / directory, ignore_errors=True)
        (work / directory / "partial").mkdir(parents=True)
    (work / "status").touch()
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    (work / "sources.list").write_text(f"deb {signed}{mirror} {SUITE} main\n")
    options = {
        "Dir::Etc::sourcelist": work / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache": work,
        "Dir::Cache::archives": work / "archives",
        "Acquire::Languages": "none",
        "APT::Update::Error-Mode": "any",  # an archive that cannot be reached is a failure, not a warning
        "APT::Sandbox::User": "root",  # the cache is in root's home, where apt's own user may not go
    }
    return ["apt-get", "-qq", *(f"-o{key}={value}" for key, value in options.items())]


def run(command: list[str], directory: Path) -> str:
    """What one step of the download prints; raises ReferenceMissing with what went wrong."""
    try:
        result = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ReferenceMissing(f"this needs Debian's {command[0]}; install it, {ADVICE}") from error
    if result.returncode:
        words = result.stderr.strip() or f"{command[0]} exited with status {result.returncode}"
        raise ReferenceMissing(f"cannot fetch {PACKAGE} from Debian {SUITE} (try again, {ADVICE}): {words}")
    return result.stdout


if __name__ == "__main__":
    try:
        found = reference_plugins()
    except ReferenceMissing as error:
        sys.exit(f"reference: {error}")
    print(found)
    if EXPECTED not in str(found):
        print(f"reference: expected {EXPECTED}; comparisons may show differences that are new", file=sys.stderr)
