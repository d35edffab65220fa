"""Options that many commands have in common, each a function that declares it."""

from __future__ import annotations

import argparse

from cni_multus.cli.output import FORMS, TABLE

CONF_DIR, BIN_DIR, RESULTS = "/etc/cni/net.d", "/opt/cni/bin", "/var/lib/cni/results"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def add_output(parser: argparse.ArgumentParser) -> None:
    """-o: how it is printed."""
    parser.add_argument(
        "-o", "--output", choices=FORMS, default=TABLE, help="table (the default), wide for more columns, json or yaml"
    )


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """--dry-run: change nothing."""
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")


def seconds(text: str) -> float:
    """The type of an argument that is a time: `90s`, `10m`, `2h`, `7d`, or a number of seconds."""
    number, unit = (text, "s") if text.isdecimal() else (text[:-1], text[-1:])
    if not (number.isascii() and number.isdecimal()) or unit not in _UNITS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time like 90s, 10m, 2h or 7d")
    return float(int(number) * _UNITS[unit])


def add_site(parser: argparse.ArgumentParser) -> None:
    """Where the node's files are (`site.Site.of` reads these)."""
    group = parser.add_argument_group("the node")
    group.add_argument("--root", metavar="DIR", default="/", help="where the node's root is: /host in a container (/)")
    for option, default, what in (
        ("--conf-dir", CONF_DIR, "where the runtime reads configurations"),
        ("--bin-dir", BIN_DIR, "where the runtime finds plugins"),
        ("--results-dir", RESULTS, "libcni's cache, of the runtime"),
    ):
        group.add_argument(option, metavar="DIR", default=default, help=f"{what} ({default})")
    group.add_argument(
        "--cni-dir", metavar="DIR", default="", help="the records of multus (cniDir of its configuration)"
    )


def add_api(parser: argparse.ArgumentParser) -> None:
    """How the API server is reached, if at all."""
    group = parser.add_argument_group("the cluster")
    group.add_argument(
        "--kubeconfig", metavar="FILE", default="", help="ask this API server (that of multus's configuration)"
    )
    group.add_argument("--no-api", action="store_true", help="ask no API server")
