"""Whose is what: everything on the node and in the pods, by the pod that it belongs to, and nothing that is nobody's.

A thing belongs to the pod whose container ID, address, port or link it names. One pod, attached alone, shows how many
things of each kind a pod has; `between` holds all others against that, `after` the site against what it was before.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.chains.everything import things_of
from tests.conftest import entered
from tests.faults.audit import files
from tests.faults.glance import Glance
from tests.node import settle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.load.site import Site
    from tests.node import Pod

COMMANDS = {
    "link": "ip -j -d link",
    "address": "ip -j addr",
    "route": "ip -j route show table all",
    "route6": "ip -j -6 route show table all",
    "rule": "ip -j rule",
    "nft": "nft -j list ruleset",
    "qdisc": "tc -j qdisc show",
}
NAMES = re.compile(r"pod-\d{4}|\b10\.[1-4]\.(?!0\.[01]\b|255\.255\b)\d+\.\d+\b|\bfd00:1::(?!1\b)[0-9a-f]+\b|\b2\d{4}\b")
"""Container IDs, addresses of the pools that are neither their own nor a gateway's, ports of the node."""

Census = dict[str, Counter[str]]
"""For each owner, how many things there are of each kind; "" owns what names nobody."""


class Audit:
    """Learns from the first pod of a site that nobody has used yet; a difference is a line of text."""

    def __init__(self, site: Site) -> None:
        self.site = site
        first = site.pods[0]
        for verb in ("ADD", "CHECK", "DEL"):
            site.ask(verb, first)
        site.ask("GC")
        self.before = self._at_a_glance()
        self.idle = self.census([])
        site.ask("ADD", first)
        alone = self.census([first])
        self.of_one = alone.pop(first.container_id)
        self.constant = _of_namespace(first.netns)
        problems = list(_compare(alone, self.idle))
        assert problems == [], problems
        site.ask("DEL", first)

    def between(self, live: Sequence[Pod]) -> list[str]:
        """What there is too much or too little when just these pods are attached."""
        wanted = dict.fromkeys((pod.container_id for pod in live), self.of_one)
        problems = list(_compare(self.census(live), {**self.idle, **wanted}))
        absent = {pod.netns for pod in self.site.pods} - {pod.netns for pod in live}
        problems += [f"{netns} has links" for netns in sorted(absent) if len(_shown(netns)) > 1]
        for pod in live:
            if (found := _of_namespace(pod.netns)) != self.constant:
                problems.append(f"{pod.container_id}: its namespace has {found}, not {self.constant}")
        return problems

    def after(self) -> list[str]:
        """What there is more or less than before anybody was attached, byte by byte."""
        now = self._at_a_glance()
        if now == self.before:
            return []
        problems = list(_compare(self.census([]), self.idle))
        for what in sorted({*now, *self.before}):
            if now.get(what) != self.before.get(what):
                problems.append(f"not as before: {what}: {now.get(what)!r:.300} {self.before.get(what)!r:.300}")
        return problems

    def census(self, live: Sequence[Pod]) -> Census:
        """Everything on the node and in files."""
        settle(self.site.host)
        owners: dict[str, str] = {str(self.site.port(pod)): pod.container_id for pod in self.site.pods}
        found: Census = {}
        for pod in live:
            for address in _addresses(_shown(pod.netns)):
                if owners.setdefault(address, pod.container_id) != pod.container_id:
                    found.setdefault("twice", Counter())[f"{address} of {owners[address]} and {pod.container_id}"] += 1
        things = _on_node(self.site.host.path)
        for link in things["link"]:
            if (alias := re.search(r"pod-\d{4}", link.get("ifalias", ""))) and not _is_shared(link):
                owners[link["ifname"]] = alias[0]
        words = re.compile("|".join([NAMES.pattern, r"\b(?:veth[0-9a-f]{8}|bwp[0-9a-f]+|ifb\w+)\b"]))
        for what, members in things.items():
            for member in members:
                for name in words.findall(json.dumps(member)):
                    found.setdefault(_owner(name, owners), Counter())[what] += 1
        for what, text in _files(self.site.directories()):
            for name in sorted(set(NAMES.findall(text))):
                found.setdefault(_owner(name, owners), Counter())[what] += 1
        return found

    def _at_a_glance(self) -> dict[str, object]:
        settle(self.site.host)
        found = files(self.site.directories()) | things_of(self.site.host.path)
        for pod in self.site.pods:
            glance = Glance(pod.netns)
            try:
                found[pod.container_id] = glance.look()
            finally:
                glance.close()
        return found


def _owner(name: str, owners: dict[str, str]) -> str:
    return name if name.startswith("pod-") else owners.get(name, f"nobody ({name})")


def _is_shared(link: dict[str, Any]) -> bool:
    return bool(link.get("linkinfo", {}).get("info_kind") == "bridge")


def _on_node(netns: str) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for what, command in COMMANDS.items():
        shown = subprocess.run(["nsenter", f"--net={netns}", *command.split()], capture_output=True, check=True).stdout
        told = json.loads(shown or b"[]")
        found[what] = told["nftables"] if what == "nft" else told
    return found


def _shown(netns: str) -> list[dict[str, Any]]:
    with entered(netns):
        shown = subprocess.run(["ip", "-j", "-d", "addr"], capture_output=True, check=True).stdout
    told: list[dict[str, Any]] = json.loads(shown)
    return told


def _addresses(shown: Iterable[dict[str, Any]]) -> Iterator[str]:
    for link in shown:
        for each in link["addr_info"]:
            if link["ifname"] != "lo" and each.get("scope") == "global":
                yield each["local"]


def _of_namespace(netns: str) -> list[str]:
    """What each pod has the same: its links, and how many addresses each has; the numbers of routes and of rules."""
    shown = _shown(netns)
    links = [
        f"{link['ifname']} {link.get('linkinfo', {}).get('info_kind')} {len(list(_addresses([link])))}"
        for link in shown
    ]
    with entered(netns):
        for command in ("ip -4 route show table all", "ip -4 rule"):
            text = subprocess.run(command.split(), capture_output=True, check=True).stdout
            links.append(f"{command}: {len(text.splitlines())}")
    return sorted(links)


def _files(directories: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The kind of each file that holds something for somebody, and what it is called and says of whom."""
    for name in files(directories):
        label, _, path = name.removeprefix("file ").partition("/")
        kind = f"files {label}/{path.split('/')[0]}"
        whole = os.path.join(directories[label], path)
        with open(whole, "rb") as file:
            said = file.read().decode(errors="replace")
        yield kind, f"{path} {' '.join(re.findall(r'pod-[0-9]{4}', said))}"


def _compare(now: Census, wanted: Census) -> Iterator[str]:
    for owner in sorted({*now, *wanted}):
        has, should = now.get(owner, Counter()), wanted.get(owner, Counter())
        for what in sorted({*has, *should}):
            if has[what] != should[what]:
                yield f"{owner}: {has[what]} times in {what}, not {should[what]}"
