"""A pod with eth0, whose default route is in force, and net1, which sbr or vrf is to have; made by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.settled import await_local_routes

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown

ETH0 = [
    "ip link set lo up",
    "ip link add eth0 up type veth peer name peer0",
    "ip link set peer0 up",
    "ip addr add 10.1.0.2/24 dev eth0",
    "ip route add default via 10.1.0.1",
]
NET1 = ["ip link add net1 up type veth peer name peer1", "ip link set peer1 up"]

UNTIL_ALL_ARE_UP = "while [ $(ip -6 route show fe80::/64 | wc -l) -lt 4 ]; do sleep 0.02; done"


class Routed:
    """The pod, the plugin's configuration, and the result so far."""

    def __init__(self, node: Runtime, pod: Pod, inside: Shown, kind: str, **keys: object) -> None:
        self.node = node
        self.pod = pod
        self.inside = inside
        self.ifname = "net1"
        self.data = node.root / kind
        self.config = {
            "cniVersion": "1.1.0",
            "name": "blue",
            "type": kind,
            "dataDir": str(self.data),
            **keys,
        }
        self.ips: list[dict[str, Any]] = []
        self.routes: list[dict[str, Any]] = []
        inside.run("; ".join([*ETH0, *NET1, UNTIL_ALL_ARE_UP]))

    def address(self, address: str, gateway: str = "", *, interface: int | None = 1) -> None:
        """Give net1 an address, and tell it in the result."""
        self.inside.run(f"ip addr add {address} dev net1 {'nodad' if ':' in address else ''}")
        told = {"address": address, "interface": interface, "gateway": gateway}
        self.ips.append({key: value for key, value in told.items() if value not in ("", None)})

    @property
    def previous(self) -> dict[str, Any]:
        """The result of the plugins before."""
        interfaces = [{"name": "veth7"}, {"name": self.ifname, "sandbox": self.pod.netns}]
        return {"cniVersion": "1.1.0", "interfaces": interfaces, "ips": self.ips, "routes": self.routes}

    def add(self, **keys: object) -> dict[str, Any]:
        """An ADD for the interface, which must succeed; its result."""
        answer = self.node.ask("ADD", {**self.config, **keys}, self.pod, self.previous, CNI_IFNAME=self.ifname)
        return answer.succeeded().document

    def refused(self, code: int, **keys: object) -> str:
        """The message of an ADD that must fail, and leaves everything as it was."""
        before = self.everything()
        answer = self.node.ask("ADD", {**self.config, **keys}, self.pod, self.previous, CNI_IFNAME=self.ifname)
        message = answer.failed(code)
        assert self.everything() == before
        return message

    def delete(self, *, previous: bool = True, **changed: str) -> None:
        """A DEL for the interface, which must succeed."""
        told = self.previous if previous else None
        self.node.delete(self.config, self.pod, told, **{"CNI_IFNAME": self.ifname, **changed})

    def check(self) -> None:
        """A CHECK, which must find nothing."""
        self.node.check(self.config, self.pod, self.previous, CNI_IFNAME=self.ifname)

    def difference(self) -> str:
        """What a CHECK, which must fail, says."""
        return self.node.difference(self.config, self.pod, self.previous, CNI_IFNAME=self.ifname)

    def rules(self, *, priorities: bool = False) -> list[str]:
        """What `ip rule` shows beside the kernel's own, in order."""
        lines = self.inside.run("ip rule; ip -6 rule").splitlines()
        own = [line.split(":", 1) for line in lines]
        return [
            f"{priority}:{rule}" if priorities else rule.strip()
            for priority, rule in own
            if priority not in ("0", "32766", "32767")
        ]

    def table(self, table: int | str = "main", family: int = 4) -> list[str]:
        """The routes of a table, in any order, without who made them."""
        lines = self.inside.run(f"ip -{family} route show table {table} 2>/dev/null || true").splitlines()
        words = [line.strip() for line in lines]
        for noise in (" proto kernel", " proto static", " scope link", " pref medium", " linkdown"):
            words = [word.replace(noise, "") for word in words]
        return sorted(word.strip() for word in words if "dev peer" not in word)

    def everything(self) -> dict[str, Any]:
        """All that the plugin could have changed."""
        await_local_routes(self.inside.netns)
        routes = "".join(self.inside.run(f"ip -{family} -d route show table all") for family in (4, 6))
        routes = routes.replace(" linkdown", "")  # the kernel tells in its own time
        return {
            "rules": self.rules(priorities=True),
            "routes": sorted(line for line in routes.splitlines() if not _comes_later(line)),
            "links": self.inside.links(),
            "files": self.files(),
        }

    def files(self) -> dict[str, Any]:
        """What is on record, in any order."""
        return {path.name: _sorted(json.loads(path.read_text())) for path in self.data.glob("*")}


def _comes_later(route: str) -> bool:
    """Whether the kernel adds a route by itself, once duplicate address detection is through."""
    return "table local" in route or route.startswith(("local fe80", "anycast"))


def _sorted(document: dict[str, Any]) -> dict[str, Any]:
    return {key: sorted(value, key=json.dumps) if isinstance(value, list) else value for key, value in document.items()}
