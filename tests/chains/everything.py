"""All that a request may change: what two namespaces, and the directories of a node, have at a time, thing by thing."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

from tests.conftest import entered
from tests.settled import await_local_routes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Things = dict[str, str]
"""What there is: a name, and what it is like."""

COMMANDS = {
    "link": "ip -j -d link",
    "address": "ip -j addr",
    "route4": "ip -j -4 route show table all",
    "route6": "ip -j -6 route show table all",
    "rule4": "ip -j -4 rule",
    "rule6": "ip -j -6 rule",
    "nft": "nft -j list ruleset",
    "qdisc": "tc -j qdisc show",
    "filter": "for each in /sys/class/net/*; do for way in root ingress egress; do"
    " echo filter show dev ${each##*/} $way; done; done | tc -batch -",
}
SETTINGS = ("core", "ipv4/conf", "ipv6/conf", "ipv4/ip_forward")

KEPT = ("addresses", "multus", "state")
"""A node's directories where requests leave files."""

PASSING = ("operstate", "flags", "handle", "_timer")
"""The ends of keys whose values change by themselves: the kernel tells carriers, and no more, when it has the time."""

BY_THEMSELVES = ("fe80:", "ff00:", "multicast")
"""Where routes lead that come with a link, some seconds after it."""

OF_FLAGS = {"UP", "PROMISC", "ALLMULTI", "NOARP", "MULTICAST"}
OF_ADDRESSES = {"tentative", "dadfailed"}


def things_of(netns: str) -> Things:
    """Links, addresses, routes, rules, nftables, queues and settings of a namespace."""
    await_local_routes(netns)
    script = "\n".join(f"printf '\\n%s\\n' '#{what}'; {command}" for what, command in COMMANDS.items())
    shown = subprocess.run(
        ["nsenter", f"--net={netns}", "unshare", "--mount", "sh", "-c", f"mount -t sysfs sysfs /sys; {script}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found: Things = {}
    for part in shown.split("\n#")[1:]:
        what, _, text = part.partition("\n")
        if what == "filter":
            found |= {f"filter {at}": line for at, line in enumerate(text.split("\n")) if line}
        elif what == "nft":
            found |= dict(_nft(json.loads(text)["nftables"]))
        elif text.strip():
            found |= dict(_listed(what, json.loads(text)))
    return found | _settings(netns)


def files_of(root: Path) -> Things:
    """Files and what they say; an index that may be deleted, and where a search went on, are passed over."""
    found = {}
    for kept in KEPT:
        for directory, folders, names in os.walk(root / kept):
            folders[:] = [each for each in folders if each != ".multus"]
            for name in names:
                path = os.path.join(directory, name)
                with open(path, "rb") as file:
                    said = b"" if name.startswith("last_reserved_ip") else file.read()
                found[f"file {os.path.relpath(path, root)}"] = repr(said)
    return found


def more(now: Things, before: Things) -> Things:
    """What is there that was not, or not like this."""
    return {name: value for name, value in now.items() if before.get(name) != value}


def fewer(now: Things, before: Things) -> Things:
    """What was there, and is not any more."""
    return {name: value for name, value in before.items() if name not in now}


def _listed(what: str, members: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for at, member in enumerate(members):
        if what == "link":
            yield f"link {member['ifname']}", _plain(member) + str(sorted(OF_FLAGS & set(member["flags"])))
        elif what == "address":
            for each in member.get("addr_info", []):
                name = f"address {each['local']}/{each['prefixlen']} of {member['ifname']}"
                yield name, _plain({key: value for key, value in each.items() if key not in OF_ADDRESSES})
        elif what == "qdisc":
            yield f"qdisc {member['kind']} {member['handle']} of {member['dev']}", _plain(member)
        elif what.startswith("route") and not member["dst"].startswith(BY_THEMSELVES):
            yield f"{what} {_plain(member)}", ""
        elif what.startswith("rule"):
            yield f"{what} {at}", _plain(member)


def _nft(members: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    count: dict[str, int] = {}
    for member in members:
        [(kind, body)] = member.items()
        if kind == "metainfo":
            continue
        where = " ".join(str(body[key]) for key in ("family", "table", "chain", "name") if key in body)
        count[where] = count.get(where, 0) + 1
        yield f"nft {kind} {where} {count[where]}", _plain(body)


def _plain(member: dict[str, Any]) -> str:
    return json.dumps(_without_passing(member), sort_keys=True)


def _without_passing(value: Any) -> Any:
    if isinstance(value, dict):
        found = {key: _without_passing(member) for key, member in value.items() if not key.endswith(PASSING)}
        return (
            {**found, "elem": sorted(map(json.dumps, found["elem"]))} if isinstance(found.get("elem"), list) else found
        )
    return [_without_passing(member) for member in value] if isinstance(value, list) else value


def _settings(netns: str) -> Things:
    found = {}
    with entered(netns):
        for start in SETTINGS:
            root = f"/proc/sys/net/{start}"
            paths = [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names] or [root]
            for path in paths:
                try:
                    with open(path) as file:
                        found[f"setting {path.removeprefix('/proc/sys/net/')}"] = file.read()
                except OSError:
                    continue
    return found
