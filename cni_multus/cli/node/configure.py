"""`multus node configure`: the node's configuration made from the primary CNI's, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, FOUND, Command
from cni_multus.cli.node.options import add_conf_dir, add_configuration, add_others, add_root, configuration
from cni_multus.cli.options import add_dry_run
from cni_multus.node.configure import carry_out, plan
from cni_multus.node.primary import NoPrimary

if TYPE_CHECKING:
    import argparse


class Configure(Command):
    """As the watch does it, without waiting for anything."""

    name = "configure"
    summary = "make the configuration from the primary CNI's, once"
    description = (
        "Make 00-multus.conf, or 00-multus.conflist where the primary CNI's cniVersion is 1.0.0 or newer, from the "
        "primary CNI's configuration, check it, and put it where the runtime finds it. It names the primary's file and "
        "does not copy it, so that edits of that hold by themselves."
    )
    exits = {
        DONE: "the configuration is in place; with --dry-run: it could be made",
        FOUND: "there is no primary CNI's configuration yet",
        FAILED: "it could not be made or written; what was there is as it was",
    }
    examples = (
        "multus node configure --dry-run",
        "multus node configure --cni-conf-dir /var/lib/rancher/k3s/agent/etc/cni/net.d",
        "multus node configure --root /host --namespace-isolation --global-namespaces default,network",
        "multus node configure --multus-conf-file /etc/multus/00-multus.conf --force",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        add_root(parser)
        add_conf_dir(parser)
        add_configuration(parser)
        add_dry_run(parser)
        add_others(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        wanted = configuration(arguments)
        try:
            planned = plan(arguments.root, wanted)
        except NoPrimary as error:
            print(error.message)
            return FOUND
        if arguments.dry_run:
            print(f"would write {wanted.conf_dir}/{planned.document.name}, from {planned.document.source}:")
            print(planned.document.data.decode(), end="")
            return DONE
        done = carry_out(arguments.root, wanted, planned)
        print(f"{done.change} {done.path}, from {planned.document.source}")
        for name in done.removed:
            print(f"removed {wanted.conf_dir}/{name}")
        return DONE
