"""What `multus inspect` found, as tables for people; what is recorded otherwise than shown stands in brackets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.inspect.described import described_address, described_route, is_told, span
from cni_multus.cli.inspect.sandbox import ANOTHER, EARLIER, GONE, LIVE, UNSEEN
from cni_multus.cli.output import GREEN, RED, YELLOW, Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cni_multus.cli.inspect.attachment import Observed
    from cni_multus.cli.inspect.leftovers import Leftover
    from cni_multus.cli.inspect.notes import Note
    from cni_multus.cli.inspect.sandbox import Sandbox

AS_RECORDED = "as recorded"


def _colour(value: object) -> str:
    text = str(value)
    if text == AS_RECORDED:
        return GREEN
    return YELLOW if text in (UNSEEN, "not on record") else RED


ATTACHED = (
    Column("POD", "pod"),
    Column("INTERFACE", "ifname"),
    Column("NETWORK", "network"),
    Column("TYPE", "types"),
    Column("ON", "master"),
    Column("ADDRESSES", "addresses"),
    Column("AGE", "age"),
    Column("STATE", "state", style=_colour),
    Column("MAC", "mac", wide=True),
    Column("MTU", "mtu", wide=True, right=True),
    Column("NODE END", "port", wide=True, rare=True),
    Column("VLAN", "vlans", wide=True, rare=True),
    Column("IPAM", "ipam", wide=True, rare=True),
    Column("CONTAINER", "container", wide=True, show=lambda value: str(value)[:13]),
    Column("NAMESPACE", "netns", wide=True),
    Column("FROM", "origin", wide=True),
)
_WHOSE = (Column("POD", "pod"), Column("INTERFACE", "ifname"))
_RED = (Column("WHAT DIFFERS", "text", style=lambda _: RED),)
DETAILS = {
    "Routes": "ROUTE",
    "Rules": "RULE",
    "Kernel settings": "SETTING",
    "nftables": "OBJECT",
    "Queueing": "QUEUEING",
    "Counters": "COUNTED",
    "Neighbours": "NEIGHBOUR",
    "Addresses by their IPAM": "OWNER",
}
"""The titles of what is told of a few sandboxes only, and of their column."""


def tables(
    sandboxes: Sequence[Sandbox], left: Sequence[Leftover], notes: Sequence[Note], *, details: bool
) -> Iterator[Table]:
    """Everything, the attachments first."""
    rows = [row for sandbox in sandboxes for row in attached(sandbox)]
    yield Table("Attachments", ATTACHED, rows, empty="nothing is attached on this node")
    wrong = [
        {"pod": sandbox.pod, "ifname": ifname, "text": text}
        for sandbox in sandboxes
        for ifname, text in [
            *(("", text) for text in sandbox.wrong),
            *((one.ifname, text) for one in sandbox.observed for text in one.wrong),
        ]
    ]
    yield Table("Differences between the records and the kernel", (*_WHOSE, *_RED), wrong)
    if details:
        yield from _details(sandboxes)
    asked = [{"pod": box.pod, "text": box.api.told} for box in sandboxes if box.api]
    yield Table("By the API server", (Column("POD", "pod"), Column("IS", "text")), asked)
    unknown = [{"pod": box.pod, **box.stranger(link)} for box in sandboxes for link in box.strangers]
    columns = (Column("POD", "pod"), Column("INTERFACE", "interface"), Column("KIND", "kind"))
    yield Table("Interfaces that no record has", (*columns, Column("ADDRESSES", "addresses")), unknown)
    owners = (Column("WHAT", "what"), Column("OWNER", "owner"), Column("WHY", "why", style=lambda _: RED))
    yield Table("Left on the node", owners, [each.to_json() for each in left])
    noted = [{"text": str(each)} for each in [*notes, *(each for box in sandboxes for each in box.notes)]]
    yield Table("Could not be looked at", (Column("WHY", "text", style=lambda _: YELLOW),), noted)


def attached(sandbox: Sandbox) -> Iterator[dict[str, object]]:
    """A row for each interface; one for a sandbox of which none is known."""
    known = sandbox.known
    common: dict[str, object] = {
        "pod": sandbox.pod,
        "age": span(sandbox.age) if sandbox.age else "",
        "netns": sandbox.netns,
        "container": known.container_id if known else "",
        "origin": known.origin if known else "",
    }
    for one in sandbox.observed:
        yield {**common, **_row(one), "state": state(sandbox, one)}
    if not sandbox.observed and known is not None:
        yield {**common, "ifname": known.ifname, "state": state(sandbox, None)}


def state(sandbox: Sandbox, one: Observed | None) -> str:
    """One phrase for an interface."""
    if sandbox.state in (GONE, ANOTHER, EARLIER):
        return "namespace gone"
    if one is None:
        return "no record" if sandbox.known and sandbox.known.trouble else "just begun"
    if sandbox.state != LIVE:
        return UNSEEN
    if one.link is None:
        return "interface gone"
    if sandbox.wrong and not one.wrong:
        return (
            "not complete"
            if sandbox.known and sandbox.known.record and not sandbox.known.record.complete
            else "leaving"
        )
    return f"differs ({len(one.wrong)})" if one.wrong else AS_RECORDED


def _row(one: Observed) -> dict[str, object]:
    recorded = one.recorded
    return {
        "ifname": one.ifname,
        "network": one.network,
        "types": one.types,
        "master": one.master,
        "addresses": _addresses(one),
        "mac": _beside(one.link.mac if one.link else "", recorded.mac.lower() if recorded else ""),
        "mtu": _beside(str(one.link.mtu) if one.link else "", str(recorded.mtu or "") if recorded else ""),
        "port": one.port.name if one.port else "",
        "vlans": one.vlans,
        "ipam": sorted({each.engine for each in one.owned}),
    }


def _addresses(one: Observed) -> list[str]:
    """The kernel's, link-local ones left out, then in brackets those that are only recorded."""
    shown = [described_address(address) for address in one.addresses if address.scope == 0]
    plain = {str(address) for address in one.addresses}
    return shown + [f"({each})" for each in one.told_addresses if each not in plain]


def _beside(shown: str, recorded: str) -> str:
    return f"{shown} ({recorded})".strip() if recorded and shown != recorded else shown


def _details(sandboxes: Sequence[Sandbox]) -> Iterator[Table]:
    for title, column in DETAILS.items():
        rows = [
            {"pod": sandbox.pod, "ifname": one.ifname, "text": text}
            for sandbox in sandboxes
            for one in sandbox.observed
            for text in _told(one, title)
        ]
        yield Table(title, (*_WHOSE, Column(column, "text")), rows)


def _told(one: Observed, title: str) -> list[str]:
    if title == "Routes":
        return [described_route(route) for route in one.routes if is_told(route)]
    if title == "Addresses by their IPAM":
        return [f"{each.address}: {each.owner or each.wrong or 'not known here'} ({each.engine})" for each in one.owned]
    if title == "Queueing":
        return [f"{name}: {each}" for name, each in one.queueing]
    if one.details is not None and title in ("Counters", "Neighbours"):
        return [one.details.counted] if title == "Counters" else one.details.neighbours
    many: dict[str, Sequence[object]] = {
        "Rules": one.policies,
        "Kernel settings": one.settings,
        "nftables": one.filters,
    }
    return [str(each) for each in many.get(title, ())]
