"""Options that several commands have, each a function that declares it."""

from __future__ import annotations

import argparse

from cni_multus.cni.addressing import Ip

WHEREABOUTS = "/var/lib/cni/whereabouts"
HOST_LOCAL = "/var/lib/cni/networks"
STATIC = "/run/multus/static"

FILE, KUBERNETES = "file", "kubernetes"
HOST_LOCAL_ENGINE, STATIC_ENGINE = "host-local", "static"
ENGINES = (FILE, KUBERNETES, HOST_LOCAL_ENGINE, STATIC_ENGINE)


def add_engine(parser: argparse.ArgumentParser) -> None:
    """--engine: look at one only."""
    parser.add_argument("--engine", choices=ENGINES, default="", help="look at this one only, and not at all of them")


def add_directories(parser: argparse.ArgumentParser) -> None:
    """The dataDir of each IPAM."""
    group = parser.add_argument_group("where the node's records are")
    for option, default, what in (
        ("--data-dir", WHEREABOUTS, "dataDir of whereabouts"),
        ("--host-local-dir", HOST_LOCAL, "dataDir of host-local"),
        ("--static-dir", STATIC, "dataDir of static"),
    ):
        group.add_argument(option, metavar="DIR", default=default, help=f"{what} ({default})")


def add_evidence(parser: argparse.ArgumentParser) -> None:
    """Whose records tell which containers there are, and how large their networks' pools are."""
    group = parser.add_argument_group("where containers and networks are looked up")
    group.add_argument(
        "--conf-dir", metavar="DIR", default="/etc/cni/net.d", help="network configurations (/etc/cni/net.d)"
    )
    group.add_argument(
        "--cni-dir", metavar="DIR", default="/var/lib/cni/multus", help="the journal of multus (/var/lib/cni/multus)"
    )
    group.add_argument(
        "--results-dir", metavar="DIR", default="/var/lib/cni/results", help="libcni's cache (/var/lib/cni/results)"
    )


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """How the API server is reached, if at all."""
    group = parser.add_argument_group("the cluster")
    group.add_argument(
        "--kubeconfig", metavar="FILE", default="", help="ask this API server too; without it the one of the flat file"
    )
    group.add_argument(
        "--namespace", metavar="NAMESPACE", default="", help="where the pools are (the kubeconfig's, else kube-system)"
    )
    group.add_argument("--no-api", action="store_true", help="ask no API server, whatever the flat file says")


def address(text: str) -> Ip:
    """The type of an argument that is an address; argparse tells why one cannot be."""
    try:
        return Ip.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
