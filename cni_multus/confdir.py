"""Network configurations in a directory, found by name as libcni finds them.

    <directory>/*.conflist             lists, in the order of their names: they come first
    <directory>/*.conf, *.json         single plugins
    <directory>/<network>/*.conf       more plugins of a list, unless it says loadOnlyInlinedPlugins

Where libcni gives up at the first file that it cannot read, whichever network that is, this passes over it and says so.
"""

from __future__ import annotations

import os

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import CniError, InvalidNetworkConfig
from cni_multus.cni.names import is_name, wrong_with_name
from cni_multus.network import Network
from cni_multus.state import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LISTS = (".conflist",)
PLUGINS = (".conf", ".json")
ALONE = "loadOnlyInlinedPlugins"


def find_network(directory: str, name: str, warn: Callable[[str], object], *, version: str = "") -> Network:
    """The network `name`; `warn` is told of files that were passed over. `version` serves one that has none.

    Raises InvalidNetworkConfig where there is no such network, or the file that has its name is wrong.
    """
    if not is_name(name):
        raise InvalidNetworkConfig(f"{name!r} is not a network name (letters, digits, '_', '.', '-')")
    where, network = "", None
    known, broken = [], []
    for path in [*_paths(directory, LISTS), *_paths(directory, PLUGINS)]:
        try:
            config = _read(path)
            known.append(config.text("name"))
        except CniError as error:
            broken.append(f"passed over: {error.message}")
            continue
        if known[-1] == name and network is None:
            where, network = path, _network(path, config, version)
        elif known[-1] == name:
            broken.append(f"passed over: {path} defines network {name} once more; {where} is used")
    if network is None:
        raise _absence(directory, name, known, broken)
    for reason in broken:
        warn(reason)
    return network


def first_network(directory: str, kind: str, *, version: str = "") -> Network | None:
    """What a runtime would use: the first file's network, of those that have no plugin of type `kind`."""
    for path in _paths(directory, (*LISTS, *PLUGINS)):
        network = load_file(path, version=version)
        if kind not in network.types:
            return network
    return None


def load_file(path: str, *, version: str = "") -> Network:
    """The network that a file describes; raises CniError, which names the file."""
    return _network(path, _read(path), version)


def complete(config: Section, directory: str) -> Section:
    """A list with the plugins of its own directory below `directory`; doing it twice adds nothing.

    The name is a network's before it becomes part of a path. A single plugin is returned as it is.
    """
    name, plugins = config.text("name"), config.items("plugins")
    if wrong_with_name(name) or (not plugins and (config.has("plugins") or config.has("type"))):
        return config
    folder = os.path.join(directory, name)
    if not config.lenient_flag(ALONE):
        plugins = [*plugins, *plugins_in(folder)]
    if not plugins:
        raise config.wrong("plugins", f"the list has none, and there are none in {folder}")
    others = {key: value for key, value in config.raw.items() if key.lower() not in ("plugins", ALONE.lower())}
    return Section({**others, ALONE: True, "plugins": plugins})


def plugins_in(folder: str) -> list[dict[str, object]]:
    """The configurations of single plugins that a directory holds, in the order of their names."""
    return [_read(path).raw for path in _paths(folder, (".conf",))]


def _network(path: str, config: Section, version: str) -> Network:
    try:
        if path.endswith(LISTS) or config.has("plugins"):
            config = complete(config, os.path.dirname(path))
        return Network(config, version=version)
    except CniError as error:
        error.message = f"{path}: {error.message}"
        raise


def _paths(directory: str, endings: tuple[str, ...]) -> list[str]:
    return [os.path.join(directory, name) for name in sorted(files.names(directory)) if name.endswith(endings)]


def _read(path: str) -> Section:
    data = files.read(path, follow=True)
    if data is None:
        raise InvalidNetworkConfig(f"there is no file {path}")
    return Section(parse_object(data, path))


def _absence(directory: str, name: str, known: list[str], broken: list[str]) -> InvalidNetworkConfig:
    if not known and not broken:
        return InvalidNetworkConfig(f"there is no network configuration in {directory}")
    names = ", ".join(sorted({other for other in known if other})) or "none that can be read"
    return InvalidNetworkConfig(f"there is no network {name} in {directory}; there are {names}", "; ".join(broken))
