"""`multus node watch`: the DaemonSet's process."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, FOUND, Command, UsageError
from cni_multus.cli.node.install import add_bin_dir
from cni_multus.cli.node.options import (
    absolute,
    add_conf_dir,
    add_configuration,
    add_flag,
    add_others,
    add_root,
    configuration,
)
from cni_multus.cli.node.voice import Voice
from cni_multus.cli.options import seconds
from cni_multus.cni.errors import CniError
from cni_multus.kube.credentials import SERVICE_ACCOUNT, in_cluster
from cni_multus.node.credentials import is_there, refresh
from cni_multus.node.duty import Duty, Seat
from cni_multus.node.health import Health, Listener
from cni_multus.node.herald import Herald
from cni_multus.node.numbers import CNI_DIR, Numbers
from cni_multus.node.publish import withdraw
from cni_multus.node.receipt import UNINSTALLING, Receipt
from cni_multus.node.troubles import Troubles
from cni_multus.node.wake import Wake
from cni_multus.node.watch import Watch

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from cni_multus.node.configure import Configuration

HEALTH = "127.0.0.1:9547"
EVENTS_SETTLE = 5
"""Times `--settle` that something must be wrong before the cluster is told."""


class Watching(Command):
    """Says on standard error what it does and what is wrong, a line each."""

    name = "watch"
    summary = "keep the configuration as the primary CNI's is, and tell how that goes"
    description = (
        "Make the configuration as `multus node configure` does, and keep it so: as the primary CNI's file is edited, "
        "replaced or appears, and where somebody removes or renames ours. Where there is no primary, it is waited for. "
        "The last good configuration stays while the primary's file cannot be read, and after the end of this "
        "process. One process of a node does it, others stand by."
    )
    exits = {
        DONE: "it was told to end, and the configuration is in place, or was removed as was asked, or it stood by",
        FOUND: "it was told to end before there was a configuration",
        FAILED: "the configuration could not be removed",
    }
    examples = (
        "multus node watch",
        "multus node watch --root /host --health-address 127.0.0.1:9547 --bin-dir /opt/cni/bin",
        "multus node watch --cleanup-config-on-exit --readiness-indicator-file /run/flannel/subnet.env",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        add_root(parser)
        add_conf_dir(parser)
        add_configuration(parser)
        group = parser.add_argument_group("how it is kept")
        add_flag(group, "--skip-config-watch", "do not follow the primary after the configuration was made")
        add_flag(
            group, "--cleanup-config-on-exit", "remove the configuration at the end; new pods get the primary only"
        )
        group.add_argument(
            "--health-address",
            metavar="ADDRESS",
            default=HEALTH,
            help=f"/healthz, /readyz and /metrics over HTTP, on a loopback address; empty for none ({HEALTH})",
        )
        group.add_argument(
            "--service-account-dir",
            metavar="DIR",
            default=SERVICE_ACCOUNT,
            help="this container's, whose token and CA are copied to the node as they are renewed; empty for none",
        )
        group.add_argument(
            "--node-name",
            metavar="NAME",
            default=os.environ.get("NODE_NAME", ""),
            help="the node that Events about the configuration are of; empty for none ($NODE_NAME)",
        )
        add_bin_dir(group)
        group.add_argument(
            "--settle", metavar="TIME", type=seconds, default=2.0, help="what lasts so long is no coincidence (2s)"
        )
        group.add_argument(
            "--remind", metavar="TIME", type=seconds, default=60.0, help="how often what is wrong is said again (1m)"
        )
        add_others(parser, "--cni-bin-dir", "--skip-config-watch", "--cleanup-config-on-exit")

    def run(self, arguments: argparse.Namespace) -> int:
        root, wanted = arguments.root, configuration(arguments)
        say = Voice("multus node watch", as_json=_is_json(wanted))
        bin_dir = absolute(root, "--bin-dir", arguments.cni_bin_dir)
        receipt = _receipt(root, bin_dir)
        if receipt:
            wanted = replace(wanted, renamed=receipt.renamed(wanted.primary_dir))
        health = Health(_numbers(root, wanted, receipt))
        troubles = Troubles(say, arguments.settle, arguments.remind)
        watch = Watch(
            root, wanted, health, troubles, say, settle=arguments.settle, follow=not arguments.skip_config_watch
        )
        seat = Seat(root, wanted.conf_dir)
        duty = Duty(
            watch,
            seat,
            health,
            troubles,
            say,
            listener=_listener(arguments.health_address, health, say),
            herald=_herald(arguments, say),
            leaving=_leaving(root, bin_dir),
            refresh=_refresh(root, wanted.conf_dir, arguments.service_account_dir),
        )
        duty.attend(Wake())
        say("told to end")
        if arguments.cleanup_config_on_exit and seat.is_taken:
            _clean_up(root, wanted, say)
            seat.leave()
            return DONE
        return DONE if watch.is_placed() or seat.is_anothers else FOUND


def _is_json(wanted: Configuration) -> bool:
    return str(wanted.options.more.get("logFormat")).lower() == "json"


def _receipt(root: str, bin_dir: str) -> Receipt | None:
    """What was installed, where that can be told."""
    try:
        return Receipt.find(root, bin_dir)
    except CniError:  # each look says it
        return None


def _numbers(root: str, wanted: Configuration, receipt: Receipt | None) -> Numbers:
    named = wanted.options.more.get("cniDir")
    cni_dir = str(named) if named else receipt.cni_dir if receipt and receipt.cni_dir else CNI_DIR
    return Numbers(root, wanted.options.log_file, cni_dir)


def _herald(arguments: argparse.Namespace, say: Voice) -> Herald | None:
    """Nobody where this is no pod, or none that knows its node."""
    account, node = arguments.service_account_dir, arguments.node_name
    if not (node and account and is_there(account) and os.environ.get("KUBERNETES_SERVICE_HOST")):
        return None
    return Herald(node, lambda: in_cluster(os.environ, account), say, EVENTS_SETTLE * arguments.settle)


def _clean_up(root: str, wanted: Configuration, say: Voice) -> None:
    done = withdraw(root, wanted.conf_dir, last=False)
    for what, names in (("removed", done.removed), ("gave its name back to", done.restored)):
        for name in names:
            say(f"{what} {os.path.join(wanted.conf_dir, name)}")
    for name in done.left:
        say(f"warning: left {os.path.join(wanted.conf_dir, name)}, which was edited or belongs to an uninstallation")


def _leaving(root: str, bin_dir: str) -> Callable[[], str]:
    """Why there is nothing to be done any more, "" while there is; what was never installed is not uninstalled."""
    was_installed = False

    def why() -> str:
        nonlocal was_installed
        receipt = Receipt.find(root, bin_dir)
        if receipt is None:
            return f"multus was uninstalled from {bin_dir}: there is nothing to keep" if was_installed else ""
        was_installed = True
        return "multus is being uninstalled from this node" if receipt.state == UNINSTALLING else ""

    return why


def _refresh(root: str, conf_dir: str, account: str) -> Callable[[], bool]:
    if not account or not os.path.isdir(account):
        return lambda: False
    return partial(refresh, root, conf_dir, account)


def _listener(address: str, health: Health, say: Voice) -> Listener | None:
    if not address:
        return None
    host, _, port = address.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    if not (host.startswith("127.") or host == "::1") or not port.isdecimal() or int(port) > 0xFFFF:
        raise UsageError(f"--health-address: {address!r} is not a port of a loopback address, as {HEALTH}")
    return Listener(health, host, int(port), say)
