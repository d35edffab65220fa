"""Pods that died without a DEL: their records must not keep the program on the node for ever.

Only what is certainly dead counts: a record of an earlier boot, or of a namespace whose name is gone from a directory
that is still there. From a container that cannot be seen for sure, so it is called only where the node's root is ours.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

from cni_multus.cni.errors import CniError
from cni_multus.node.marker import UNINSTALLING

if TYPE_CHECKING:
    from cni_multus.state.journal import Journal, Record

_TIMEOUT = 180.0


def detach(journal: Journal, bin_dir: str, configuration: str) -> list[str]:
    """Have the program do the DEL that never came, with the node's configuration; what was detached."""
    document = _plugin(configuration)
    if document is None:
        return []
    detached = []
    for container_id, ifname in sorted(journal.keys()):
        try:
            record = journal.find(container_id, ifname)
        except CniError:
            continue
        if record is not None and _is_dead(record) and _delete(record, bin_dir, document):
            detached.append(record.key)
    return detached


def _is_dead(record: Record) -> bool:
    if record.boot != _boot():
        return True
    directory = os.path.dirname(record.netns)
    return bool(record.netns) and os.path.isdir(directory) and not os.path.lexists(record.netns)


def _delete(record: Record, bin_dir: str, document: dict[str, object]) -> bool:
    arguments = ";".join(f"{key}={value}" for key, value in record.arguments.items())
    try:
        done = subprocess.run(
            [os.path.join(bin_dir, "multus")],
            input=json.dumps(document).encode(),
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "CNI_COMMAND": "DEL",
                "CNI_CONTAINERID": record.container_id,
                "CNI_NETNS": "",
                "CNI_IFNAME": record.ifname,
                "CNI_PATH": bin_dir,
                "CNI_ARGS": arguments,
            },
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _plugin(path: str) -> dict[str, object] | None:
    """The plugin's configuration of the file that passes through, as a runtime gives it."""
    try:
        with open(path, "rb") as file:
            document = json.load(file)
    except (OSError, ValueError):
        return None
    members = [one for one in document.get("plugins", [document]) if one.get("type") == "multus"]
    if not members or UNINSTALLING not in members[0]:
        return None
    # The DEL itself must not begin to finish what is being finished.
    bare = {key: value for key, value in members[0].items() if key != UNINSTALLING}
    return {**bare, "name": document["name"], "cniVersion": document["cniVersion"], "delegates": []}


def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()
