"""Definitions of whatever kind, and what holds for every one of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from cni_multus.cni.document import print_compact
from cni_multus.cni.errors import LONGEST, CniError, InvalidNetworkConfig
from cni_multus.nads.sources import KIND, FileDefinitions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cni_multus.nads.definition import Definition
    from cni_multus.network import Network

NAMESPACE = "shop"
NAME = "red"
PATIENCE = 5.0


KEYS = (
    *("metadata", "spec", "config", "annotations", "k8s.v1.cni.cncf.io/resourceName", "kind", "items", "Spec", "name"),
    *("namespace", "type", "plugins", "cniVersion", "cniVersions", "disableCheck", "disableGC", "args", "cni"),
    *("capabilities", "ipam", "Type", "PLUGINS"),
)
TEXTS = st.text(st.characters(exclude_categories=[]), max_size=6) | st.sampled_from(
    ["macvlan", "multus", "../x", "1.0.0", "9.9.9", "\0", "\ud800", "null", "{}", NAME, NAMESPACE, KIND]
)
SCALARS = st.none() | st.booleans() | st.integers(-2, 2**65) | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | TEXTS, inner, max_size=4),
    max_leaves=15,
)
ANY = dict.fromkeys(KEYS, VALUES)
PLUGINS = st.fixed_dictionaries({}, optional={**ANY, "type": st.just("macvlan") | TEXTS})
CONFIGS = st.fixed_dictionaries({}, optional={**ANY, "type": st.just("macvlan"), "plugins": st.lists(PLUGINS | VALUES)})


def soundly(make: Callable[[], Definition], conf_dir: Path) -> Network | CniError:
    """The network that follows, or the error; either in time, and of a size that can be told."""
    begun = time.monotonic()
    found = _outcome(make, conf_dir)
    assert time.monotonic() - begun < PATIENCE
    if isinstance(found, CniError):
        assert isinstance(found, InvalidNetworkConfig), (type(found), found)
        assert f"{NAMESPACE}/{NAME}" in found.message or f"({NAME}) in namespace ({NAMESPACE})" in found.message
        assert len(found.message) <= LONGEST
        assert print_compact(found.message).isascii()
        return found
    assert found.name
    assert found.types
    assert "multus" not in found.types
    print_compact(found.raw)
    return found


def _outcome(make: Callable[[], Definition], conf_dir: Path) -> Network | CniError:
    try:
        return make().network(str(conf_dir), "1.0.0", lambda reason: None)
    except CniError as error:
        return error


def in_files(directory: Path, **files: bytes | str) -> FileDefinitions:
    """The definitions of a directory with these files; `_` in a name stands for a dot."""
    directory.mkdir(exist_ok=True)
    for name, content in files.items():
        (directory / name.replace("_", ".")).write_bytes(content.encode() if isinstance(content, str) else content)
    return FileDefinitions(str(directory))


def refused(definitions: FileDefinitions, conf_dir: Path) -> str:
    """Why there is no network of the name."""
    error = soundly(lambda: definitions.find(NAMESPACE, NAME), conf_dir)
    assert isinstance(error, CniError), error
    return error.message
