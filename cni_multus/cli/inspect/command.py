"""`multus inspect`: what is attached on this node, live, and in what the records and the kernel differ."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, FOUND, PARTIAL, Command, UsageError
from cni_multus.cli.options import add_api, add_output, add_site
from cni_multus.cli.output import emit, one_line, warn

if TYPE_CHECKING:
    import argparse

    from cni_multus.cli.inspect.gather import Node
    from cni_multus.cli.inspect.leftovers import Leftover
    from cni_multus.cli.inspect.sandbox import Sandbox

GRAPHS = ("svg", "mermaid", "text")
FEW = 8
"""Up to so many sandboxes that were asked for are told of in detail: routes, rules, settings, filters, counters."""


class Inspect(Command):
    """One document, or some tables; `--graph` draws the same."""

    name = "inspect"
    summary = "show what is attached on this node, by the records and by the kernel"
    description = (
        "Show what is attached on this node: of each interface its network, what it stands on, its addresses, routes, "
        "rules, kernel settings, nftables objects, limits, and who has its addresses by IPAM; what the kernel shows, "
        "what is recorded otherwise, in brackets, and what neither explains. Run it as root in the node's network "
        "namespace. Nothing is locked, and nothing is changed. An API server is not needed; the one that the node's "
        "configuration names is asked for single pods."
    )
    exits = {
        DONE: "shown, and all is as recorded",
        FOUND: "something differs, or there is no such pod",
        PARTIAL: "what is shown holds, but something could not be looked at",
        FAILED: "nothing could be shown",
    }
    examples = (
        "multus inspect",
        "multus inspect default/web-0",
        "multus inspect 4f2a6c1e -o yaml",
        "multus inspect /run/netns/cni-1e0f93c2-0d1b",
        "multus inspect --all --graph svg >node.svg",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "what",
            metavar="POD|CONTAINER|NETNS",
            nargs="?",
            default="",
            help="NAME, NAMESPACE/NAME or UID of a pod, the beginning of a container's ID, or a namespace's path",
        )
        parser.add_argument("--all", action="store_true", help="everything on this node (so it is without an argument)")
        parser.add_argument("--graph", choices=GRAPHS, help="draw it: an SVG picture, mermaid, or lines for a terminal")
        parser.add_argument(
            "--no-check",
            action="store_true",
            help="leave out the plugins' own CHECK, which takes 3 ms for each interface",
        )
        add_output(parser)
        add_site(parser)
        add_api(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        if arguments.what and arguments.all:
            raise UsageError(f"--all shows every pod, and {arguments.what} is one: leave one of them out")
        from cni_multus.cli.inspect.gather import Node
        from cni_multus.cli.inspect.wanted import Wanted
        from cni_multus.cli.site import Site

        site = Site.of(arguments)
        node = Node.look(site, check=not arguments.no_check and not arguments.graph)
        path = node.path(arguments.what)
        wanted = Wanted.of(arguments.what, path)
        sandboxes = sorted(node.sandboxes(wanted), key=lambda sandbox: sandbox.pod)
        if not sandboxes and wanted.is_path:
            sandboxes = [node.unrecorded(path)]
        if not sandboxes and wanted.text:
            return _unknown(arguments, node)
        if wanted.text and len(sandboxes) <= FEW and not arguments.graph:
            _deepen(node, sandboxes)
        left = _leftovers(node) if not wanted.text else []
        if not wanted.text:
            from cni_multus.cli.inspect.leftovers import unrecorded

            sandboxes += unrecorded(node)
        if node.verdicts is not None and node.verdicts.skipped:
            warn(f"{node.verdicts.skipped} interfaces were compared without their plugins' CHECK: it took too long")
        _show(arguments, node, sandboxes, left)
        return _status(node, sandboxes, left)


def _show(arguments: argparse.Namespace, node: Node, sandboxes: list[Sandbox], left: list[Leftover]) -> None:
    if arguments.graph:
        from cni_multus.cli.inspect.graph import draw

        sys.stdout.write(draw(arguments.graph, node, sandboxes))
        for note in node.notes:
            warn(str(note))
        return
    from cni_multus.cli.inspect.tables import tables

    document = {
        "node": os.uname().nodename,
        "sandboxes": [sandbox.to_json() for sandbox in sandboxes] if arguments.output in ("json", "yaml") else [],
        "leftovers": [each.to_json() for each in left],
        "notes": [note.to_json() for note in node.notes],
    }
    details = bool(arguments.what) and len(sandboxes) <= FEW
    emit(arguments.output, document, tables(sandboxes, left, node.notes, details=details))


def _deepen(node: Node, sandboxes: list[Sandbox]) -> None:
    """Look closer: into what the kernel counts, and what the API server says."""
    from cni_multus.cli.inspect.api import ask, tell
    from cni_multus.cli.inspect.details import details

    pods = [sandbox.known.pod for sandbox in sandboxes if sandbox.known and sandbox.known.pod.count("/") == 1]
    told = ask(node.site, pods, node.notes)
    for sandbox in sandboxes:
        if sandbox.known and sandbox.known.pod in told:
            tell(sandbox, told[sandbox.known.pod])
    for sandbox in sandboxes:
        if any(one.link for one in sandbox.observed):
            found = details(sandbox.netns, sandbox.notes)
            for one in sandbox.observed:
                one.details = found.get(one.ifname)


def _leftovers(node: Node) -> list[Leftover]:
    from cni_multus.cli.inspect.leftovers import leftovers

    return list(leftovers(node))


def _unknown(arguments: argparse.Namespace, node: Node) -> int:
    if arguments.what.count("/") == 1:
        from cni_multus.cli.inspect.api import ask

        pod = ask(node.site, [arguments.what], node.notes).get(arguments.what)
        if pod is not None:
            warn(f"the API server has pod {arguments.what}: {pod.told}")
    text = f"no pod, no container and no namespace of {arguments.what!r} is on record in {node.site.cni_dir}"
    sys.stderr.write(f"multus inspect: {one_line(text)}; `multus inspect` lists those that are\n")
    for note in node.notes:
        warn(str(note))
    return PARTIAL if node.notes else FOUND


def _status(node: Node, sandboxes: list[Sandbox], left: list[Leftover]) -> int:
    if node.notes or any(sandbox.notes for sandbox in sandboxes):
        return PARTIAL
    return FOUND if left or any(sandbox.differs for sandbox in sandboxes) else DONE
