"""An interface of a pod that is there already, and tuning called on it as the second plugin of a list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.node import Answer, Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown

ADDRESS = "10.1.2.3/24"
ADDRESS_6 = "fd00:1::3/64"


class Tuned:
    """`eth0` in the pod, one end of a pair whose other end `far` is on the node, both up."""

    def __init__(self, node: Runtime, pod: Pod, inside: Shown) -> None:
        self.node = node
        self.pod = pod
        self.inside = inside
        self.data_dir = node.root / "tuning"
        node.shown.run("ip link add far type veth peer name eth0")
        node.shown.run(f"ip link set eth0 netns {pod.netns} && ip link set far up")
        inside.run(f"ip link set eth0 up && ip address add {ADDRESS} dev eth0")

    @property
    def file(self) -> Any:
        """Where what was there before is kept."""
        return self.data_dir / f"{self.pod.container_id}_eth0.json"

    def config(self, version: str = "1.1.0", /, **keys: object) -> dict[str, Any]:
        return {"cniVersion": version, "name": "blue", "type": "tuning", "dataDir": str(self.data_dir), **keys}

    def previous(self, version: str = "1.1.0", *addresses: str) -> dict[str, Any]:
        """What the plugin before it returned."""
        listed = addresses or (ADDRESS,)
        if version in ("0.1.0", "0.2.0"):
            return {"cniVersion": version, "ip4": {"ip": listed[0]}, "dns": {}}
        old = version in ("0.3.0", "0.3.1", "0.4.0")
        return {
            "cniVersion": version,
            "interfaces": [
                {"name": "eth0", "mac": "02:00:00:00:00:ff"},
                {"name": "eth0", "mac": self.inside.link("eth0")["address"], "sandbox": self.pod.netns},
            ],
            "ips": [
                {"address": each, "interface": 1, **({"version": "6" if ":" in each else "4"} if old else {})}
                for each in listed
            ],
            **({"dns": {}} if old else {}),
        }

    def ask(self, verb: str, config: Mapping[str, Any], *addresses: str, **environment: str) -> Answer:
        previous = self.previous(config["cniVersion"], *addresses)
        return self.node.ask(verb, config, self.pod, previous, **environment)

    def add(self, config: Mapping[str, Any], **environment: str) -> dict[str, Any]:
        return self.ask("ADD", config, **environment).succeeded().document

    def shown(self) -> dict[str, Any]:
        """Everything of the link that tuning could change."""
        link = self.inside.link("eth0")
        return {
            "mac": link["address"],
            "mtu": link["mtu"],
            "txQLen": link.get("txqlen", 0),
            "promisc": "PROMISC" in link["flags"],
            "allmulti": "ALLMULTI" in link["flags"],
        }

    def setting(self, name: str) -> str:
        return self.inside.setting(name)

    def remembered(self) -> dict[str, Any]:
        found = json.loads(self.file.read_text())
        assert isinstance(found, dict)
        return found
