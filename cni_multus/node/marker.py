"""The key by which a configuration that this program wrote is known, and whether somebody changed it since.

    "multus.io/generated": {"by": "multus 0.1.0", "from": "/etc/cni/net.d/10-calico.conflist", "sha256": "..."}

`sha256` is of everything else, members sorted: to indent a file is not to edit it. A primary that was renamed has its
former name at `renamed`, so that it can have it back.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from cni_multus import VERSION
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import DecodingFailure

MARKER = "multus.io/generated"
UNINSTALLING = "multus.io/uninstalling"
"""A key of what stands in our place while the last attachments are taken apart: nobody makes it whole again."""
_DIGEST = "sha256"

OURS, EDITED, FOREIGN, BROKEN = "ours", "edited", "foreign", "broken"
"""Whose a file is: as we wrote it; changed since; somebody else's; not even a JSON object."""


@dataclass(frozen=True)
class Mark:
    """What a file says of itself: whose it is, of which primary it was made, and how that was called before."""

    owner: str
    source: str = ""
    renamed: str = ""
    uninstalling: bool = False


def stamp(document: dict[str, object], source: str, renamed: str = "") -> dict[str, object]:
    """The document with the marker behind its other members."""
    marker = {"by": f"multus {VERSION}", "from": source, **({"renamed": renamed} if renamed else {})}
    bare = {**{key: value for key, value in document.items() if key != MARKER}, MARKER: marker}
    return {**bare, MARKER: {**marker, _DIGEST: _digest(bare)}}


def read_mark(data: bytes) -> Mark:
    """What the marker in a file's content tells."""
    try:
        document = parse_object(data, "the file")
    except DecodingFailure:
        return Mark(BROKEN)
    if MARKER not in document:
        return Mark(FOREIGN)
    marker = document[MARKER]
    going = UNINSTALLING in document
    if not isinstance(marker, dict):
        return Mark(EDITED, uninstalling=going)
    bare = {**document, MARKER: {key: value for key, value in marker.items() if key != _DIGEST}}
    owner = OURS if marker.get(_DIGEST) == _digest(bare) else EDITED
    return Mark(owner, str(marker.get("from", "")), str(marker.get("renamed", "")), going)


def is_ours(data: bytes) -> bool:
    """Whether a configuration was made by us, as a runtime keeps it: a single plugin has become a list of one."""
    try:
        document = parse_object(data, "the configuration")
    except DecodingFailure:
        return False
    plugins = document.get("plugins")
    members = plugins if isinstance(plugins, list) else []
    return any(isinstance(each, dict) and MARKER in each for each in [document, *members])


def _digest(document: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
