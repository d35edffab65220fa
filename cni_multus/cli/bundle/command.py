"""`multus support-bundle`: one archive of what a node shows, its secrets removed, for those who have to help."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, PARTIAL, Command, UsageError
from cni_multus.cli.options import add_api, add_site, seconds

if TYPE_CHECKING:
    import argparse

STANDARD_OUTPUT = "-"


class SupportBundle(Command):
    """Collects, cleans, packs; nothing on the node is changed."""

    name = "support-bundle"
    summary = "pack what this node shows into one archive for whoever helps, without secrets"
    description = (
        "Write one archive with what multus inspect, doctor and history say, the node's configurations, records, "
        "leases and logs, versions, packet filters, links and routes. Tokens, keys, passwords and the like are "
        "removed from all of it; index.json says what each file is, and what could not be had, and why. Everything is "
        "bounded in size and time. Run it as root in the node's network namespace. Nothing on the node is changed."
    )
    exits = {
        DONE: "written, and everything could be had",
        PARTIAL: "written; index.json says what could not be had",
        FAILED: "it could not be written",
    }
    examples = (
        "multus support-bundle",
        "multus support-bundle --with-api --since 2h -o /tmp/node.tar.gz",
        "multus support-bundle -o - | ssh desk 'cat >node.tar.gz'",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "-o",
            "--output",
            metavar="FILE",
            default="",
            help="where it is written, mode 0600 (multus-NODE-TIME.tar.gz, here); - is standard output",
        )
        parser.add_argument(
            "--with-api",
            action="store_true",
            help="ask the API server as well: definitions, annotations of this node's pods, our account's rights",
        )
        parser.add_argument(
            "--since",
            metavar="TIME",
            type=_moment,
            default=0.0,
            help="of logs what is younger: 90s, 10m, 2h, 7d, or 2026-01-31T23:59:59 (UTC)",
        )
        parser.add_argument(
            "--node",
            metavar="NAME",
            default=os.environ.get("NODE_NAME", ""),
            help="what the API server calls this node ($NODE_NAME, or its host name)",
        )
        add_site(parser)
        add_api(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        if arguments.with_api and arguments.no_api:
            raise UsageError("--with-api asks the API server, and --no-api does not: leave one of them out")
        if arguments.output == STANDARD_OUTPUT and sys.stdout.isatty():
            raise UsageError("-o -: an archive is nothing for a terminal: send it into a file or a pipe")
        from cni_multus.cli.bundle.piece import Place
        from cni_multus.cli.bundle.writing import pack
        from cni_multus.cli.site import Site

        moment = int(time.time())
        path = arguments.output or f"{_directory(moment)}.tar.gz"
        if path != STANDARD_OUTPUT and os.path.isdir(path):
            path = os.path.join(path, f"{_directory(moment)}.tar.gz")
        _refuse(path)
        packed = pack(Place(Site.of(arguments), arguments, arguments.since), _directory(moment), moment)
        _write(path, packed.data)
        _tell(path, packed.files, packed.missing)
        return PARTIAL if packed.missing else DONE


def _directory(moment: int) -> str:
    from cni_multus.cli.bundle.archive import safe

    return safe(f"multus-{os.uname().nodename}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(moment))}")


def _refuse(path: str) -> None:
    """Say at once that there is no place for it: what was collected would be lost."""
    directory = os.path.dirname(os.path.abspath(path))
    if path != STANDARD_OUTPUT and not os.access(directory, os.W_OK | os.X_OK):
        from cni_multus.cni.errors import IoFailure

        raise IoFailure(f"cannot write {path}: there is no directory {directory} that can be written to")


def _write(path: str, data: bytes) -> None:
    if path == STANDARD_OUTPUT:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    from cni_multus.state.files import write_atomically

    write_atomically(os.path.abspath(path), data, 0o600)


def _tell(path: str, files: int, missing: list[str]) -> None:
    """One line for each thing that is not in it, and where it is; not where the archive goes."""
    from cni_multus.cli.output import one_line, warn

    for each in missing:
        warn(each)
    if path != STANDARD_OUTPUT:
        sys.stdout.write(f"{one_line(path)}: {files} files; look through it before you give it away\n")


def _moment(text: str) -> float:
    """The type of --since: seconds since 1970."""
    import argparse
    import calendar

    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"):
        try:
            return float(calendar.timegm(time.strptime(text, form)))
        except ValueError:
            continue
    try:
        return time.time() - seconds(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, nor one like 2026-01-31T23:59:59") from None
