"""What iproute2 shows of a namespace, and what a test does there by hand."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

from tests.settled import await_local_routes

BRIEFLY = 0.3
"""Seconds after which nobody answers any more."""


class Shown:
    """A namespace as `ip` sees it."""

    def __init__(self, netns: str) -> None:
        self.netns = netns

    def run(self, command: str) -> str:
        """What a shell's command prints in this namespace; it must succeed."""
        done = subprocess.run(
            ["nsenter", f"--net={self.netns}", "sh", "-c", command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def ip(self, arguments: str) -> Any:
        """What `ip` prints, as JSON."""
        return json.loads(self.run(f"ip -j -d {arguments}") or "[]")

    def link(self, name: str) -> dict[str, Any]:
        """One link; it must be there."""
        [found] = self.ip(f"link show dev {name}")
        assert isinstance(found, dict)
        return found

    def links(self) -> set[str]:
        """The names of all links but `lo`."""
        return {link["ifname"] for link in self.ip("link show")} - {"lo"}

    def is_up(self, name: str) -> bool:
        """Whether somebody brought a link up."""
        return "UP" in self.link(name)["flags"]

    def reaches(self, address: str, options: str = "", *, within: float = 30) -> bool:
        """Whether a ping is answered; it is sent again for so many seconds, since a link that is new may need some."""
        deadline = time.monotonic() + within
        while "1 received" not in self.run(f"ping -c1 -W{min(within, 1)} {options} {address} 2>&1 || true"):
            if time.monotonic() >= deadline:
                return False
        return True

    def setting(self, name: str) -> str:
        """A kernel setting below net/."""
        return self.run(f"cat /proc/sys/net/{name}").strip()

    def write(self, name: str, value: str) -> None:
        """Write a kernel setting below net/."""
        self.run(f"echo {value} > /proc/sys/net/{name}")

    def addresses(self, name: str, *, link_local: bool = False) -> set[str]:
        """The addresses of a link with their prefix lengths."""
        [found] = self.ip(f"addr show dev {name}")
        return {
            f"{address['local']}/{address['prefixlen']}"
            for address in found["addr_info"]
            if link_local or not address["local"].startswith("fe80")
        }

    def routes(self, family: int = 4, table: str = "main") -> list[str]:
        """The routes of a table as `ip` writes them, those of link-local networks left out."""
        lines = self.run(f"ip -{family} route show table {table}").splitlines()
        return [line.strip() for line in lines if "fe80" not in line and "ff00::/8" not in line]

    def everything(self) -> dict[str, Any]:
        """All that an attachment could leave behind, to be compared with itself later."""
        await_local_routes(self.netns)
        links = {
            link["ifname"]: (
                link.get("linkinfo", {}).get("info_kind"),
                link.get("address"),
                link["mtu"],
                {"UP", "PROMISC"} & set(link["flags"]),
                link.get("master"),
                link.get("ifalias"),
            )
            for link in self.ip("link show")
        }
        routes = self.routes(4, "all") + self.routes(6, "all")
        return {
            "links": links,
            "addresses": {name: self.addresses(name) for name in links},
            "routes": sorted(route.replace(" linkdown", "") for route in routes),  # a carrier comes when it likes
            "forwarding": (self.setting("ipv4/ip_forward"), self.setting("ipv6/conf/all/forwarding")),
        }
