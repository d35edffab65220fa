"""The bill of materials of a frozen program: CycloneDX 1.6, the same bytes for the same parts."""

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

from cni_multus import VERSION
from tools.parts import Part

NAME = "sbom.cdx.json"
OURS = f"pkg:generic/multus@{VERSION}"
SPACE = uuid.UUID("5f4d6f0e-8a57-4b0a-9b0f-0b6f4d0c1a7e")
"""Of the serial numbers, which are made of the content."""


def document(program: Path, parts: list[Part]) -> dict[str, Any]:
    """The whole document; it names no time, and no place on this machine."""
    ours = {
        "type": "application",
        "bom-ref": OURS,
        "name": "multus",
        "version": VERSION,
        "purl": OURS,
        "licenses": [{"license": {"id": "Apache-2.0"}}],
        "hashes": [_sha256(hashlib.sha256(program.read_bytes()).hexdigest())],
    }
    whole = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"lifecycles": [{"phase": "build"}], "component": ours},
        "components": [component(part) for part in parts],
        "dependencies": [
            {"ref": OURS, "dependsOn": [part.purl for part in parts]},
            *({"ref": part.purl} for part in parts),
        ],
    }
    return {**whole, "serialNumber": f"urn:uuid:{uuid.uuid5(SPACE, _encoded(whole))}"}


def component(part: Part) -> dict[str, Any]:
    """One package, with the files of it that are libraries as its own components."""
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": part.purl,
        "supplier": {"name": part.supplier},
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
        "licenses": [{"expression": part.licence}],
    }
    if part.archives:
        url = f"https://pypi.org/project/{part.name}/{part.version}/"
        hashes = [_sha256(archive) for archive in part.archives]
        found["externalReferences"] = [{"type": "distribution", "url": url, "hashes": hashes}]
    if part.files:
        found["components"] = [
            {
                "type": "file",
                "bom-ref": f"file:{name}",
                "name": f"_internal/{name}",
                "hashes": [_sha256(digest)],
            }
            for name, digest in sorted(part.files.items())
        ]
    return found


def write(target: Path, program: Path, parts: list[Part]) -> None:
    """Write it as a file."""
    target.write_text(_encoded(document(program, parts)))


def _sha256(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}


def _encoded(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"
