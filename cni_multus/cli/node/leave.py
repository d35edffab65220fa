"""`multus node leave`: what the DaemonSet's preStop hook does, which runs at each end of a pod, also in a roll-out."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, FOUND, Command, UsageError
from cni_multus.cli.node.install import add_bin_dir
from cni_multus.cli.node.options import absolute, add_flag, add_root, add_settle
from cni_multus.cni.errors import CniError
from cni_multus.kube.client import Client
from cni_multus.kube.credentials import SERVICE_ACCOUNT, in_cluster
from cni_multus.kube.deadline import Deadline
from cni_multus.kube.errors import Forbidden, NotFound, Unauthorized
from cni_multus.kube.objects import Resource

if TYPE_CHECKING:
    import argparse

DAEMON_SETS = Resource("apps/v1", "daemonsets", "DaemonSet")
PATIENCE = 20.0
"""Seconds in which the API server has to answer."""
SURE = 5.0
"""Seconds for which it must refuse us, before that is taken for our removal."""
OUTPUT = "/proc/1/fd/2"
"""The log of the container whose hook we are: what a hook prints itself, nobody sees."""


class Leave(Command):
    """The node is left as it is wherever that is not known to be wanted otherwise."""

    name = "leave"
    summary = "uninstall if the DaemonSet is gone, and do nothing in a roll-out"
    description = (
        "Ask the API server for the DaemonSet that this pod is of. Where it is there, the pod is replaced, and "
        "everything stays on the node. Where it is gone or being deleted, or our account is not known any more, "
        "`multus uninstall` is carried out. Where the API server does not answer, everything stays."
    )
    exits = {
        DONE: "it stays, or was uninstalled as far as it can be now",
        FOUND: "it stays, since the API server did not say whether the DaemonSet is there",
        FAILED: "it could not be uninstalled; `multus uninstall` on the node goes on",
    }
    examples = (
        "multus node leave --root /host --daemonset multus",
        "multus node leave --root /host --bin-dir /var/lib/cni/bin --daemonset openshift-multus/multus",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        add_root(parser)
        add_bin_dir(parser)
        parser.add_argument("--daemonset", metavar="[NAMESPACE/]NAME", required=True, help="the DaemonSet of this pod")
        parser.add_argument(
            "--service-account-dir",
            metavar="DIR",
            default=SERVICE_ACCOUNT,
            help=f"the token and the CA, in this container ({SERVICE_ACCOUNT})",
        )
        add_settle(parser)
        add_flag(parser, "--keep-log", "leave the log file")

    def run(self, arguments: argparse.Namespace) -> int:
        bin_dir = absolute(arguments.root, "--bin-dir", arguments.cni_bin_dir)
        namespace, name = _named(arguments.daemonset)
        try:
            why = _why_removed(namespace, name, arguments.service_account_dir)
        except CniError as error:
            say(f"cannot tell whether the DaemonSet {arguments.daemonset} is there; everything stays: {error.message}")
            return FOUND
        if not why:
            say(f"the DaemonSet {arguments.daemonset} is there: this pod is replaced, and everything stays")
            return DONE
        say(f"{why}: uninstalling")
        return _uninstall(arguments, bin_dir)


def say(text: str) -> None:
    """One line in the log of the container, else on standard error."""
    line = f"multus node leave: {text}\n"
    try:
        if os.readlink("/proc/1/exe") == os.readlink("/proc/self/exe"):
            with open(OUTPUT, "w", encoding="utf-8") as log:
                log.write(line)
            return
    except OSError:  # nobody but us is there to be told
        pass
    sys.stderr.write(line)


def _named(daemonset: str) -> tuple[str, str]:
    """The namespace, "" for the account's own, and the name."""
    namespace, slash, name = daemonset.rpartition("/")
    for part in (name, *([namespace] if slash else [])):
        if not part.replace("-", "").replace(".", "").isalnum():
            raise UsageError(f"--daemonset: {daemonset!r} is neither NAME nor NAMESPACE/NAME")
    return namespace, name


def _why_removed(namespace: str, name: str, account: str) -> str:
    """Why nobody comes after this pod, "" if somebody does; raises CniError where the API server does not say."""
    access = in_cluster(os.environ, account)
    daemonset = f"{namespace or access.namespace}/{name}"
    refused = 0.0
    while True:
        try:
            with Client(access, Deadline(PATIENCE)) as client:
                found = client.get(DAEMON_SETS.path(*daemonset.split("/")))
        except NotFound:
            return f"the DaemonSet {daemonset} is gone"
        except (Forbidden, Unauthorized) as error:
            # Whoever deletes everything at once deletes our account before our pod.
            refused = refused or time.monotonic()
            if time.monotonic() - refused > SURE:
                return f"our account may not ask for the DaemonSet {daemonset} any more ({error.status})"
            time.sleep(0.5)
            continue
        metadata = found.get("metadata")
        is_going = isinstance(metadata, dict) and metadata.get("deletionTimestamp")
        return f"the DaemonSet {daemonset} is being deleted" if is_going else ""


def _uninstall(arguments: argparse.Namespace, bin_dir: str) -> int:
    from cni_multus.node.changes import Changes
    from cni_multus.node.uninstall import Options, uninstall

    os.umask(0o022)
    options = Options(root=arguments.root, bin_dir=bin_dir, settle=arguments.settle, keep_log=arguments.keep_log)
    try:
        outcome = uninstall(options, Changes(False))
    except CniError as error:
        say(f"cannot uninstall: {error.message}; `multus uninstall` on the node goes on")
        return FAILED
    left = [f"{len(outcome.attachments)} attachments"] * bool(outcome.attachments)
    left += [f"{len(outcome.processes)} processes"] * bool(outcome.processes)
    say(f"uninstalled; what {' and '.join(left)} need goes with the last of them" if left else "uninstalled")
    return DONE
