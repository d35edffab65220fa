"""Everything collected into an archive: each collector in its turn, all of them in bounded time and size."""

from __future__ import annotations

import io
import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cni_multus import VERSION
from cni_multus.cli.bundle import own, programs
from cni_multus.cli.bundle.apart import collect
from cni_multus.cli.bundle.archive import Archive
from cni_multus.cli.bundle.known import SECRETS
from cni_multus.cli.bundle.nodefiles import FILES
from cni_multus.cli.bundle.piece import MEGABYTE
from cni_multus.cli.bundle.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cni_multus.cli.bundle.piece import Collected, Collector, Place

PATIENCE = 240.0
"""Seconds for all of it."""
LARGEST = 192 * MEGABYTE
"""Characters of all files; an archive is a tenth of that, or less."""
FORMAT = 1


@dataclass
class Packed:
    """The archive; `missing` has a line for everything that is not in it."""

    data: bytes = b""
    files: int = 0
    missing: list[str] = field(default_factory=list)


def plan(place: Place) -> list[Collector]:
    """What is collected here: what matters most comes first."""
    from cni_multus.cli.bundle.cluster import API

    api = [API] if place.arguments.with_api else []
    return [*own.collectors(), *FILES, *programs.collectors(place), *api]


def pack(
    place: Place,
    directory: str,
    moment: int,
    collectors: Sequence[Collector] | None = None,
    patience: float = PATIENCE,
    largest: int = LARGEST,
) -> Packed:
    """Collect, clean and pack; nothing that a collector does stops the others."""
    deadline = time.monotonic() + patience
    redactor, trouble = _redactor(place)
    stream, packed, index = io.BytesIO(), Packed(), list[dict[str, object]]()
    archive = Archive(stream, directory, moment)
    if trouble:
        packed.missing.append(trouble)
    for collector in plan(place) if collectors is None else collectors:
        left = deadline - time.monotonic()
        if left <= 0 or largest <= 0:
            why = "the time was up" if left <= 0 else "the archive is large enough"
            packed.missing.append(f"{collector.what}: not collected: {why}")
            continue
        collected = collect(collector, place, redactor, min(left, collector.patience))
        largest -= sum(len(piece.text) for piece in collected.pieces)
        _add(collected, archive, index, packed)
    archive.add("index.json", json.dumps(_index(place, moment, index, packed), indent=2) + "\n")
    archive.close()
    packed.data = stream.getvalue()
    return packed


def _redactor(place: Place) -> tuple[Redactor, str]:
    """One that knows this node's secrets; without them it goes by names and forms alone."""
    found = collect(SECRETS, place, Redactor(), SECRETS.patience, clean=False)
    known = json.loads(found.pieces[0].text) if found.pieces else []
    return Redactor(known), f"secrets of the node could not all be read: {found.trouble}" if found.trouble else ""


def _add(collected: Collected, archive: Archive, index: list[dict[str, object]], packed: Packed) -> None:
    for piece in collected.pieces:
        entry: dict[str, object] = {"what": piece.what}
        if piece.text:
            entry = {"file": archive.add(piece.name, piece.text), "characters": len(piece.text), **entry}
            packed.files += 1
        if piece.trouble:
            entry["trouble"] = piece.trouble
            packed.missing.append(f"{piece.name}: {piece.trouble}")
        index.append(entry)
    if collected.trouble:
        index.append({"what": collected.collector.what, "trouble": collected.trouble})
        packed.missing.append(f"{collected.collector.what}: {collected.trouble}")


def _index(place: Place, moment: int, files: list[dict[str, object]], packed: Packed) -> dict[str, object]:
    written = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
    return {
        "format": FORMAT,
        "node": os.uname().nodename,
        "written": written,
        "multus": VERSION,
        "withApi": place.arguments.with_api,
        "since": place.since or None,
        "files": files,
        "missing": packed.missing,
        "removed": "credentials, and values under names like password, psk, token, key, secret: [removed]",
    }
