"""What a container runtime does: one request to one plugin, executed on the node, and the result kept for the DEL."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.measure import Failed, execute
from bench.world import UPLINK, entered

if TYPE_CHECKING:
    from pathlib import Path

    from bench.measure import Cost
    from bench.world import World

VERSION = "1.1.0"
CONTAINER = "0123456789abcdef" * 4  # as containerd names a sandbox

Config = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Runtime:
    """One side of a comparison: the directory of its plugins, its node and pod, and its `data` on disk."""

    plugins: Path
    world: World
    data: Path
    container: str = CONTAINER

    def add(self, config: Config, ifname: str = "eth0") -> tuple[Cost, Config]:
        """ADD; what it cost and its result."""
        cost, stdout = self._execute("ADD", config, ifname)
        result: Config = json.loads(stdout)
        return cost, result

    def delete(self, config: Config, result: Config | None = None, ifname: str = "eth0") -> Cost:
        """DEL, with the result of the ADD as prevResult as libcni passes it on."""
        previous = {"prevResult": result} if result else {}
        return self._execute("DEL", {**config, **previous}, ifname)[0]

    def check(self, config: Config, result: Config, ifname: str = "eth0") -> Cost:
        """CHECK, with the result of the ADD."""
        return self._execute("CHECK", {**config, "prevResult": result}, ifname)[0]

    def under(self, wrapper: list[str], verb: str, config: Config) -> str:
        """One request through a program that looks at it; what that printed. Raises Failed unless it succeeds."""
        command = [*wrapper, str(self.plugins / config["type"])]
        with entered(self.world.node):
            result = subprocess.run(
                command,
                input=json.dumps(config),
                env=self.environment(verb),
                capture_output=True,
                text=True,
                check=False,
            )
        if result.returncode:
            raise Failed(f"{' '.join(command)} {verb} ended with {result.returncode}: {result.stdout}{result.stderr}")
        return result.stdout

    def environment(self, verb: str, ifname: str = "eth0") -> dict[str, str]:
        """The variables of a request."""
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": self.container,
            "CNI_NETNS": str(self.world.pod),
            "CNI_IFNAME": ifname,
            "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=bench",
            "CNI_PATH": str(self.plugins),
        }

    def _execute(self, verb: str, config: Config, ifname: str) -> tuple[Cost, bytes]:
        with entered(self.world.node):
            return execute(self.plugins / config["type"], self.environment(verb, ifname), json.dumps(config).encode())


def multus(runtime: Runtime, delegates: list[Config]) -> Config:
    """The configuration of the meta-plugin."""
    return {
        "cniVersion": VERSION,
        "name": "multus-cni-network",
        "type": "multus",
        "cniDir": str(runtime.data / "multus"),
        "binDir": str(runtime.plugins),
        "delegates": delegates,
    }


def networks(runtime: Runtime, secondaries: int) -> list[Config]:
    """The configurations of a pod's primary network and of its secondary ones."""
    return [bridge(runtime), *(macvlan(runtime, number) for number in range(secondaries))]


def bridge(runtime: Runtime) -> Config:
    """A pod's primary network: gateway, default route, an address of the node's own pool."""
    return {
        "cniVersion": VERSION,
        "name": "primary",
        "type": "bridge",
        "bridge": "cni0",
        "isDefaultGateway": True,
        "ipam": host_local(runtime, "10.10.0.0/16"),
    }


def macvlan(runtime: Runtime, number: int) -> Config:
    """A secondary network on the node's uplink."""
    return {
        "cniVersion": VERSION,
        "name": f"secondary-{number}",
        "type": "macvlan",
        "master": UPLINK,
        "ipam": host_local(runtime, f"10.{20 + number}.0.0/16"),
    }


def host_local(runtime: Runtime, subnet: str) -> Config:
    """The `ipam` section of a network."""
    return {"type": "host-local", "ranges": [[{"subnet": subnet}]], "dataDir": str(runtime.data / "networks")}
