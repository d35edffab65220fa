"""`multus install`: the program, its links, credentials and configuration on a node."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, PARTIAL, Command, UsageError
from cni_multus.cli.group import guarded
from cni_multus.cli.node.options import (
    absolute,
    add_conf_dir,
    add_configuration,
    add_flag,
    add_others,
    add_root,
    configuration,
)
from cni_multus.cli.node.report import show
from cni_multus.cli.options import add_dry_run, add_output
from cni_multus.cli.output import speak_as
from cni_multus.kube.credentials import SERVICE_ACCOUNT
from cni_multus.registry import MODULES

if TYPE_CHECKING:
    from cni_multus.node.bundle import Source
    from cni_multus.node.configure import Configuration
    from cni_multus.node.install import Wanted

BIN_DIR = "/opt/cni/bin"
CNI_DIR = "/var/lib/cni/multus"
RESULTS = "/var/lib/cni/results"


class Install(Command):
    """Called again it changes what is not as it should be, and nothing else."""

    name = "install"
    summary = "put the program and its configuration on this node, or switch it to this version"
    description = (
        "Put this program on a node: a directory for each version, of which one link says which is executed; "
        "credentials from the service account of the pod that it runs in; and the configuration made from the primary "
        "CNI's. What is right already stays. Everything that it makes, and what was there before, is on a receipt, by "
        "which `multus uninstall` takes it back. Other programs keep their names: see --link-plugins and --take-over."
    )
    exits = {
        DONE: "it is on the node (with --dry-run: it would be)",
        PARTIAL: "it is, but for the configuration: there is no primary CNI's yet; `multus node watch` waits for it",
        FAILED: "it could not be done; running it again goes on",
    }
    examples = (
        "multus install --dry-run",
        "multus install --root /host --namespace-isolation",
        "multus install --cni-bin-dir /opt/cni/bin --cni-conf-dir /var/lib/rancher/k3s/agent/etc/cni/net.d",
        "multus install --link-plugins bridge,macvlan,whereabouts",
        "multus install --rollback",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        add_root(parser)
        add_conf_dir(parser)
        _add_program(parser.add_argument_group("the program"))
        _add_state(parser.add_argument_group("state and credentials"))
        add_flag(parser, "--skip-configuration", "put none there, unless one of an uninstallation is: the watch does")
        add_configuration(parser)
        add_dry_run(parser)
        add_output(parser)
        add_others(parser, "--cni-bin-dir", "--multus-bin-file", "--skip-multus-binary-copy", "--skip-tls-verify")

    def run(self, arguments: argparse.Namespace) -> int:
        speak_as("multus install")
        return guarded(_Run(), arguments, "multus install")


class _Run(Command):
    """The work behind it."""

    def run(self, arguments: argparse.Namespace) -> int:
        from cni_multus.node.changes import Changes
        from cni_multus.node.install import install
        from cni_multus.node.versions import roll_back

        os.umask(0o022)
        changes = Changes(arguments.dry_run)
        if arguments.rollback:
            bin_dir = absolute(arguments.root, "--cni-bin-dir", arguments.cni_bin_dir)
            now = roll_back(arguments.root, bin_dir, changes)
            show(arguments, changes, {"current": now})
            return DONE
        waiting = install(_wanted(arguments), changes)
        show(arguments, changes, {"waitingFor": waiting} if waiting else {})
        if waiting:
            sys.stderr.write(f"multus install: no configuration yet: {waiting}\n")
        return PARTIAL if waiting else DONE


def add_bin_dir(parser: argparse._ArgumentGroup | argparse.ArgumentParser) -> None:
    """--cni-bin-dir: where the runtime finds plugins."""
    parser.add_argument(
        "--cni-bin-dir",
        "--bin-dir",
        metavar="DIR",
        default=BIN_DIR,
        help=f"where the runtime finds plugins ({BIN_DIR})",
    )


def _add_program(group: argparse._ArgumentGroup) -> None:
    add_bin_dir(group)
    group.add_argument(
        "--multus-bin-file",
        metavar="FILE",
        default="",
        help="the program that is put there, `_internal` beside it (this one)",
    )
    add_flag(group, "--skip-multus-binary-copy", "leave the program as it is")
    group.add_argument(
        "--link-plugins",
        metavar="all|none|LIST",
        default=None,
        type=_links,
        help="which of our plugins get a link, so that others find them too; a name that another program has is left "
        "alone (as they are, none at first)",
    )
    add_flag(group, "--take-over", "replace another multus and its configuration; uninstall gives them back")
    add_flag(group, "--rollback", "switch back to the version before, and do nothing else")


def _add_state(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--cni-dir", metavar="DIR", default="", help=f"where records are (cniDir, else {CNI_DIR})")
    group.add_argument("--results-dir", metavar="DIR", default=RESULTS, help=f"libcni's cache ({RESULTS})")
    group.add_argument(
        "--service-account",
        metavar="DIR",
        default=SERVICE_ACCOUNT,
        help=f"the token and the CA, in this container ({SERVICE_ACCOUNT})",
    )
    group.add_argument("--api-server", metavar="URL", default="", help="the API server (as the kubelet tells a pod)")
    add_flag(group, "--skip-tls-verify", "believe whoever answers for the API server")


def _wanted(arguments: argparse.Namespace) -> Wanted:
    from cni_multus.node import credentials
    from cni_multus.node.install import Wanted
    from cni_multus.node.passing import is_passing
    from cni_multus.node.root import resolved

    root, made = arguments.root, configuration(arguments)
    kubeconfig = b""
    if made.options.kubeconfig and credentials.is_there(arguments.service_account):
        kubeconfig = credentials.kubeconfig(
            os.environ, arguments.service_account, arguments.api_server, insecure=arguments.skip_tls_verify
        )
    elif arguments.multus_kubeconfig_file_host is None and not os.path.exists(resolved(root, made.options.kubeconfig)):
        made = replace(made, options=replace(made.options, kubeconfig=""))
    return Wanted(
        root=root,
        bin_dir=absolute(root, "--cni-bin-dir", arguments.cni_bin_dir),
        conf_dir=made.conf_dir,
        cni_dir=absolute(root, "--cni-dir", arguments.cni_dir or _cni_dir(made)),
        results_dir=absolute(root, "--results-dir", arguments.results_dir),
        log_file=made.options.log_file,
        source=None if arguments.skip_multus_binary_copy else _source(arguments.multus_bin_file),
        links=arguments.link_plugins,
        take_over=arguments.take_over,
        service_account=arguments.service_account,
        kubeconfig=kubeconfig,
        configuration=None if arguments.skip_configuration and not is_passing(root, made.conf_dir) else made,
    )


def _cni_dir(made: Configuration) -> str:
    """The directory that the configuration names, since records are there then."""
    named = made.options.more.get("cniDir")
    return named if isinstance(named, str) and named else CNI_DIR


def _source(path: str) -> Source:
    """The program to copy: the one that runs, unless another is named."""
    from cni_multus.node.bundle import Source

    if not path and not getattr(sys, "frozen", False):
        raise UsageError("--multus-bin-file: name a built program; this one runs from its sources")
    return Source.look(os.path.dirname(os.path.realpath(path or sys.executable)))


def _links(text: str) -> tuple[str, ...]:
    if text in ("all", "none"):
        return tuple(name for name in MODULES if name != "multus") if text == "all" else ()
    names = tuple(name for name in text.split(",") if name)
    if unknown := [name for name in names if name not in MODULES]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(MODULES)}")
    return names
