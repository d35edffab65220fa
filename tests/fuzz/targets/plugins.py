"""The configuration of every plugin, ours and the meta-plugin's, through each verb: the first step that is refused."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from cni_multus.linux.links import list_links
from cni_multus.linux.netns import Namespace
from cni_multus.registry import MODULES, load
from tests.fuzz import sandbox
from tests.fuzz.sandbox import SCRATCH
from tests.fuzz.seeds import MULTUS, PLUGINS, RESULT, printed
from tests.fuzz.target import target
from tests.fuzz.targets.protocol import ENVIRONMENT, answered

if TYPE_CHECKING:
    from collections.abc import Iterable

CODES = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 11, 50, 51, 100, 101, 102, 103})
WRONG = frozenset({1, 2, 4, 6, 7})
"""What is wrong with the request itself."""

OF_DIRECTORIES = {
    "cniDir": SCRATCH / "multus",
    "binDir": SCRATCH / "bin",
    "confDir": SCRATCH / "conf",
}
ELSEWHERE = frozenset(
    ("cnidir", "bindir", "confdir", "logfile", "logtostderr", "readinessindicatorfile", "kubeconfig", "loglevel")
)
"""What of the meta-plugin leads out of here, or waits: `multusconf` reads these."""
NAMES = ("macvlan", "bridge", "host-local", "static", "whereabouts", "tuning", "multus", "portmap", "ipam", "type")


def configurations() -> Iterable[bytes]:
    seen = set()
    for plugin in PLUGINS:
        kinds = (plugin["type"], plugin.get("ipam", {}).get("type"))
        if kinds not in seen:
            seen.add(kinds)
            yield printed({**plugin, "prevResult": RESULT, "cni.dev/valid-attachments": []})
    yield from MULTUS


@target(seeds=configurations, words=NAMES)
def plugins(data: bytes) -> None:
    """Whatever is wrong with the configuration touches nothing; what an ADD made without the pod's namespace goes."""
    config = _at_home(data)
    kind = config.get("type") if isinstance(config, dict) else None
    if not isinstance(kind, str) or kind not in MODULES:
        return
    stdin = json.dumps(config).encode()
    for verb in ("CHECK", "STATUS", "ADD", "DEL", "DEL", "GC"):
        sandbox.watch.seen.clear()
        plugin = load(kind)
        assert plugin is not None
        code = answered(plugin, {**ENVIRONMENT, "CNI_COMMAND": verb}, stdin)
        assert code in CODES | {0}, (verb, code)
        if verb in ("ADD", "CHECK", "STATUS") and code in WRONG:  # DEL and GC do what they can, then tell
            if sandbox.watch.seen:
                return
            assert not os.listdir(SCRATCH), (verb, code, os.listdir(SCRATCH))
    sandbox.watch.seen.clear()
    with Namespace.host() as host:
        assert [link.name for link in list_links(host)] == ["lo"]


def _at_home(data: bytes) -> Any:
    """The document; the meta-plugin's directories are in the scratch directory, and its log says nothing."""
    try:
        config = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if isinstance(config, dict) and config.get("type") == "multus":
        kept = {key: value for key, value in config.items() if str(key).lower() not in ELSEWHERE}
        return {**kept, **{key: str(path) for key, path in OF_DIRECTORIES.items()}, "logLevel": "panic"}
    return config
