"""Files that survive a crash at any instruction; it knows nothing of what they hold.

A file appears under its name complete or not at all: it is written under a temporary name in the same directory, then
renamed (`write_atomically`) or linked (`create_exclusively`). What a killed process leaves is a file whose name begins
with `TEMPORARY`; whoever lists the directory under its lock removes those. No link is followed at a path's end. Both
are synced against a power cut, unless `durable` is taken back for what means nothing after a reboot.
"""

from __future__ import annotations

import errno
import os
import time
from stat import S_ISDIR

from cni_multus.cni.errors import IoFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPORARY = ".multus-"
LARGEST = 16 << 20  # bytes that `read` takes at most: no file of ours comes near

FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a FIFO of the name cannot hold us up
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ESRCH, errno.ELOOP, errno.ENAMETOOLONG)
_CHUNK = 1 << 16
_HINTS = {
    errno.ENOSPC: "the file system is full, or out of inodes",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is mounted read-only",
    errno.EACCES: "the directory or the file does not permit it; the program has to run as root",
    errno.EPERM: "the file is immutable, or the program does not run as root",
    errno.ELOOP: "it is a symbolic link, and those are not followed here",
    errno.ENOTDIR: "a part of the path is not a directory",
    errno.EIO: "the disk failed",
}


def failure(error: OSError, attempt: str) -> IoFailure:
    """`error` as the runtime is told: what was attempted, and the system's own words."""
    return IoFailure(f"cannot {attempt}: {(error.strerror or str(error)).lower()}", _HINTS.get(error.errno or 0, ""))


def write_atomically(path: str, data: bytes, mode: int = 0o600, *, temporary: str = "", sync_name: bool = True) -> None:
    """Replace `path`, or create it, with `data`; `temporary` is its name until then, where one at a time writes it.

    Without `sync_name` the caller sees to it that the name survives a power cut (`sync_directory`).
    """
    try:
        temporary = _write_temporary(os.path.dirname(path), data, mode, durable=True, name=temporary)
        try:
            os.rename(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
        if sync_name:
            sync_directory(os.path.dirname(path))
    except OSError as error:
        raise failure(error, f"write {path}") from error


def create_exclusively(
    path: str, data: bytes, mode: int = 0o600, *, durable: bool = True, mtime_ns: int | None = None
) -> bool:
    """Create `path` with `data`, last modified at `mtime_ns` if given; False where something of that name exists."""
    try:
        temporary = _write_temporary(os.path.dirname(path), data, mode, durable=durable, mtime_ns=mtime_ns)
        made = [temporary]
        try:
            os.link(temporary, path)
            made.insert(0, path)
            os.unlink(temporary)
        except OSError as error:
            for each in made:
                os.unlink(each)
            if isinstance(error, FileExistsError):
                return False
            raise
        if durable:
            sync_directory(os.path.dirname(path))
    except OSError as error:
        raise failure(error, f"create {path}") from error
    return True


def read(path: str, *, follow: bool = False) -> bytes | None:
    """What the file holds, None where there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW))
        try:
            data = os.read(fd, _CHUNK)
            while data and len(data) % _CHUNK == 0 and (more := os.read(fd, LARGEST)):
                data += more
                if len(data) > LARGEST:
                    raise IoFailure(f"cannot read {path}: it is larger than {LARGEST >> 20} MiB")
        finally:
            os.close(fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failure(error, f"read {path}") from error
    return data


def overwrite(path: str, data: bytes, mode: int = 0o600) -> None:
    """Write `path` in place, for what is checked before it is believed: it needs no space on a full disk."""
    # Nor does it wait for one: ext4 writes out at once what replaces another file.
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | FLAGS, mode)
        try:
            _write_all(fd, data)
            os.ftruncate(fd, len(data))
        finally:
            os.close(fd)
    except OSError as error:
        raise failure(error, f"write {path}") from error


def append(path: str, data: bytes, mode: int = 0o600, *, durable: bool = False) -> None:
    """Add `data` at the end of `path`; what cannot be added whole is there in part."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | FLAGS, mode)
        try:
            is_new = os.fstat(fd).st_size == 0
            _write_all(fd, data)
            if durable:
                os.fdatasync(fd)
        finally:
            os.close(fd)
        if durable and is_new:
            sync_directory(os.path.dirname(path))
    except OSError as error:
        raise failure(error, f"write {path}") from error


def remove(path: str) -> bool:
    """Remove a file; False where there was none."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise failure(error, f"remove {path}") from error
    return True


def make_directory(path: str, mode: int = 0o755) -> None:
    """Make `path`, and with 0755 what is missing above it; one that exists is left as it is."""
    try:
        try:
            os.mkdir(path, mode)
        except FileNotFoundError:
            make_directory(os.path.dirname(path))
            os.mkdir(path, mode)
    except FileExistsError:
        if not os.path.isdir(path):
            raise IoFailure(f"cannot make the directory {path}: a file of that name is in the way") from None
    except OSError as error:
        raise failure(error, f"make the directory {path}") from error


def make_public_directory(path: str) -> None:
    """The same for what everybody may read, and nobody else may write, whatever the umask is; raises OSError."""
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        return
    except FileNotFoundError:
        parent = os.path.dirname(path)
        if not parent:
            raise  # the working directory is gone
        make_public_directory(parent)
        make_public_directory(path)
    else:
        os.chmod(path, 0o755)


def make_directory_durably(path: str) -> None:
    """The same; what is made is there after a power cut as well."""
    if not is_directory(path):
        parent = os.path.dirname(path)
        make_directory_durably(parent)
        make_directory(path)
        try:
            sync_directory(parent)
        except OSError as error:
            raise failure(error, f"sync {parent}") from error


def names(path: str) -> Iterator[str]:
    """The names in a directory, in no order; none where there is no directory."""
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                yield entry.name
    except FileNotFoundError:
        return
    except OSError as error:
        raise failure(error, f"list {path}") from error


def exists(path: str, *, follow: bool = False) -> bool:
    """Whether anything has that name: what cannot be looked at is not taken for absent."""
    return status(path, follow=follow) is not None


def is_directory(path: str) -> bool:
    """Whether `path` is a directory; False where there is nothing."""
    found = status(path)
    return found is not None and S_ISDIR(found.st_mode)


def status(path: str, *, follow: bool = True) -> os.stat_result | None:
    """What the system knows of a file, None where there is none."""
    try:
        return os.stat(path, follow_symlinks=follow)
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError) or error.errno in _ABSENT:
            return None
        raise failure(error, f"look at {path}") from error


def _write_temporary(
    directory: str, data: bytes, mode: int, *, durable: bool, mtime_ns: int | None = None, name: str = ""
) -> str:
    temporary, fd = _open_temporary(directory, mode, name)
    try:
        try:
            _write_all(fd, data)
            if mtime_ns is not None:
                os.utime(fd, ns=(mtime_ns, mtime_ns))
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
    except OSError:
        os.unlink(temporary)
        raise
    return temporary


def _open_temporary(directory: str, mode: int, name: str) -> tuple[str, int]:
    if name:
        return name, os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | FLAGS, mode)
    while True:
        temporary = f"{directory}/{TEMPORARY}{os.getpid():x}-{time.monotonic_ns():x}"
        try:
            return temporary, os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FLAGS, mode)
        except FileExistsError:
            continue


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def sync_directory(path: str) -> None:
    """Make the names in a directory survive a power cut; raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
