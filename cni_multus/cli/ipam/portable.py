"""A lease on its way from one place to another, and the document of JSON lines that has it without loss.

    {"format": "multus-leases", "version": 1}
    {"addresses": ["10.0.0.5/24"], "network": ..., "containerID": ..., ..., "networkName": "", "exclusive": true}

A line is what `Lease.to_json` says, with the domain of its addresses: `networkName`, and whether pools may overlap.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import CniError, DecodingFailure
from cni_multus.cni.names import wrong_with_ifname, wrong_with_name
from cni_multus.state.leases.lease import Lease

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FORMAT, VERSION = "multus-leases", 1
HEADER = {"format": FORMAT, "version": VERSION}


@dataclass(frozen=True)
class Portable:
    """A lease, and the domain of its addresses: all of a `network_name` where it is `exclusive`, else each pool."""

    lease: Lease
    network_name: str = ""
    exclusive: bool = True
    source: str = ""
    """Where it was found, for messages."""

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.lease.addresses))} of {self.lease.holder}"

    def why_incomplete(self) -> str:
        """What is missing for another place to take it over, "" where nothing is."""
        attachment = self.lease.holder.attachment
        if not attachment.network:
            return "it does not say which network it is of; --network says it"
        if not self.lease.addresses:
            return "it has no address"
        if not attachment.container_id:
            return "it names no container"
        return wrong_with_name(attachment.network) or wrong_with_ifname(attachment.ifname)

    def to_json(self) -> dict[str, object]:
        """One line of the document."""
        return {**self.lease.to_json(), "networkName": self.network_name, "exclusive": self.exclusive}

    @staticmethod
    def parse(section: Section) -> Portable:
        """Read what `to_json` gives."""
        return Portable(
            Lease.parse(section), section.text("networkName"), section.flag("exclusive", True), section.path
        )


def print_lines(leases: Iterable[Portable]) -> Iterator[str]:
    """The document, line by line."""
    yield json.dumps(HEADER) + "\n"
    for lease in leases:
        yield json.dumps(lease.to_json()) + "\n"


def is_lines(data: bytes) -> bool:
    """Whether a document is one of these."""
    try:
        return parse_object(data.split(b"\n", 1)[0], "").get("format") == FORMAT
    except CniError:
        return False


def parse_lines(data: bytes, what: str) -> list[Portable]:
    """Read such a document; raises DecodingFailure, which names the line."""
    header, *lines = data.splitlines()
    version = parse_object(header, what).get("version")
    if version != VERSION:
        raise DecodingFailure(f"{what}: version {version} of {FORMAT}, and {VERSION} is read here")
    found = []
    for number, line in enumerate(lines, start=2):
        if line.strip():
            where = f"{what}: line {number}"
            found.append(Portable.parse(Section(parse_object(line, where), where)))
    return found
