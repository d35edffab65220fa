"""The image's root file system: the frozen program, which starts with the C library that it brings; nothing else.

    /usr/bin/multus                 a link into
    /usr/lib/multus/                the frozen program as it was built, but bound to its own C library

The Containerfile lays it out by this module; where there is no builder, it writes the image as an OCI archive itself.
Same inputs, same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any

from cni_multus import VERSION
from cni_multus.node import interpreter
from tools.build import PROGRAM

NAME = f"localhost/multus:{VERSION}"
ENTRYPOINT = "/usr/bin/multus"
HOME = "usr/lib/multus"
OCI = "application/vnd.oci.image"


def lay_out(root: Path, program: Path = PROGRAM) -> None:
    """Fill the directory, which must not be there, or be empty."""
    root.mkdir(parents=True, exist_ok=True)
    if any(root.iterdir()):
        raise SystemExit(f"image: {root} is not empty")
    shutil.copytree(program.parent, root / HOME, symlinks=True)
    link = root / ENTRYPOINT[1:]
    link.parent.mkdir(parents=True)
    link.symlink_to(f"../lib/multus/{program.name}")
    interpreter.bind(str(root / HOME / program.name), f"/{HOME}")
    for path in (root, *root.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
        os.utime(path, (0, 0), follow_symlinks=False)


def write_archive(path: Path, root: Path, name: str = NAME) -> None:
    """An OCI archive of a root, by this name: for `ctr images import`, `podman load`, `kind load image-archive`."""
    layer = _layer(root)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": [ENTRYPOINT], "Env": ["PATH=/usr/bin"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    kind = f"{OCI}.manifest.v1+json"
    blobs: list[bytes] = []

    def blob(media: str, content: bytes) -> dict[str, Any]:
        blobs.append(content)
        return {"mediaType": media, "digest": _digest(content), "size": len(content)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": blob(f"{OCI}.config.v1+json", _json(config)),
        "layers": [blob(f"{OCI}.layer.v1.tar", layer)],
    }
    index = blob(kind, _json(manifest)) | {
        "platform": {"architecture": "amd64", "os": "linux"},
        "annotations": {
            "io.containerd.image.name": name,
            "org.opencontainers.image.ref.name": name.rpartition(":")[2],
        },
    }
    with tarfile.open(path, "w") as archive:
        _add(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(archive, "index.json", _json({"schemaVersion": 2, "manifests": [index]}))
        for content in blobs:
            _add(archive, f"blobs/sha256/{_digest(content).partition(':')[2]}", content)


def _layer(root: Path) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(root.rglob("*")):
            archive.add(path, str(path.relative_to(root)), recursive=False, filter=_plain)
    return written.getvalue()


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    archive.addfile(member, io.BytesIO(content))


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def main(arguments: list[str]) -> None:
    """Lay out DIRECTORY, and write ARCHIVE of it if that is named."""
    root, *archives = (Path(argument) for argument in arguments)
    lay_out(root)
    for archive in archives:
        write_archive(archive, root)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m tools.image DIRECTORY [ARCHIVE]")
    main(sys.argv[1:])
