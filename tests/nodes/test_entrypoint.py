"""Operators' lists of options for the Go Multus's entrypoint are taken by each of our commands."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

import pytest

from cni_multus.cli.node.configure import Configure
from cni_multus.cli.node.install import Install
from cni_multus.cli.node.options import configuration
from cni_multus.cli.node.watch import Watching
from tests.nodes.kit import ROOT

if TYPE_CHECKING:
    from cni_multus.cli.command import Command

THIN = (
    "--cni-bin-dir=/host/opt/cni/bin",
    "--cni-conf-dir=/host/etc/cni/net.d",
    "--cni-version=0.3.1",
    "--multus-conf-file=auto",
    "--multus-bin-file=/usr/src/multus-cni/bin/multus",
    "--multus-cni-conf-dir=/host/etc/cni/multus/net.d",
    "--skip-multus-binary-copy=false",
    "--multus-kubeconfig-file-host=/etc/cni/net.d/multus.d/multus.kubeconfig",
    "--multus-master-cni-file-name=10-calico.conflist",
    "--namespace-isolation=true",
    "--global-namespaces=default,kube-system",
    "--multus-autoconfig-dir=/host/etc/cni/net.d",
    "--multus-log-to-stderr=true",
    "--multus-log-level=VERBOSE",
    "--multus-log-file=/var/log/multus.log",
    "--override-network-name=true",
    "--cleanup-config-on-exit=true",
    "--skip-config-watch",
    "--rename-conf-file=true",
    "--readiness-indicator-file=/var/run/ready",
    "--additional-bin-dir=/opt/multus/bin",
    "--skip-tls-verify",
    "--force-cni-version",
)
"""Of thin_entrypoint (v4)."""
SHELL = ("--restart-crio=false",)
"""What only the script before it has (v3)."""
EMPTY = tuple(
    f"{option.partition('=')[0]}="
    for option in THIN
    if option.startswith(("--global", "--cni-version", "--multus-log-l", "--multus-log-f", "--readiness", "--addit"))
)
COMMANDS = (Install(), Configure(), Watching())


def parse(command: Command, *arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.declare(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_all_of_them_at_once_are_taken(command: Command) -> None:
    made = configuration(parse(command, "--root=/host", *THIN, *SHELL))
    assert made.conf_dir == made.primary_dir == "/etc/cni/net.d"
    assert made.primary_file == "10-calico.conflist"
    assert made.rename
    assert made.options.keys() == {
        "kubeconfig": "/etc/cni/net.d/multus.d/multus.kubeconfig",
        "binDir": "/opt/multus/bin",
        "confDir": "/etc/cni/multus/net.d",
        "namespaceIsolation": True,
        "globalNamespaces": "default,kube-system",
        "readinessindicatorfile": "/var/run/ready",
        "logLevel": "verbose",
        "logFile": "/var/log/multus.log",
    }


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_what_is_empty_is_as_if_it_were_not_there(command: Command) -> None:
    made, plain = configuration(parse(command, *EMPTY)), configuration(parse(command, "--multus-log-file="))
    assert made == plain


def test_the_page_tells_what_became_of_each() -> None:
    page = (ROOT / "conf/deploy/README.md").read_text()
    table = page.partition("### Options of the Go Multus's entrypoint")[2].partition("\nA node that has")[0]
    told = set(re.findall(r"`(--[a-z-]+)`", table))
    assert {option.partition("=")[0] for option in (*THIN, *SHELL)} - told == set()


def test_the_metrics_of_the_page_are_those_that_there_are() -> None:
    page = (ROOT / "conf/deploy/README.md").read_text()
    told = set(re.findall(r"`(multus_[a-z_]+)", page))
    sources = [(ROOT / f"cni_multus/node/{name}.py").read_text() for name in ("numbers", "requestlog")]
    made = set(re.findall(r'"(multus_[a-z_]+)"', "".join(sources)))
    assert made
    assert made - told == set()
