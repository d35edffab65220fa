"""`multus ipam export`: leases as a document, which `multus ipam import` reads."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, Command, UsageError
from cni_multus.cli.ipam import options
from cni_multus.cli.ipam.importing import declare_source, read
from cni_multus.cli.ipam.portable import print_lines
from cni_multus.cli.output import to_yaml, warn

if TYPE_CHECKING:
    import argparse

LEASES, POOLS = "leases", "ippools"


class Export(Command):
    """Nothing is locked: what changes meanwhile is in it or not."""

    name = "export"
    summary = "print leases as a document that import reads"
    description = (
        "Print leases as a document that `multus ipam import` reads: `leases`, lines of JSON with all that is known, "
        "or `ippools`, the objects that Whereabouts keeps in the cluster, as YAML. Nothing is locked or changed."
    )
    exits = {DONE: "printed", FAILED: "it could not be done"}
    examples = (
        "multus ipam export --from file",
        "multus ipam export --from host-local --range 10.1.0.0/16 --as ippools",
        "multus ipam export --from kubernetes --kubeconfig /etc/kubernetes/admin.conf",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        declare_source(parser, default=options.FILE)
        parser.add_argument(
            "--as", dest="form", choices=(LEASES, POOLS), default=LEASES, help="the form of the document (leases)"
        )
        options.add_directories(parser)
        options.add_evidence(parser)
        options.add_cluster(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        if arguments.form == POOLS and arguments.source == options.KUBERNETES:
            raise UsageError("--as ippools of kubernetes: that is `kubectl get ippools -o yaml`")
        leases = read(arguments)
        if arguments.form == LEASES:
            for line in print_lines(leases):
                sys.stdout.write(line)
            return DONE
        from cni_multus.cli.ipam.pooldocuments import to_documents

        if any(not portable.exclusive for portable in leases):
            warn("what is lost: leases without overlap protection have no reservation, which would say their network")
        for document in to_documents(leases):
            sys.stdout.write("---\n" + to_yaml(document))
        return DONE
