"""What a call came to, as one document and as tables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cni_multus.cli.call.byhand import BUILT_IN
from cni_multus.cli.output import RED, Column, Table
from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import CniError
from cni_multus.cni.versions import SUPPORTED
from cni_multus.delegate import Program, find
from cni_multus.program import foreign_environment, run

if TYPE_CHECKING:
    from cni_multus.cli.call.session import Session
    from cni_multus.network import Network

PATIENCE = 10.0
"""Seconds that a program has to tell its versions."""

INTERFACES = (
    Column("INTERFACE", "interface"),
    Column("KIND", "kind"),
    Column("STATE", "state"),
    Column("MAC", "mac"),
    Column("MTU", "mtu", right=True),
    Column("ADDRESSES", "addresses"),
    Column("ROUTES", "routes", wide=True),
)
TIMES = (
    Column("VERB", "verb"),
    Column("PLUGIN", "type"),
    Column("CODE", "program"),
    Column("MS", "ms", right=True),
    Column("OF THOSE", "parts"),
    Column("FAILED", "failed", rare=True, style=lambda _: RED),
)
GIVEN = (Column("ADDRESS", "address"), Column("GATEWAY", "gateway", rare=True), Column("INTERFACE", "interface"))


def outcome(verb: str, network: str, error: CniError | None) -> dict[str, object]:
    """The first line, and the error as a plugin prints it."""
    if error is None:
        return {"verb": verb, "network": network, "verdict": f"{verb.upper()} of network {network} worked"}
    told = f"{error.message} ({error.details})" if error.details else error.message
    return {
        "verb": verb,
        "network": network,
        "verdict": f"{verb.upper()} of network {network} failed: code {error.code}: {told}",
        "error": {"code": error.code, "msg": error.message, "details": error.details},
    }


def document(verb: str, session: Session, *, kept: bool) -> dict[str, object]:
    """Everything of a call about a container."""
    told, container = session.told, session.container
    found = outcome(verb, session.runtime.network.name, told.error)
    verdict = f"{found['verdict']} in {told.seconds * 1000:.1f} ms"
    if told.undone:
        verdict += f"; it could not be taken apart: {told.undone.message}"
    if told.left:
        verdict += f"; left behind in {container.netns}: {', '.join(told.left)}"
    if kept and told.error is None:
        verdict += f"; kept in {container.netns}, as container {container.container_id}"
    return {
        **found,
        "verdict": verdict,
        "netns": container.netns,
        "containerID": container.container_id,
        "ifname": container.ifname,
        "result": told.result,
        "kernel": told.kernel,
        "timings": [each.to_json() for each in session.steps],
        "left": told.left,
    }


def tables(shown: dict[str, object]) -> list[Table]:
    """The same for people."""
    result = shown.get("result")
    given = _rows(result.get("ips") if isinstance(result, dict) else None)
    names = _rows(result.get("interfaces") if isinstance(result, dict) else None)
    for row in given:
        at = row.get("interface")
        row["interface"] = names[at].get("name") if isinstance(at, int) and at < len(names) else None
    times = _rows(shown.get("timings"))
    for row in times:
        parts = row.get("parts")
        row["parts"] = [f"{part} {ms}" for part, ms in parts.items()] if isinstance(parts, dict) else None
    return [
        Table("What the result says", GIVEN, given),
        Table("What the kernel shows", INTERFACES, _rows(shown.get("kernel"))),
        Table("Times, in milliseconds", TIMES, times),
    ]


def _rows(value: object) -> list[dict[str, object]]:
    return [dict(each) for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def versions(network: Network, path: tuple[str, ...]) -> list[dict[str, object]]:
    """What each plugin of a network speaks; a program is asked."""
    rows: list[dict[str, object]] = []
    for section in network.plugins:
        kind = section.text("type")
        row: dict[str, object] = {"type": kind}
        try:
            plugin = find(kind, path, section.where("type"), programs_first=network.programs_first)
            row["program"] = plugin.path if isinstance(plugin, Program) else BUILT_IN
            row["versions"] = _ask(plugin.path) if isinstance(plugin, Program) else list(SUPPORTED)
        except CniError as error:
            row["failed"] = error.message
        rows.append(row)
    return rows


def _ask(path: str) -> list[str]:
    environment = {**foreign_environment(os.environ), "CNI_COMMAND": "VERSION"}
    answer = run(path, environment, b"{}", PATIENCE)
    return list(Section(parse_object(answer.stdout, f"what {path} printed")).texts("supportedVersions"))
