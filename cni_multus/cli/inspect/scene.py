"""What a picture of the node shows: its links that carry something, and the pods' interfaces that stand on them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cni_multus.cli.inspect.described import described_address
from cni_multus.cli.inspect.sandbox import LIVE, UNSEEN
from cni_multus.cli.inspect.tables import AS_RECORDED, state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cni_multus.cli.inspect.attachment import Observed
    from cni_multus.cli.inspect.gather import Node
    from cni_multus.cli.inspect.kernel import Space
    from cni_multus.cli.inspect.sandbox import Sandbox
    from cni_multus.linux.links import Link

ROUTED = "the node's routes"
"""What a veth pair leads to that is in no bridge."""

ELSEWHERE = ""
"""Of an interface that stands on nothing of the node."""

_GLOBAL = 0


@dataclass(slots=True)
class Anchor:
    """A link of the node; `on` are those below it: its master's ports, or what a VLAN stands on."""

    name: str
    kind: str
    up: bool
    mtu: int = 0
    addresses: list[str] = field(default_factory=list)
    detail: str = ""
    on: list[str] = field(default_factory=list)
    level: int = 0
    """0 for what stands on nothing, else one more than the highest below."""


@dataclass(slots=True)
class End:
    """An interface of a pod."""

    ifname: str
    kind: str
    anchor: str
    addresses: list[str]
    network: str = ""
    vlans: str = ""
    port: str = ""
    wrong: list[str] = field(default_factory=list)
    """What differs, a line each."""
    unknown: bool = False
    """Whether no record has it."""


@dataclass(slots=True)
class Box:
    """A pod, or a namespace that no record is of."""

    name: str
    netns: str
    wrong: str
    ends: list[End]


@dataclass(slots=True)
class Scene:
    """All of it; what stands on a link follows it."""

    title: str
    anchors: list[Anchor]
    boxes: list[Box]
    hidden: int = 0
    """Links of the node that carry nothing that is shown."""

    @property
    def used(self) -> list[Anchor]:
        """The anchors that pods' interfaces stand on."""
        names = {end.anchor for box in self.boxes for end in box.ends}
        return [anchor for anchor in self.anchors if anchor.name in names]


def scene(node: Node, sandboxes: Sequence[Sandbox]) -> Scene:
    """What there is to draw of these sandboxes."""
    boxes = [_box(sandbox) for sandbox in sandboxes]
    wanted = {end.anchor for box in boxes for end in box.ends} - {ELSEWHERE}
    anchors = _anchors(node.host, wanted)
    shown = {anchor.name for anchor in anchors} | {end.port for box in boxes for end in box.ends}
    interfaces = sum(len(box.ends) for box in boxes)
    differ = sum(1 for box in boxes if box.wrong or any(end.wrong for end in box.ends))
    title = f"{os.uname().nodename}: {_count(len(boxes), 'pod')}, {_count(interfaces, 'interface')}"
    title += f", {differ} not as recorded" if differ else ""
    return Scene(title, anchors, boxes, sum(1 for link in node.host.own if link.name not in shown))


def _box(sandbox: Sandbox) -> Box:
    ends = [_end(sandbox, one) for one in sandbox.observed]
    for link in sandbox.strangers:
        addresses = sandbox.stranger(link)["addresses"]
        ends.append(End(link.name, link.kind or "device", ELSEWHERE, _listed(addresses), unknown=True))
    wrong = "; ".join(text.partition(": ")[0] for text in sandbox.wrong)
    if sandbox.state == UNSEEN:
        wrong = "its namespace may not be looked at"
    return Box(sandbox.pod, sandbox.netns, wrong, ends)


def _end(sandbox: Sandbox, one: Observed) -> End:
    shown = [described_address(each) for each in one.addresses if each.scope == _GLOBAL]
    if not shown and one.link is None:
        shown = [f"({each})" for each in one.told_addresses]
    kind = one.types[0] if one.types else ""
    anchor = one.master
    if one.port is not None and not anchor:
        anchor = ROUTED
    if "(" in anchor or (one.link is not None and one.link.parent_device):
        kind, anchor = f"{kind} on {anchor}", ELSEWHERE
    phrase = state(sandbox, one)
    wrong = [] if phrase == AS_RECORDED or sandbox.state != LIVE else one.wrong or [phrase]
    return End(one.ifname, kind, anchor, shown, one.network, one.vlans, one.port.name if one.port else "", wrong)


def _anchors(host: Space, wanted: set[str]) -> list[Anchor]:
    links = {link.name: link for link in host.own}
    ports: dict[int, list[Link]] = {}
    for link in host.own:
        if link.master:
            ports.setdefault(link.master, []).append(link)
    found: dict[str, Anchor] = {}
    chosen = [name for name, link in links.items() if name in wanted or _speaks_for_itself(link, host)]
    for name in chosen:
        _add(name, links, ports, host, found)
    if ROUTED in wanted:
        found[ROUTED] = Anchor(ROUTED, "routes", up=True)
    return _in_order(found)


def _in_order(anchors: dict[str, Anchor]) -> list[Anchor]:
    """By name, each followed by what stands on it."""
    above: dict[str, list[str]] = {}
    for name in sorted(anchors):
        for below in anchors[name].on:
            above.setdefault(below, []).append(name)
    ordered: dict[str, Anchor] = {}

    def place(name: str) -> None:
        if name not in ordered and all(below in ordered for below in anchors[name].on):
            ordered[name] = anchors[name]
            for each in above.get(name, ()):
                place(each)

    for name in sorted(anchors):
        if not anchors[name].on:
            place(name)
    return list((ordered | anchors).values())


def _speaks_for_itself(link: Link, host: Space) -> bool:
    """Whether a link is worth a picture though no pod stands on it: a device of the node with an address."""
    is_device = link.kind in ("", "bond", "vlan", "team")
    return is_device and any(address.scope == _GLOBAL for address in host.addresses.get(link.index, []))


def _add(
    name: str, links: dict[str, Link], ports: dict[int, list[Link]], host: Space, found: dict[str, Anchor]
) -> Anchor | None:
    """Put a link, and what it stands on, into `found`."""
    if name in found:
        return found[name]
    link = links.get(name)
    if link is None:
        return None
    addresses = [str(each) for each in host.addresses.get(link.index, []) if each.scope == _GLOBAL]
    anchor = Anchor(link.name, link.kind or "device", link.up, link.mtu, addresses, _detail(link))
    found[name] = anchor  # first: whoever made a circle of links must not hold us up
    below = [port for port in ports.get(link.index, []) if port.kind not in ("veth", "tun", "ifb")]
    if link.parent and link.kind not in ("veth", "") and link.parent_nsid is None and link.parent in host.links:
        below.append(host.links[link.parent])
    for each in below:
        under = _add(each.name, links, ports, host, found)
        if under is not None and under is not anchor:
            anchor.on.append(under.name)
            anchor.level = max(anchor.level, under.level + 1)
    return anchor


def _detail(link: Link) -> str:
    if link.kind == "vlan" and "id" in link.data:
        return f"VLAN {link.data['id']}"
    return "keeps VLANs apart" if link.kind == "bridge" and link.data.get("vlan_filtering") else ""


def _listed(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
