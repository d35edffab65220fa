"""Device-info files (NPWG Device Information Specification): handed over, read, removed.

    /var/run/k8s.cni.cncf.io/devinfo/
      dp/<resource>-<deviceID>-device.json       a device plugin's, of each device that it has
      cni/<network>-<containerID>_<ifname>       an attachment's: from here, or from its plugin

In all names `/` is written as `-`. Whatever a name is, its file is directly in one of these two directories, and no
symbolic link below `devinfo` is followed.
"""

from __future__ import annotations

import os
from stat import S_ISREG

from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import DecodingFailure
from cni_multus.hashes import digest
from cni_multus.state.files import FLAGS, TEMPORARY, failure, make_public_directory

DIRECTORY = "/var/run/k8s.cni.cncf.io/devinfo"
LARGEST = 1 << 16
"""The most bytes of a file: it goes into an annotation, and all of a pod's have 256 KiB."""

_LONGEST = 255
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def path_for(network_name: str, container_id: str, ifname: str, directory: str = DIRECTORY) -> str:
    """The attachment's file, for the capability CNIDeviceInfoFile; hashed where it is no name for a file."""
    name = f"{network_name}-{container_id}_{ifname}".replace("/", "-")
    if not name.isprintable() or len(name.encode()) > _LONGEST:
        name = digest(ascii(name), 64)
    return f"{directory}/cni/{name}"


def hand_over(resource: str, device_id: str, path: str) -> None:
    """Copy the device plugin's file, if there is a usable one, to `path`, unless the plugin has put one there."""
    parent, name = os.path.split(path)
    source = f"{resource}-{device_id}-device.json".replace("/", "-")
    found = _usable(f"{os.path.dirname(parent)}/dp/{source}")
    if found is None:
        return
    try:
        make_public_directory(parent)
        directory = os.open(parent, _DIRECTORY)
        try:
            _put(directory, name, found[0])
        finally:
            os.close(directory)
    except OSError as error:
        raise failure(error, f"write the device info {path}") from error


def read(path: str) -> dict[str, object] | None:
    """What the file says, of any type and version; None where there is none that can be used."""
    found = _usable(path)
    return found[1] if found else None


def remove(path: str, directory: str = DIRECTORY) -> None:
    """Remove an attachment's file; what is not directly in the directory of these is left alone."""
    parent, _, name = path.rpartition("/")
    if parent != f"{directory}/cni" or name in {"", ".", ".."} or "\0" in name:
        return
    try:
        fd = os.open(parent, _DIRECTORY)
    except OSError:
        return  # not there, or not a directory of ours
    try:
        for each in (name, _temporary(name)):
            try:
                os.unlink(each, dir_fd=fd)
            except (FileNotFoundError, IsADirectoryError):
                continue
    except OSError as error:
        raise failure(error, f"remove the device info {path}") from error
    finally:
        os.close(fd)


def _usable(path: str) -> tuple[bytes, dict[str, object]] | None:
    parent, name = os.path.split(path)
    try:
        directory = os.open(parent, _DIRECTORY)
        try:
            fd = os.open(name, os.O_RDONLY | FLAGS, dir_fd=directory)
        finally:
            os.close(directory)
        try:
            data = os.read(fd, LARGEST + 1) if S_ISREG(os.fstat(fd).st_mode) else b""
        finally:
            os.close(fd)
        info = parse_object(data, path, LARGEST)
    except (OSError, ValueError, DecodingFailure):  # ValueError: a NUL in the path
        return None
    is_usable = all(isinstance(info.get(key), str) and info[key] for key in ("type", "version"))
    return (data, info) if is_usable else None


def _put(directory: int, name: str, data: bytes) -> None:
    """A new file with all of `data`, or none; one that is there stays."""
    temporary = _temporary(name)
    try:
        os.unlink(temporary, dir_fd=directory)  # of somebody who was killed
    except FileNotFoundError:
        pass
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FLAGS, 0o444, dir_fd=directory)
    try:
        try:
            while data:
                data = data[os.write(fd, data) :]
            os.fchmod(fd, 0o444)
        finally:
            os.close(fd)
        os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    except FileExistsError:
        pass  # the plugin's own
    finally:
        os.unlink(temporary, dir_fd=directory)


def _temporary(name: str) -> str:
    """The name until it is complete: always the same, so that whoever comes back to the attachment removes it."""
    return TEMPORARY + digest(name, 32)
