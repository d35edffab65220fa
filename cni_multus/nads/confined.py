"""What a definition from the API may name of the node's files: the plugins' own places, and what the node adds.

Whoever writes definitions has rights in a namespace, and none on the node, where plugins are root: a `dataDir` would be
a directory that root fills and sweeps, a kubeconfig one that leads root's credentials elsewhere. The node's own
configuration, and definitions in its files, may name anything. It knows neither plugins nor their other keys.
"""

from __future__ import annotations

import os

from cni_multus.cni.config import Section
from cni_multus.registry import MODULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

OWN_DIRECTORIES = {
    "firewall": "/run/multus/firewall",
    "host-device": "/run/multus/host-device",
    "host-local": "/var/lib/cni/networks",
    "sbr": "/run/multus/sbr",
    "static": "/run/multus/static",
    "tuning": "/run/cni/tuning",
    "vrf": "/run/multus/vrf",
    "whereabouts": "/var/lib/cni/whereabouts",
}
"""`dataDir` of those that are built in: the one that they have without the key."""

_OF_WHEREABOUTS = (
    "/etc/cni/net.d/whereabouts.d",
    "/etc/kubernetes/cni/net.d/whereabouts.d",
    "/host/etc/cni/net.d/whereabouts.d",
    "/var/lib/rancher/k3s/agent/etc/cni/net.d/whereabouts.d",
    "/var/lib/rancher/rke2/agent/etc/cni/net.d/whereabouts.d",
)
"""Where its installers leave the flat file and the kubeconfig."""
_RESOLV_CONFS = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", "/run/systemd/resolve/stub-resolv.conf")
_DEVICE_INFO = ("/run/k8s.cni.cncf.io/devinfo/cni",)
_LOGS = ("/var/log",)

PLACES = {
    "resolvconf": _RESOLV_CONFS,
    "configuration_path": _OF_WHEREABOUTS,
    "kubeconfig": _OF_WHEREABOUTS,
    "cnideviceinfofile": _DEVICE_INFO,
    "datadir": (),
    "cnidir": (),
    "logfile": _LOGS,
    "log_file": _LOGS,
    "log_file_path": _LOGS,
}
"""Keys, in small letters, and where what they name has to be; of a state's directory the plugin's type tells."""

_STATES = ("datadir", "cnidir")
_PASSED_OVER = {"whereabouts": ("log_file",)}
_MOST_SHOWN = 200


def refuse_foreign_paths(document: dict[str, object], allowed: tuple[str, ...] = ()) -> None:
    """Raise InvalidNetworkConfig for a path that is in none of its places, nor in one of `allowed`."""
    for section, key, kinds in _keys(document, "", ()):
        path = section.raw[key]
        name = key.lower()
        if not isinstance(path, str) or not path or _is_passed_over(name, kinds):
            continue  # of another type it is the plugin's to refuse
        own = _places(name, kinds[-1] if kinds else "")
        within = name not in _STATES  # below a state's directory are the files of others
        if any(_is_in(path, place, within=within) for place in own):
            continue
        if not any(_is_in(path, place, within=True) for place in allowed):
            shown = path if len(path) <= _MOST_SHOWN else path[:_MOST_SHOWN] + "…"
            raise section.wrong(
                key,
                f"{shown!r} is not for a definition of the API to name; {' or '.join(own) or 'no path'} is, and what "
                "nadPaths adds in the node's configuration of multus",
            )


def _keys(value: object, path: str, kinds: tuple[str, ...]) -> Iterator[tuple[Section, str, tuple[str, ...]]]:
    """Every key that names a file, in whatever object, and the types of the plugins that it is in."""
    if isinstance(value, list):
        for at, member in enumerate(value):
            yield from _keys(member, f"{path}[{at}]", kinds)
    if not isinstance(value, dict):
        return
    section = Section(value, path)
    told = section.value("type")
    kinds = (*kinds, told) if isinstance(told, str) else kinds
    for key, member in value.items():
        if key.lower() in PLACES:
            yield section, key, kinds
        if isinstance(member, (dict, list)):
            yield from _keys(member, section.where(key), kinds)


def _is_passed_over(name: str, kinds: tuple[str, ...]) -> bool:
    """Whether a plugin of ours never looks at it: real definitions have it, with whatever value."""
    return bool(kinds) and name in _PASSED_OVER.get(kinds[-1], ()) and all(kind in MODULES for kind in kinds)


def _places(name: str, kind: str) -> tuple[str, ...]:
    if name not in _STATES:
        return PLACES[name]
    own = OWN_DIRECTORIES.get(kind)
    if own:
        return (own,)
    is_plain = bool(kind) and "/" not in kind and not kind.startswith(".")
    return (f"/var/lib/cni/{kind}", f"/run/cni/{kind}") if is_plain else ()


def _is_in(path: str, place: str, *, within: bool) -> bool:
    """Whether `path` is `place`, or below it where that counts too: below a state's directory are others' files."""
    if not path.startswith("/") or ".." in path.split("/"):
        return False
    path, place = _plain(path), _plain(place)
    return path == place or (within and path.startswith(place.rstrip("/") + "/"))


def _plain(path: str) -> str:
    """One spelling of each path; /var/run is /run on every node."""
    path = "/" + os.path.normpath(path).lstrip("/")
    return path.removeprefix("/var") if path == "/var/run" or path.startswith("/var/run/") else path
