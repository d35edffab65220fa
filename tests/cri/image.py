"""An image for containers that needs no registry: a static busybox, as an OCI archive written by hand."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

IMAGE = "localhost/busybox:1"
FOREVER = ("/bin/busybox", "sh", "-c", "trap exit TERM; while :; do sleep 3600 & wait; done")
"""What a container does that is only there to be looked into; it ends when it is told to."""

APPLETS = ("cat", "env", "ip", "ls", "nc", "ping", "sh", "sleep", "wget")
DIRECTORIES = ("bin", "dev", "etc", "proc", "root", "sys", "tmp")
OCI = "application/vnd.oci.image"


def write_image(path: Path, busybox: Path, name: str = IMAGE, programs: Iterable[Path] = ()) -> None:
    """The archive of IMAGE, for `ctr images import` and `podman load`; or of another one, with programs in /opt."""
    layer = _layer(busybox.read_bytes(), programs)
    blobs: list[bytes] = []

    def blob(kind: str, content: bytes) -> dict[str, Any]:
        blobs.append(content)
        return {"mediaType": f"{OCI}.{kind}", "digest": _digest(content), "size": len(content)}

    layers = [blob("layer.v1.tar", layer)]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": FOREVER, "Env": ["PATH=/bin"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    described = blob("config.v1+json", _json(config))
    kind = f"{OCI}.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": described, "layers": layers}
    index = blob("manifest.v1+json", _json(manifest)) | {
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
            _add(archive, f"blobs/sha256/{hashlib.sha256(content).hexdigest()}", content)


def _layer(busybox: bytes, programs: Iterable[Path]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for directory in DIRECTORIES:
            _add(archive, directory, mode=0o755, kind=tarfile.DIRTYPE)
        _add(archive, "bin/busybox", busybox, mode=0o755)
        for applet in APPLETS:
            _add(archive, f"bin/{applet}", mode=0o777, kind=tarfile.SYMTYPE, target="busybox")
        _add(archive, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
        for program in programs:
            _add(archive, f"opt/{program.name}", program.read_bytes(), mode=0o755)
    return written.getvalue()


def _add(
    archive: tarfile.TarFile, name: str, content: bytes = b"", mode: int = 0o644, kind: bytes = b"0", target: str = ""
) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.type, member.linkname = len(content), mode, kind, target
    archive.addfile(member, io.BytesIO(content))


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
