"""An outlook as tables and as one document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.output import RED, Column, Table

if TYPE_CHECKING:
    from cni_multus.cli.explain.foreseeing import Outlook
    from cni_multus.cli.explain.networks import Foreseen

INTERFACE = Column("INTERFACE", "interface")
NETWORKS = (
    INTERFACE,
    Column("NETWORK", "name"),
    Column("WHY", "why"),
    Column("ON", "master"),
    Column("MTU", "mtu", right=True),
    Column("MAC", "mac", wide=True, rare=True),
    Column("IPAM", "ipam"),
    Column("ADDRESSES", "addresses"),
    Column("FROM", "pools", wide=True),
)
PLUGINS = (
    INTERFACE,
    Column("PLUGIN", "type"),
    Column("CODE", "program"),
    Column("WHAT IT WOULD DO", "effect"),
    Column("CAPABILITIES", "capabilities", rare=True),
)
DEFAULTS = (Column("FAMILY", "family"), Column("BY THE NETWORKS", "before"), Column("IN THE END", "after"))
PROBLEMS = (
    INTERFACE,
    Column("CODE", "code", right=True),
    Column("WHAT WOULD FAIL", "problem", style=lambda _: RED),
)


def document(outlook: Outlook, who: str, verdict: str) -> dict[str, object]:
    """Everything."""
    return {
        "pod": who,
        "verdict": verdict,
        "works": not outlook.problems,
        "networks": [each.to_json() for each in outlook.networks],
        "defaultRoutes": defaults(outlook.networks),
        "problems": [each.to_json() for each in outlook.problems],
        "notes": outlook.notes,
    }


def tables(outlook: Outlook) -> list[Table]:
    """For people."""
    shown = [each.to_json() for each in outlook.networks]
    for row, each in zip(shown, outlook.networks, strict=True):
        row["mtu"] = each.mtu or None
        if not each.sure:
            row["addresses"] = [
                *map(str, each.addresses),
                *(f"one of {pool}" for pool in each.pools[len(each.addresses) :]),
            ]
    plugins = [
        {"interface": each.ifname, **step.to_json(), "capabilities": sorted(step.capabilities)}
        for each in outlook.networks
        for step in each.steps
    ]
    problems = [{"interface": each.ifname, "code": each.error.code, "problem": each.text} for each in outlook.problems]
    return [
        Table("Networks, in the order of their attachment", NETWORKS, shown),
        Table("Their plugins", PLUGINS, plugins),
        Table("Default routes", DEFAULTS, defaults(outlook.networks) if outlook.networks else []),
        Table("What would fail", PROBLEMS, problems),
    ]


def defaults(networks: list[Foreseen]) -> list[dict[str, object]]:
    """Who has the pod's default route of each family: by the networks themselves, and once the pod's wish is met."""
    rows: list[dict[str, object]] = []
    for family in (4, 6):
        own = [(each.ifname, gateway) for each in networks if (gateway := each.gateway(family)) is not None]
        asked = [(each.ifname, str(ip)) for each in networks for ip in each.asked_default if ip.family == family]
        before = ", ".join(f"{_way(*way)}{' (behind)' if at else ''}" for at, way in enumerate(own)) or "none"
        after = _way(*asked[0]) + " (the pod asks for it)" if asked else before
        if own or asked:
            rows.append({"family": f"IPv{family}", "before": before, "after": after})
    return rows


def _way(ifname: str, gateway: str) -> str:
    return f"{ifname} via {gateway}" if gateway else ifname
