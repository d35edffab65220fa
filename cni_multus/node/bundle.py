"""A built program as files: what version it is, and copies of it that are whole; it knows nothing of where they are."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cni.errors import InvalidEnvironment
from cni_multus.node import interpreter
from cni_multus.state import files

if TYPE_CHECKING:
    from collections.abc import Iterator

EXECUTABLE = "multus"
BUNDLE = "_internal"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Source:
    """A built program: the directory that has `multus` and `_internal`, and what its version is called here."""

    directory: str
    name: str

    @staticmethod
    def look(directory: str) -> Source:
        """What is in `directory`; raises InvalidEnvironment where that is no program of ours."""
        program = os.path.join(directory, EXECUTABLE)
        if not os.access(program, os.X_OK) or not os.path.isdir(os.path.join(directory, BUNDLE)):
            raise InvalidEnvironment(
                f"{directory} is not the directory of a built program: {EXECUTABLE} and {BUNDLE} belong in it"
            )
        return Source(directory, f"{_version(program)}-{content(directory)[:12]}")


def content(directory: str) -> str:
    """The SHA-256 of everything in a directory: names, kinds, permissions and content, but for where it is bound to."""
    whole = hashlib.sha256()
    for path, name in _tree(directory):
        status = os.lstat(path)
        whole.update(f"{name}\0{stat.S_IFMT(status.st_mode):o}{status.st_mode & 0o111:o}\0".encode())
        if stat.S_ISLNK(status.st_mode):
            whole.update(os.readlink(path).encode() + b"\0")
        elif stat.S_ISREG(status.st_mode):
            whole.update(_digest(path, name).encode())
    return whole.hexdigest()


def digest(path: str) -> str:
    """The SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy(source: str, place: str, coming: str, home: str) -> None:
    """Copy a program that will be `home` on the node; it is `coming` until it is complete and on the disk."""
    try:
        shutil.rmtree(coming, ignore_errors=True)
        shutil.copytree(source, coming, symlinks=True, copy_function=_copy)
        interpreter.bind(os.path.join(coming, EXECUTABLE), home)
        for path in [coming, *(path for path, _ in _tree(coming))]:
            if os.path.isdir(path) and not os.path.islink(path):
                os.chmod(path, 0o755)
                files.sync_directory(path)
        os.rename(coming, place)
        files.sync_directory(os.path.dirname(place))
    except OSError as error:
        shutil.rmtree(coming, ignore_errors=True)
        raise files.failure(error, f"copy {source} to {place}") from error


def _tree(directory: str) -> Iterator[tuple[str, str]]:
    """Everything below a directory, and its name there, in a fixed order."""
    for place, folders, names in os.walk(directory):
        folders.sort()
        for name in sorted([*folders, *names]):
            path = os.path.join(place, name)
            yield path, os.path.relpath(path, directory)


def _copy(source: str, target: str) -> None:
    """A file, its permissions without what lets others write, and on the disk."""
    with open(source, "rb") as reading, open(target, "wb") as writing:
        shutil.copyfileobj(reading, writing, _CHUNK)
        os.fchmod(writing.fileno(), (os.fstat(reading.fileno()).st_mode & 0o755) | 0o600)
        writing.flush()
        os.fsync(writing.fileno())


def mend(source: str, place: str, home: str) -> None:
    """Make a copy whole again that processes may use: replace what differs, each file by a rename."""
    try:
        for path, name in _tree(source):
            target = os.path.join(place, name)
            if os.path.isdir(path):
                os.makedirs(target, exist_ok=True)
            elif not _is_same(path, target, name) or (name == EXECUTABLE and not interpreter.is_bound(target, home)):
                _replace(path, target, home if name == EXECUTABLE else "")
        known = {name for _, name in _tree(source)}
        for path, name in list(_tree(place)):
            if name not in known and not os.path.isdir(path):
                os.unlink(path)
    except OSError as error:
        raise files.failure(error, f"mend {place}") from error


def _replace(path: str, target: str, home: str) -> None:
    coming = f"{target}.coming"
    files.remove(coming)
    if os.path.islink(path):
        os.symlink(os.readlink(path), coming)
    else:
        _copy(path, coming)
    if home:
        interpreter.bind(coming, home)
    os.rename(coming, target)
    files.sync_directory(os.path.dirname(target))


def _digest(path: str, name: str) -> str:
    return interpreter.digest(path) if name == EXECUTABLE else digest(path)


def _is_same(path: str, target: str, name: str) -> bool:
    if os.path.islink(path) or os.path.islink(target):
        return os.path.islink(path) and os.path.islink(target) and os.readlink(path) == os.readlink(target)
    if not os.path.isfile(target):
        return False
    if (os.stat(path).st_mode ^ os.stat(target).st_mode) & 0o111:
        return False
    return _digest(path, name) == _digest(target, name)


def _version(program: str) -> str:
    """What `multus --version` says: one word behind the name, which becomes part of a path."""
    asked = [program, "--version"]
    environment = {"PATH": os.environ.get("PATH", "")}
    try:
        done = subprocess.run(asked, env=environment, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise InvalidEnvironment(f"cannot ask {program} for its version: {error}") from None
    name, _, version = done.stdout.strip().partition(" ")
    if done.returncode or name != "multus" or not version or not all(c.isalnum() or c in ".+_" for c in version):
        said = (done.stderr or done.stdout).strip()[-200:]
        raise InvalidEnvironment(f"{program} is no program of ours that works: asked for its version, it said {said!r}")
    return version
