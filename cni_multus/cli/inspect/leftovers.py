"""What is on the node and belongs to nobody who is on record: links, nftables objects, namespaces."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cli.inspect import kernel
from cni_multus.cli.inspect.attachment import network_name
from cni_multus.cli.inspect.notes import READ_FILES, note
from cni_multus.cni.errors import CniError
from cni_multus.cni.request import Attachment
from cni_multus.marks import comment, label
from cni_multus.state import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.inspect.gather import Node
    from cni_multus.cli.inspect.sandbox import Sandbox

MARK = "multus:"
NAMED = "/run/netns"
"""Where container runtimes and `ip netns` bind namespaces to names."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A link, or an nftables object, and the mark that says whose it was."""

    what: str
    owner: str
    why: str

    def to_json(self) -> dict[str, object]:
        """All of it."""
        return {"what": self.what, "owner": self.owner, "why": self.why}


def leftovers(node: Node) -> Iterator[Leftover]:
    """Every link and object of ours on the node that no record explains."""
    keys = list(_keys(node))
    labels, comments = {label(key) for key in keys}, {comment(key) for key in keys}
    damaged = [known.container_id for known in node.known if known.record is None]
    for alias, links in node.aliases.items():
        if alias.startswith(MARK) and alias not in labels:
            for link in links:
                yield Leftover(f"link {link.name} ({link.kind})", alias, _why(alias, damaged))
    for owner, objects in node.filters.objects.items():
        if owner.startswith(MARK) and owner not in comments:
            for each in objects:
                yield Leftover(f"nftables {each}", owner, _why(owner, damaged))


def unrecorded(node: Node) -> Iterator[Sandbox]:
    """Namespaces with a name on this node, and with links, that no record is of."""
    seen = {kernel.identity(node.path(known.netns)) for known in node.known if known.netns} | {node.host.identity}
    directory = node.site.path(NAMED)
    try:
        names = sorted(files.names(directory))
    except CniError as error:
        node.notes.append(note(directory, error, READ_FILES))
        return
    for name in names:
        path = os.path.join(directory, name)
        identity = kernel.identity(path)
        if identity and identity not in seen:
            seen.add(identity)
            sandbox = node.unrecorded(path)
            if sandbox.strangers or sandbox.notes:
                yield sandbox


def _keys(node: Node) -> Iterator[Attachment]:
    for known in node.known:
        for attachment in known.record.attachments if known.record else ():
            yield Attachment(network_name(attachment), known.container_id, attachment.ifname)


def _why(owner: str, damaged: list[str]) -> str:
    if any(container_id and f":{container_id}:" in owner for container_id in damaged):
        return "its record cannot be read"
    return "no record has it"
