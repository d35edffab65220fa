"""`multus history`: the last requests of this node, how they ended, and what was slow about them."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, FOUND, PARTIAL, Command
from cni_multus.cli.history.figures import BY, PART, VERB
from cni_multus.cli.options import add_output, add_site, seconds
from cni_multus.cli.output import emit
from cni_multus.cni.request import VERBS

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cli.history.entry import Entry
    from cni_multus.cli.history.logs import Logs
    from cni_multus.cli.inspect.notes import Note
    from cni_multus.cli.site import Site

MANY = 20
_QUIET = ("error", "panic")


class History(Command):
    """A table of requests, and what they come to together."""

    name = "history"
    summary = "show the last requests, and what was slow: the API, programs, locks, IPAM, the kernel"
    description = (
        "Show the last requests of runtimes to the meta-plugin on this node, the newest last, and below them how "
        "many failed and what took how long: the API server (api), programs that are not ours (programs), locks of "
        "other requests (waiting), the work of IPAM (ipam), and the rest, which is the kernel and the journal (own). "
        "It reads the log (logFile of the node's configuration) from its end, and what was moved aside of it. Without "
        "a log it shows what the journal knows: when the pods that are there were attached."
    )
    exits = {
        DONE: "shown",
        FOUND: "no request is as asked for",
        PARTIAL: "what is shown holds, but there is no log, or not all of it could be read",
        FAILED: "neither the log nor the journal could be read",
    }
    examples = (
        "multus history",
        "multus history --pod shop/web-0",
        "multus history --failed --since 1h",
        "multus history --slow 500 -n 0 --by part",
        "multus history --log ./multus.log -o json",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "-n", dest="most", metavar="N", type=_number, default=MANY, help=f"so many requests, 0 for all ({MANY})"
        )
        parser.add_argument(
            "--since", metavar="TIME", type=_since, default=0.0, help="90s, 10m, 2h, 7d ago, or 2026-02-03T04:05:06Z"
        )
        parser.add_argument(
            "--pod", metavar="POD", default="", help="NAME, NAMESPACE/NAME or UID, or the beginning of a container's ID"
        )
        parser.add_argument("--verb", metavar="VERB", type=_verb, help=f"{', '.join(VERBS[:-1])}")
        parser.add_argument("--failed", action="store_true", help="those that failed")
        parser.add_argument("--slow", metavar="MS", type=_number, default=0, help="those that took so long, or longer")
        parser.add_argument("--by", choices=BY, help="show no single requests, but what they come to by this")
        parser.add_argument("--log", metavar="FILE", help="read this log instead of the node's")
        add_output(parser)
        add_site(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        from cni_multus.cli.history.logs import Logs
        from cni_multus.cli.site import Site

        site = Site.of(arguments)
        path = arguments.log or (site.path(site.settings.log_file) if site.settings.log_file else "")
        logs = Logs(path, since=arguments.since)
        entries = logs.last(arguments.most, _wanted(arguments)) if path else []
        if not logs.read:
            entries = _from_journal(arguments, site, logs)
        elif not arguments.log and site.settings.log_level.lower() in _QUIET:
            logs.notes.append(_note(path, f"logLevel is {site.settings.log_level}: what went well is not in the log"))
        _show(arguments, logs, entries)
        if not entries:
            return (FAILED if not logs.read else PARTIAL) if logs.notes else FOUND
        return PARTIAL if logs.notes else DONE


def _show(arguments: argparse.Namespace, logs: Logs, entries: list[Entry]) -> None:
    from cni_multus.cli.history.figures import figures
    from cni_multus.cli.history.tables import notes_table, requests, table_of

    kinds = (arguments.by,) if arguments.by else (VERB, PART)
    told = {by: figures(by, entries) for by in kinds}
    document = {
        "log": logs.path if logs.read else None,
        "requests": [] if arguments.by else [entry.to_json() for entry in entries],
        "figures": told,
        "notes": [note.to_json() for note in logs.notes],
    }
    tables = [] if arguments.by and entries else [requests(entries)]
    tables += [table_of(by, rows) for by, rows in told.items()]
    emit(arguments.output, document, [*tables, notes_table(logs.notes)])


def _from_journal(arguments: argparse.Namespace, site: Site, logs: Logs) -> list[Entry]:
    """What there is without a log, and a word about how to have one."""
    from cni_multus.cli.history.recorded import recorded

    where = site.conf_file or "the configuration of multus"
    if not logs.path:
        logs.notes.append(
            _note(
                where, f'there is no log: set "logFile": "/var/log/multus.log" in {where}; the journal has no timings'
            )
        )
    elif not logs.notes:
        logs.notes.append(_note(logs.path, f"{logs.path} is not there: no request has been logged yet"))
    logs.notes += [_note(site.conf_dir, text) for text in site.trouble if not site.conf_file]
    if arguments.log:
        return []
    wanted = _wanted(arguments)
    entries = [entry for entry in recorded(site, logs.notes) if entry.at >= arguments.since and wanted(entry)]
    return entries[-arguments.most :] if arguments.most else entries


def _wanted(typed: argparse.Namespace) -> Callable[[Entry], bool]:
    """Whether a request is one that was asked for."""

    def is_wanted(entry: Entry) -> bool:
        return (
            (not typed.verb or entry.verb == typed.verb)
            and (not typed.failed or entry.failed)
            and (not typed.slow or (entry.ms or 0.0) >= typed.slow)
            and (not typed.pod or entry.is_of(typed.pod))
        )

    return is_wanted


def _note(about: str, text: str) -> Note:
    from cni_multus.cli.inspect.notes import Note

    return Note(about, text)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return int(text)


def _verb(text: str) -> str:
    if text.upper() not in VERBS[:-1]:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(VERBS[:-1])}")
    return text.upper()


def _since(text: str) -> float:
    """The type of an argument that is a moment: so long ago, or as logs write it; seconds of the epoch."""
    if "T" in text:
        from cni_multus.cli.history.entry import read_clock

        try:
            return read_clock(text)
        except (ValueError, OverflowError):
            raise argparse.ArgumentTypeError(f"{text!r} is not a time like 2026-02-03T04:05:06Z") from None
    return time.time() - seconds(text)
