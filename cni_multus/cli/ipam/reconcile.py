"""`multus ipam reconcile`: free in the cluster what surely nobody has any more, by hand or as its periodic job."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, FOUND, PARTIAL, Command, UsageError
from cni_multus.cli.execcredential import load_access
from cni_multus.cli.ipam import options
from cni_multus.cli.ipam.api import DEFAULT_NAMESPACE, kubeconfig_of
from cni_multus.cli.options import add_dry_run, add_output, seconds
from cni_multus.cli.output import Column, Table, emit, warn
from ipam.whereabouts.cluster.reconcile import GRACE, reconcile

if TYPE_CHECKING:
    from cni_multus.kube.credentials import Access
    from ipam.whereabouts.cluster.planning import Step
    from ipam.whereabouts.cluster.reconcile import Outcome

PATIENCE = 1800.0
"""Seconds for everything but the wait between the looks."""

_IN_A_POD = "KUBERNETES_SERVICE_HOST"

WHAT = (
    Column("ACTION", "action"),
    Column("ADDRESS", "address"),
    Column("POOL", "pool"),
    Column("POD", "pod"),
    Column("INTERFACE", "interface", rare=True),
    Column("CONTAINER", "container", wide=True),
    Column("NODE", "node", rare=True),
    Column("WHY", "why"),
)
FAILURE = Column("FAILURE", "failure")


class Reconcile(Command):
    """Looks twice; what is done, and what is left for people, is told."""

    name = "reconcile"
    summary = "free in the cluster what surely nobody has any more"
    description = (
        "Free the addresses of pods that do not exist, were replaced or have ended, and of claims that were deleted; "
        "mend pools and reservations that contradict each other; free the slices of nodes that are gone; on a node, "
        "do what its journal has still to give back. Everything is looked at twice, and nothing is freed because "
        "something does not show it: a pod's network-status, a node that does not answer. Any number may run at once."
    )
    exits = {
        DONE: "nothing is left to do",
        FOUND: "records contradict each other and are left for people to look at; with --dry-run: there is work to do",
        PARTIAL: "some of it could not be done; the next run tries again",
        FAILED: "it could not be looked at, and nothing was done",
    }
    examples = (
        "multus ipam reconcile --dry-run",
        "multus ipam reconcile --kubeconfig /etc/kubernetes/admin.conf --grace 30s -o json",
        "multus ipam reconcile --lost-after 1h",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        parser.set_defaults(no_api=False)
        group = parser.add_argument_group("the cluster")
        group.add_argument(
            "--kubeconfig",
            metavar="FILE",
            default="",
            help="how to reach it; without it, in a pod as its service account, elsewhere as the flat file says",
        )
        group.add_argument(
            "--namespace", metavar="NAMESPACE", default="", help="where the pools are (the account's, else kube-system)"
        )
        parser.add_argument(
            "--grace",
            metavar="TIME",
            type=seconds,
            default=GRACE,
            help="between the two looks: 90s, 10m (2m); less than an ADD takes is dangerous",
        )
        parser.add_argument(
            "--lost-after",
            metavar="TIME",
            type=seconds,
            default=0.0,
            help="a node that was not ready for so long has no containers any more (by default such a node may)",
        )
        parser.add_argument("--conf-dir", metavar="DIR", default="/etc/cni/net.d", help="where the flat file is")
        parser.add_argument(
            "--data-dir", metavar="DIR", default=options.WHEREABOUTS, help=f"the node's own ({options.WHEREABOUTS})"
        )
        add_dry_run(parser)
        add_output(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        from cni_multus.kube.client import Client
        from cni_multus.kube.deadline import Deadline

        access = _access(arguments)
        open_work = [] if arguments.dry_run else _work_off(arguments.data_dir)
        namespace = arguments.namespace or access.namespace or DEFAULT_NAMESPACE
        with Client(access, Deadline(PATIENCE + arguments.grace)) as client:
            outcome = reconcile(
                client,
                namespace,
                grace=arguments.grace,
                lost_after=arguments.lost_after,
                dry_run=arguments.dry_run,
            )
        _print(arguments, namespace, outcome)
        if outcome.contradictions() or (arguments.dry_run and outcome.done):
            return FOUND
        return PARTIAL if outcome.failed or open_work else DONE


def _access(arguments: argparse.Namespace) -> Access:
    from cni_multus.kube.credentials import in_cluster

    if not arguments.kubeconfig and os.environ.get(_IN_A_POD):
        return in_cluster(os.environ)
    path = kubeconfig_of(arguments)
    if not path:
        raise UsageError("--kubeconfig: say how to reach the cluster; there is no flat file that does")
    return load_access(path)


def _work_off(data_dir: str) -> list[str]:
    """The open work of this node's journal, where there is one; what could not be done."""
    if not os.path.isdir(os.path.join(data_dir, "journal")):
        return []
    from ipam.whereabouts.cluster.engine import ClusterEngine

    failures = ClusterEngine(data_dir, os.environ).work_off()
    for failure in failures:
        warn(failure)
    return failures


def _print(arguments: argparse.Namespace, namespace: str, outcome: Outcome) -> None:
    done, left = _rows(outcome.done), _rows(outcome.left)
    failed = [{**step.to_json(), "failure": why} for step, why in outcome.failed]
    document = {
        "namespace": namespace,
        "dryRun": arguments.dry_run,
        "looked": {
            "pools": outcome.pools,
            "allocations": outcome.allocations,
            "reservations": outcome.reservations,
            "pods": outcome.pods,
        },
        "done": done,
        "left": left,
        "failed": failed,
    }
    tables = [Table("to be done" if arguments.dry_run else "done", WHAT, done, "nothing is to be done")]
    tables += [Table("left", WHAT, left)] if left else []
    tables += [Table("failed", (*WHAT, FAILURE), failed)] if failed else []
    emit(arguments.output, document, tables)


def _rows(steps: list[Step]) -> list[dict[str, str]]:
    return [step.to_json() for step in steps]
