"""What the Go Multus and its libcni leave in `cniDir`, written by hand as they write it (multus-cni 4, libcni 1.3)."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod


def packed(document: object) -> str:
    return b64encode(json.dumps(document).encode()).decode()


def write_scratch(node: Node, pod: Pod, *delegates: dict[str, Any], **requests: object) -> Path:
    """`<cniDir>/<containerID>`: one object for each delegate; `requests` go into the last one's."""
    written: list[dict[str, Any]] = []
    for at, delegate in enumerate(delegates):
        is_list = "plugins" in delegate
        last = at == len(delegates) - 1
        written.append(
            {
                "Conf": {} if is_list else {"cniVersion": delegate.get("cniVersion"), "type": delegate["type"]},
                "ConfList": {"name": delegate["name"], "plugins": []} if is_list else {},
                "Name": delegate["name"],
                "ifnameRequest": "",
                "macRequest": "",
                "infinibandGUIDRequest": "",
                "ipRequest": None,
                "default-route": None,
                "IsFilterV4Gateway": False,
                "IsFilterV6Gateway": False,
                "deviceID": "",
                "resourceName": "",
                "Bytes": packed(delegate),
                **(requests if last else {}),
            }
        )
    node.cni_dir.mkdir(parents=True, exist_ok=True)
    path = node.cni_dir / pod.container_id
    path.write_text(json.dumps(written))
    return path


def write_cached(node: Node, pod: Pod, network: dict[str, Any], ifname: str, result: object, **more: object) -> Path:
    """`<cniDir>/results/<network>-<containerID>-<ifname>`."""
    directory = node.cni_dir / "results"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{network['name']}-{pod.container_id}-{ifname}"
    document = {
        "kind": "cniCacheV1",
        "containerId": pod.container_id,
        "config": packed(network),
        "ifName": ifname,
        "networkName": network["name"],
        "netns": pod.netns,
        "cniArgs": [["IgnoreUnknown", "true"], ["K8S_POD_NAME", "web"]],
        "capabilityArgs": {},
        "result": result,
        **more,
    }
    path.write_text(json.dumps(document))
    return path
