"""`dataDir` of a configuration: the directory where a plugin, or an IPAM, keeps its files. It opens none of them."""

from __future__ import annotations

import os

from cni_multus.cni.errors import CniError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section


def parse_data_dir(config: Section, default: str) -> str:
    """What `dataDir` says, which must be an absolute path, or `default` where it says nothing."""
    directory = config.text("dataDir") or default
    if why := wrong_with_path(directory):
        raise config.wrong("dataDir", why)
    return directory


def wrong_with_path(text: str) -> str:
    """Why `text` cannot be the path of anything here, "" if it can: a relative one means nothing to a plugin."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return f"{text!r} is not UTF-8"
    return "" if text.startswith("/") else f"{text!r} is not an absolute path"


def data_dir_if_any(config: Section, default: str) -> str:
    """The same for verbs that must work whatever the configuration has become: an ADD was refused with a wrong one."""
    try:
        return parse_data_dir(config, default)
    except CniError:
        return default
