"""Debian packages in the user's cache: an apt with a state of its own fetches them, whatever the machine has installed.

It knows no package: what is fetched, and what is made of it, is said by those who call.
"""

import fcntl
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class NotFetched(Exception):
    """A package is not to be had; the message says what was tried, and why it failed."""


def cache() -> Path:
    """Where everything that tests download is kept, outside the checkout so that a fresh clone finds it again."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "multus-tests"


def kept(name: str, make: Callable[[Path], str], recipe: str = "") -> Path:
    """What `make` made, once for all processes and checkouts, and again when `recipe` is another.

    `make` fills `unpacked` in the directory that it is given, and returns the name to keep that under.
    """
    base = cache() / name
    base.mkdir(parents=True, exist_ok=True)
    with (base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if found := already_kept(name, recipe):
            return found
        with tempfile.TemporaryDirectory(dir=base) as directory:
            work = Path(directory)
            made = make(work)
            shutil.rmtree(base / made, ignore_errors=True)
            (work / "unpacked").rename(base / made)
            (work / "stamp").write_text(made)
            (work / "stamp").rename(base / f"stamp{recipe}")
        return base / made


def already_kept(name: str, recipe: str = "") -> Path | None:
    """What has been made, if it has; waits for nobody who makes it now."""
    stamp = cache() / name / f"stamp{recipe}"  # names the directory; written last
    try:
        return stamp.parent / stamp.read_text()
    except FileNotFoundError:
        return None


class Apt:
    """An apt that knows some suites of one mirror and has its lists, cache and status below `work`.

    It knows the packages of `suites`, and what those of `sources` are made from.
    """

    def __init__(self, work: Path, mirror: str, suites: Sequence[str], sources: Sequence[str] = ()) -> None:
        self.work = work
        for directory in ("lists", "archives"):
            shutil.rmtree(work / directory, ignore_errors=True)
            (work / directory / "partial").mkdir(parents=True)
        (work / "status").touch()
        signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
        kinds = [("deb", suite) for suite in suites] + [("deb-src", suite) for suite in sources]
        lines = (f"{kind} {signed}{mirror} {suite} main\n" for kind, suite in kinds)
        (work / "sources.list").write_text("".join(lines))
        options = {
            "Dir::Etc::sourcelist": work / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::lists": work / "lists",
            "Dir::State::status": work / "status",
            "Dir::Cache": work,
            "Dir::Cache::archives": work / "archives",
            "Acquire::Languages": "none",
            "APT::Install-Recommends": "false",
            "APT::Update::Error-Mode": "any",  # an archive that cannot be reached is a failure, not a warning
            "APT::Sandbox::User": "root",  # the cache is in root's home, where apt's own user may not go
        }
        self._options = ["-qq", *(f"-o{key}={value}" for key, value in options.items())]
        self._run("apt-get", "update")

    def package(self, name: str, suite: str = "") -> Path:
        """The file of one package, without what it depends on; the newest, or that of one suite."""
        self._run("apt-get", "download", f"{name}/{suite}" if suite else name)
        return next(self.work.glob(f"{name}_*.deb"))

    def source(self, name: str) -> Path:
        """The archive of a package's sources as their authors made it, without Debian's changes."""
        self._run("apt-get", "source", "--download-only", "--tar-only", name)
        return next(self.work.glob(f"{name}_*.orig.tar.*"))

    def closure(self, names: Sequence[str], suite: str) -> list[Path]:
        """The files of packages, of this suite where it has them, and of everything that they depend on."""
        self._run("apt-get", "install", "--yes", "--download-only", f"--target-release={suite}", *names)
        return sorted((self.work / "archives").glob("*.deb"))

    def dependencies(self, name: str) -> list[str]:
        """The names that a package's Depends has."""
        return re.findall(r"^\s*Depends: (\S+)$", self._run("apt-cache", "depends", name), re.MULTILINE)

    def _run(self, command: str, *arguments: str) -> str:
        return run([command, *self._options, *arguments], self.work)


def from_a_mirror(work: Path, suites: Sequence[str], fetch: Callable[[Apt], T], sources: Sequence[str] = ()) -> T:
    """What `fetch` returns for the first of this machine's mirrors that has it all."""
    failure = NotFetched("apt's sources name no Debian mirror; add one")
    for mirror in mirrors(work):
        try:
            return fetch(Apt(work, mirror, suites, sources))
        except NotFetched as error:
            failure = error
    raise failure


def mirrors(work: Path) -> list[str]:
    """The archives that apt is configured with for this release, whatever format its sources are written in."""
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "stable")
    unknown = work / "unknown"  # with no lists known, apt names all that it would fetch
    unknown.mkdir()
    uris = run(["apt-get", f"-oDir::State::lists={unknown}", "update", "--print-uris"], work)
    return re.findall(rf"^'(\S+)/dists/{release}/InRelease'", uris, re.MULTILINE)


def unpack(package: Path, directory: Path) -> None:
    """The files of a package below a directory, as if that were the root; nothing of it is run."""
    run(["dpkg", "-x", str(package), str(directory)], directory.parent)


def run(command: Sequence[str], directory: Path, environment: Mapping[str, str] | None = None) -> str:
    """What one step prints; raises NotFetched with what went wrong."""
    try:
        result = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NotFetched(f"this needs Debian's {command[0]}; install it") from error
    if result.returncode:
        raise NotFetched(result.stderr.strip() or f"{command[0]} exited with status {result.returncode}")
    return result.stdout
