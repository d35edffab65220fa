"""`multus trace`: watch attachments as they happen, or take one request apart."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, FOUND, PARTIAL, Command, UsageError
from cni_multus.cli.options import add_output, add_site, seconds
from cni_multus.cli.output import GREEN, JSON, RED, WIDE, YAML, escape, one_line, paint, to_yaml, warn

if TYPE_CHECKING:
    from cni_multus.cli.trace.event import Event
    from cni_multus.cli.trace.watch import Watch


class Trace(Command):
    """One line for each event, until Ctrl-C."""

    name = "trace"
    summary = "watch attachments as they happen, or take one request apart, step by step"
    description = (
        "Watch attachments as they happen on this node: what the journal of the meta-plugin says, its log where one is "
        "configured, and what the kernel tells of links, addresses and routes; one line for each event, with "
        "the seconds since the beginning. Run it as root in the node's network namespace. Nothing is changed, no "
        "request waits for it, and none gets slower. It ends with Ctrl-C, or after --for. With CONFIG it makes one "
        "request instead, ADD and then DEL in a namespace of its own, and shows their steps and how long each took."
    )
    exits = {
        DONE: "watched until Ctrl-C or as long as was asked for, or the request was made",
        FOUND: "the request that was made failed",
        PARTIAL: "what is shown holds, but something could not be watched",
        FAILED: "nothing could be watched",
    }
    examples = (
        "multus trace",
        "multus trace --pod shop/web-0 --for 1m",
        "multus trace /etc/cni/net.d/00-multus.conf --args 'K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0'",
        "multus trace -o json | jq 'select(.source == \"log\").request'",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "config",
            metavar="CONFIG",
            nargs="?",
            help="do not watch: attach this file (- is standard input), detach it",
        )
        parser.add_argument("--netns", metavar="PATH", default="", help="of CONFIG: the namespace (one of its own)")
        parser.add_argument("--ifname", default="eth0", help="of CONFIG: CNI_IFNAME (eth0)")
        parser.add_argument("--args", default="", help="of CONFIG: CNI_ARGS, such as K8S_POD_NAME=web-0")
        parser.add_argument(
            "--pod",
            metavar="POD",
            default="",
            help="what is about this pod: NAME, NAMESPACE/NAME or UID, or the beginning of a container's ID",
        )
        parser.add_argument("--for", dest="lasting", metavar="TIME", type=seconds, default=0.0, help="90s, 10m, 2h")
        parser.add_argument("--log", metavar="FILE", help="follow this log instead of the node's")
        add_output(parser)
        add_site(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        if arguments.config:
            from cni_multus.cli.trace.request import trace_request

            return DONE if trace_request(arguments) else FOUND
        if arguments.netns:
            raise UsageError("--netns is where to attach CONFIG, and there is none")
        from cni_multus.cli.site import Site
        from cni_multus.cli.trace.watch import Watch

        site = Site.of(arguments)
        log = arguments.log or (site.path(site.settings.log_file) if site.settings.log_file else "")
        watch = Watch(site.cni_dir, log)
        if not log:
            warn(f'no log is followed: {site.conf_file or "the configuration of multus"} has no "logFile"')
        for each in watch.troubles():
            warn(str(each))
        if watch.journal.notes and watch.kernel is None and not (watch.log and not watch.log.notes):
            return FAILED
        sys.stderr.write(f"following {site.cni_dir}{f' and {log}' if log else ''}; Ctrl-C ends\n")
        _follow(arguments, watch)
        return PARTIAL if watch.troubles() else DONE


def _follow(arguments: argparse.Namespace, watch: Watch) -> None:
    begun = time.monotonic()

    def tell(event: Event) -> None:
        if not arguments.pod or event.is_of(arguments.pod):
            sys.stdout.write(_shown(event, time.monotonic() - begun, arguments.output))
            sys.stdout.flush()

    try:
        watch.follow(begun + arguments.lasting if arguments.lasting else 0.0, tell)
    except KeyboardInterrupt:
        watch.tell(tell)
    finally:
        watch.close()


def _shown(event: Event, passed: float, form: str) -> str:
    now = time.time()
    clock = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
    if form == JSON:
        return json.dumps(event.to_json(passed, clock)) + "\n"
    if form == YAML:
        return to_yaml([event.to_json(passed, clock)])
    colour = "" if event.good is None else GREEN if event.good else RED
    cells = [f"{passed:9.3f}", event.source.ljust(7), escape(event.pod or event.container[:12] or "-").ljust(20)]
    if form == WIDE:
        cells = [clock, *cells, event.container[:12].ljust(12) or "-"]
    return "  ".join([*cells, escape(event.interface or "-").ljust(8), paint(one_line(event.what), colour)]) + "\n"
