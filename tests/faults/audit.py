"""The exact picture of a scene: each namespace's links, addresses, routes, rules, nftables, queues and settings, files.

`Audit(scene)` learns what it is like without the scene's own pod, and with it; `left()` and `wrong()` compare.
"""

from __future__ import annotations

import json
import os
import re
import time
from typing import TYPE_CHECKING

from tests.chains.everything import Things, things_of
from tests.faults.glance import Glance

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.faults.scene import Scene

PATIENCE = 2.0
"""Seconds that the kernel has to show what it has done already."""

MAY_CHANGE = re.compile(r"/(\.multus(/|$)|last_reserved_ip\.|whereabouts/(hint|last|meta)(/|$))")
"""Files that may be deleted at any time, and where the next search begins (ARCHITECTURE.md)."""

VETH = re.compile(r"\bveth[0-9a-f]{8}\b")
PASSING = re.compile(
    r'("(ifindex|link_index|link_netnsid|index|parent_dev|root_id|bridge_id|designated_root)": "?)[^,"}]+'
)
INDEX = re.compile(r'"ifindex": \d+, ')
RANDOM_MAC = re.compile(r"\b(?!02:00:00|ff:ff:ff)([0-9a-f]{2}:){5}[0-9a-f]{2}\b")


class Audit:
    """Of a scene that nobody has used yet. A difference is a dict: what, and how it is now; `gone:` what is missing."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.glances = {name: Glance(path) for name, path in scene.namespaces().items()}
        for verb in ("ADD", "DEL", "GC", "ADD"):
            self._must(verb)
        self.settle()
        self.with_pod = self._normal()
        self._must("DEL")
        self.settle()
        self.without_pod = self.picture()
        self.at_a_glance = self.glance()

    def close(self) -> None:
        """Give back what looks into the namespaces."""
        for each in self.glances.values():
            each.close()

    def glance(self) -> dict[str, object]:
        """Everything, as bytes that are cheap to have."""
        found: dict[str, object] = {name: each.look() for name, each in self.glances.items()}
        return found | files(self.scene.directories())

    def picture(self) -> Things:
        """Everything, as text: a name for each thing, and what it is like."""
        found = {name: str(content) for name, content in files(self.scene.directories()).items()}
        for where, netns in self.scene.namespaces().items():
            found |= {f"{where}: {name}": value for name, value in things_of(netns).items()}
        for name in found:
            if name.startswith("node: link dev"):
                found[name] = INDEX.sub("", found[name])
        return found

    def is_clean(self) -> bool:
        """Whether nothing differs from a scene without its pod, at a glance: False may mean that it took too long."""
        for pause in (0.0, 0.003, 0.01):
            time.sleep(pause)
            if self.glance() == self.at_a_glance:
                return True
        return False

    def settle(self) -> None:
        """Wait until nothing changes any more."""
        deadline = time.monotonic() + PATIENCE
        before = self.glance()
        while time.monotonic() < deadline:
            time.sleep(0.02)
            if before == (before := self.glance()):
                return

    def left(self) -> Things:
        """How the scene differs from one in which its pod was never attached, {} if in nothing."""
        for _ in range(10):
            if self.is_clean():
                return {}
        found = self._patiently(lambda: _differences(self.picture(), self.without_pod))
        if not found:
            self.at_a_glance = self.glance()  # a device that came home may have another index
        return found

    def wrong(self) -> Things:
        """How it differs from one in which its pod is attached by an ADD that met with nothing."""
        return self._patiently(lambda: _differences(self._normal(), self.with_pod))

    def _patiently(self, compare: Callable[[], Things]) -> Things:
        deadline = time.monotonic() + PATIENCE
        while (found := compare()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return found

    def _normal(self) -> Things:
        """The picture without what differs from one attachment to the next: indices, random names and MACs, times."""
        picture = self.picture()
        names = _names_of_pairs(picture)
        found = {}
        for name, value in picture.items():
            kept = value if not name.startswith("file ") or "/host-local/" in name else ""
            if "fe80:" not in name and not (name.startswith("file ") and "/released/" in name):
                found[_mask(name, names)] = _sorted(_mask(kept, names))
        return found

    def _must(self, verb: str) -> None:
        ended = self.scene.ask(verb)
        if ended.status:
            raise AssertionError(f"{verb} fails without a fault: {ended.stdout.decode()}{ended.stderr.decode()}")


def files(directories: Mapping[str, str]) -> dict[str, object]:
    """Every file and directory, and what it says; where a search went on and what may be deleted is passed over."""
    found: dict[str, object] = {}
    for label, top in directories.items():
        for directory, folders, names in os.walk(top):
            relative = f"{label}{directory.removeprefix(top)}"
            folders[:] = [each for each in folders if not MAY_CHANGE.search(f"{relative}/{each}")]
            for name in names:
                if not MAY_CHANGE.search(f"{relative}/{name}"):
                    found[f"file {relative}/{name}"] = _content(os.path.join(directory, name))
    return found


def _content(path: str) -> str:
    if os.path.islink(path):
        return f"-> {os.readlink(path)}"
    with open(path, "rb") as file:
        return repr(file.read())


def _differences(now: Things, expected: Things) -> Things:
    return {
        **{name: value for name, value in now.items() if expected.get(name) != value},
        **{f"gone: {name}": value for name, value in expected.items() if name not in now},
    }


def _names_of_pairs(picture: Things) -> dict[str, str]:
    """Random names of links, and what is told of whose they are."""
    found = {}
    for name, value in picture.items():
        if name.startswith("node: link veth"):
            alias = re.search(r'"ifalias": "([^"]*)"', value)
            found[name.removeprefix("node: link ")] = f"<{alias[1] if alias else 'veth'}>"
    return found


def _sorted(value: str) -> str:
    """What has elements with them in the order of the names that they have now."""
    if not value.startswith('{"elem": ['):
        return value
    told = json.loads(value)
    return json.dumps({**told, "elem": sorted(told["elem"])})


def _mask(text: str, names: Mapping[str, str]) -> str:
    text = VETH.sub(lambda found: names.get(found[0], found[0]), text)
    return RANDOM_MAC.sub("<mac>", PASSING.sub(r"\1<any>", text))
