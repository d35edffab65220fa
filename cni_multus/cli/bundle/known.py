"""Secrets that this node has in known places: they are taken out wherever they turn up."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from cni_multus.cli.bundle.kubeconfigs import credentials, is_kubeconfig, token_files
from cni_multus.cli.bundle.piece import Collector, Piece
from cni_multus.cli.bundle.reading import MOST, names
from cni_multus.cli.bundle.words import is_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.bundle.piece import Place

SHORTEST = 8
"""Characters: a shorter value would be found in words that mean something else."""
_SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_MANY = 20000


def secrets(place: Place) -> Iterator[Piece]:
    """One piece, a list of them: it is for the redactor, and never becomes a file."""
    found: set[str] = set()
    site = place.site
    for path in (*_kubeconfigs(place), site.kubeconfig, site.path(_SERVICE_ACCOUNT)):
        found.update(_of_file(path, follow=True))
    for directory in (site.conf_dir, os.path.join(site.conf_dir, "multus.d"), os.path.join(site.cni_dir, "journal")):
        for name in names(directory)[0][:_MANY]:
            found.update(_of_file(os.path.join(directory, name)))
    yield Piece("", "", json.dumps(sorted(one for one in found if len(one) >= SHORTEST and not one.isspace())))


SECRETS = Collector("secrets", "secrets that are known, to take them out", secrets, 15.0)


def _kubeconfigs(place: Place) -> Iterator[str]:
    """What configurations name as theirs."""
    from cni_multus.cli.site import conf_files
    from cni_multus.cni.errors import CniError

    try:
        for file in conf_files(place.site.conf_dir):
            for plugin in file.plugins:
                for part in (plugin, plugin.get("kubernetes"), plugin.get("ipam")):
                    path = part.get("kubeconfig") if isinstance(part, dict) else None
                    if isinstance(path, str) and path.startswith("/"):
                        yield place.site.path(path)
    except CniError:
        return


def _of_file(path: str, *, follow: bool = False) -> Iterator[str]:
    text = _content(path) if path else ""
    if not text:
        return
    if is_kubeconfig(text):
        yield from credentials(text)
        for each in token_files(text) if follow else ():
            yield from _of_file(os.path.join(os.path.dirname(path), each))
    elif os.path.basename(path) == "token" or text.startswith("eyJ"):
        yield text.strip()
    else:
        for line in text.splitlines() if "\n" in text.strip() else [text]:
            yield from _named(_parsed(line))
        yield from _named(_parsed(text))


def _content(path: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        return os.read(fd, MOST).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(fd)


def _parsed(text: str) -> object:
    """The document in a file, or behind the checksum in a line of a record."""
    at = text.find("{")
    if at < 0 or not any(
        word in text.lower() for word in ("pass", "pwd", "psk", "secret", "token", "cred", "key", "auth")
    ):
        return None
    try:
        return json.loads(text[at:])
    except (ValueError, RecursionError):
        return None


def _named(value: object) -> Iterator[str]:
    """Every text under a telling name."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _texts(member) if is_secret(str(key)) else _named(member)
    elif isinstance(value, list):
        for member in value:
            yield from _named(member)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _texts(member)
