"""The primary CNI's configuration: the first file of a directory, in the order of names, that is not a meta-plugin's.

The first file decides, as it does for the runtime: if it cannot be read, no other takes its place. It may be half
written, and the network that comes after it is another one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from cni_multus import confdir
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import CniError, DecodingFailure, InvalidNetworkConfig, IoFailure, TryAgainLater
from cni_multus.network import Network
from cni_multus.node.marker import EDITED, MARKER, OURS, read_mark
from cni_multus.node.root import resolved, under
from cni_multus.state import files

ENDINGS = (*confdir.LISTS, *confdir.PLUGINS)
META = ("multus", "multus-shim")
"""Types that delegate to a primary, and are none."""

_RESERVED = "00-multus"
"""What names of files of a meta-plugin begin with, ours and those of the Go Multus."""


class NoPrimary(TryAgainLater):
    """There is no primary yet, or not any more."""


class BrokenPrimary(InvalidNetworkConfig):
    """The primary's file cannot be used; it may be half written."""


@dataclass(frozen=True)
class Primary:
    """What is generated from; `path` is the node's, `others` the names of files that were passed over after it."""

    path: str
    name: str
    version: str
    """As it is written, "" where it is not."""
    versions: tuple[str, ...]
    types: tuple[str, ...]
    capabilities: tuple[str, ...]
    others: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The file's name."""
        return os.path.basename(self.path)


def find_primary(root: str, directory: str, file: str = "", *, until: str = "") -> Primary:
    """The primary in the node's `directory`: `file` where one is named; raises NoPrimary or BrokenPrimary.

    A file whose name comes after `until` is none: the one that had that name is renamed, and still comes before it.
    """
    rooted = resolved(root, directory)
    if file:
        return _named(root, rooted, directory, file)
    found = [name for name in configurations(rooted) if not _is_meta(root, os.path.join(directory, name))]
    if not found or (until and found[0] > until):
        raise NoPrimary(f"there is no configuration of a primary CNI in {directory} ({', '.join(ENDINGS)})")
    return read_primary(root, os.path.join(directory, found[0]), tuple(found[1:]))


def configurations(rooted: str) -> list[str]:
    """The names of files that a runtime would load, in its order; hidden ones are somebody's temporary files."""
    return sorted(
        name
        for name in files.names(rooted)
        if name.endswith(ENDINGS) and not name.startswith(".") and not _is_directory(os.path.join(rooted, name))
    )


def read_primary(root: str, path: str, others: tuple[str, ...] = ()) -> Primary:
    """The primary that the node's file `path` describes, with the plugins of its own directory."""
    rooted = resolved(root, path)
    try:
        network = confdir.load_file(rooted)
        written = network.raw.get("cniVersion")
        offered = network.raw.get("cniVersions")
        for plugin in network.plugins:
            if plugin.text("type") in META or MARKER in network.raw:
                raise plugin.wrong("type", "a meta-plugin cannot be a delegate of itself")
        return Primary(
            path,
            network.name,
            written if isinstance(written, str) else "",
            tuple(map(str, offered)) if isinstance(offered, list) else (),
            network.types,
            _capabilities(network),
            others,
        )
    except CniError as error:
        raise BrokenPrimary(f"{path} cannot be the primary's configuration: {error.message}", error.details) from error


def _is_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _named(root: str, rooted: str, directory: str, file: str) -> Primary:
    path = os.path.join(directory, file)
    if not os.path.lexists(os.path.join(rooted, file)):
        raise NoPrimary(f"the primary's configuration {path} is not there")
    return read_primary(root, path)


def _is_meta(root: str, path: str) -> bool:
    """Whether a file is ours, or delegates as we do; one that cannot be read is not known to."""
    if os.path.basename(path).startswith(_RESERVED):
        return True
    try:
        data = files.read(resolved(root, path), follow=True)
    except IoFailure:
        return False
    if data is None:
        return not os.path.islink(under(root, path))  # removed meanwhile
    if read_mark(data).owner in (OURS, EDITED):
        return True
    try:
        config = parse_object(data, path)
    except DecodingFailure:
        return False
    plugins = config.get("plugins")
    members = plugins if isinstance(plugins, list) else [config]
    return any(isinstance(member, dict) and member.get("type") in META for member in members)


def _capabilities(network: Network) -> tuple[str, ...]:
    """What any plugin of it is able to; what it is said not to be able to is none of it."""
    able: dict[str, None] = {}
    for plugin in network.plugins:
        section = plugin.section("capabilities")
        able.update(dict.fromkeys(key for key in section.raw if section.flag(key)))
    return tuple(able)
