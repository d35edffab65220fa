"""The flat file of Whereabouts: keys of `ipam` that every network of the node has in common. It may be absent."""

from __future__ import annotations

import os
import time

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import CniError, DecodingFailure, IoFailure, TryAgainLater
from cni_multus.state.datadir import wrong_with_path
from cni_multus.state.files import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FILE = "whereabouts.conf"
CANDIDATES = (
    f"/etc/kubernetes/cni/net.d/whereabouts.d/{FILE}",
    f"/etc/cni/net.d/whereabouts.d/{FILE}",
    f"/host/etc/cni/net.d/whereabouts.d/{FILE}",
)
"""Where Whereabouts looks (pkg/config/config.go), in its order, after `configuration_path`."""

_PATIENCE = 0.5
"""Seconds; the installer of Whereabouts writes the file anew in place, and is done long before."""
_PAUSE = 0.02
_EMPTY: tuple[object, ...] = (None, "", [], {})
_OF_THE_NETWORK = ("dataDir",)
"""Keys that DEL needs, and DEL reads no flat file."""


class FlatFile:
    """What is in force: `ipam`, filled up from the file `path` ("" where there is none).

    `directories` are those in which the node's name may stand.
    """

    __slots__ = ("directories", "ipam", "keys", "path")

    def __init__(self, ipam: Section, path: str, directories: list[str], keys: Sequence[str] = ()) -> None:
        self.ipam = ipam
        self.path = path
        self.directories = directories
        self.keys = keys
        """Those that came from the file."""

    @staticmethod
    def read(ipam: Section, candidates: Sequence[str] = CANDIDATES) -> FlatFile:
        """Find and read the file; what `ipam` says itself, it overrides."""
        own, directories = _own_candidates(ipam)
        for path in (*own, *candidates):
            document = _read(path)
            if document is None:
                continue
            found = Section(document, ipam.path)
            if misplaced := [key for key in _OF_THE_NETWORK if found.has(key)]:
                raise found.wrong(misplaced[0], f"{path}: it belongs into the network's own configuration")
            merged, keys = _fill(ipam.raw, found.raw)
            return FlatFile(Section(merged, ipam.path), path, [*directories, os.path.dirname(path)], keys)
        if own and not directories:
            raise IoFailure(
                f"{ipam.where('configuration_path')}: {own[0]} does not exist",
                f"nor do {', '.join(candidates)}" if candidates else "",
            )
        return FlatFile(ipam, "", directories)

    def explain(self, error: CniError) -> None:
        """Add to `error` where keys may have come from."""
        if self.keys:
            told = f"{', '.join(self.keys)}: from {self.path}"
            error.details = f"{error.details}; {told}" if error.details else told


def _own_candidates(ipam: Section) -> tuple[list[str], list[str]]:
    """What `configuration_path` names: files to try, and the directory that it is, or that the file lies in."""
    path = ipam.text("configuration_path")
    if not path:
        return [], []
    if why := wrong_with_path(path) or (".." in path.split("/") and f"{path!r} contains '..'"):
        raise ipam.wrong("configuration_path", why)
    if os.path.isdir(path):
        return [os.path.join(path, FILE)], [path]
    return [path], [os.path.dirname(path)] if os.path.exists(path) else []


def _read(path: str) -> dict[str, object] | None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        data = read(path, follow=True)
        if data is None:
            return None
        try:
            return parse_object(data, path)
        except DecodingFailure as error:
            if time.monotonic() < deadline:
                time.sleep(_PAUSE)
                continue
            if data.rstrip().endswith((b"}", b"]")):
                raise
            raise TryAgainLater(
                f"{error.message}: it is cut off", "somebody is writing it, or its writer died; write it anew"
            ) from None


def _fill(own: dict[str, object], file: dict[str, object]) -> tuple[dict[str, object], list[str]]:
    """Every member of `file` that `own` has not, or has empty; and the names of those."""
    merged, taken = dict(own), []
    names = {name.lower(): name for name in own}
    for key, value in file.items():
        name = names.get(key.lower())
        if name is None or merged[name] in _EMPTY:
            merged[name or key] = value
            taken.append(key)
        elif isinstance(value, dict) and isinstance(inner := merged[name], dict):
            merged[name], more = _fill(inner, value)
            taken += [f"{key}.{one}" for one in more]
    return merged, taken
