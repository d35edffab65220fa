"""Options that make the node's configuration: those of the Multus entrypoint, under its names.

Paths are the node's. Those of the entrypoint are a container's (`/host/etc/cni/net.d`), so a path that begins with the
root means what is below it.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from cni_multus.cli.command import UsageError
from cni_multus.cli.options import seconds
from cni_multus.cni.document import parse
from cni_multus.cni.errors import CniError
from cni_multus.cni.versions import SUPPORTED
from cni_multus.multus.log import FORMATS
from cni_multus.node.aside import is_plain
from cni_multus.node.configure import AUTO, Configuration
from cni_multus.node.generate import LEVELS, OWN_OPTION, Options

if TYPE_CHECKING:
    from collections.abc import Sequence

CONF_DIR = "/etc/cni/net.d"
KUBECONFIG = "multus.d/multus.kubeconfig"
LOG_FILE = "/var/log/multus.log"

_OTHERS = {
    "--skip-multus-binary-copy": "of `multus install`",
    "--skip-tls-verify": "of `multus install`, which writes the kubeconfig",
    "--skip-config-watch": "of `multus node watch`",
    "--cleanup-config-on-exit": "of `multus node watch`",
    "--restart-crio": "CRI-O sees by itself that the configuration changed",
}
_TRUE, _FALSE = ("true", "1", "t", "yes"), ("false", "0", "f", "no")


def add_root(parser: argparse.ArgumentParser) -> None:
    """--root."""
    parser.add_argument(
        "--root", metavar="DIR", default="/", help="where the node's root is: /host in the DaemonSet's container (/)"
    )


def add_conf_dir(parser: argparse.ArgumentParser) -> None:
    """The directory that both installing and watching are about."""
    parser.add_argument(
        "--cni-conf-dir", metavar="DIR", default=CONF_DIR, help=f"where the runtime reads configurations ({CONF_DIR})"
    )


def add_settle(parser: argparse.ArgumentParser) -> None:
    """How long an uninstallation waits for the runtime."""
    parser.add_argument(
        "--settle",
        metavar="TIME",
        type=seconds,
        default=6.0,
        help="how long the runtime has to read its configuration again (6s)",
    )


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """What is made of what."""
    _add_primary(parser.add_argument_group("what it is made of"))
    _add_content(parser.add_argument_group("what stands in it"))


def add_others(parser: argparse.ArgumentParser, *known: str) -> None:
    """The entrypoint's options that are no business of this command, but for those that it knows: taken, and ignored.

    So one list of options serves the container that installs and the one that watches.
    """
    group = parser.add_argument_group("options of the Multus entrypoint that change nothing here")
    for option, metavar in (("--cni-bin-dir", "DIR"), ("--multus-bin-file", "FILE")):
        if option not in known:
            group.add_argument(option, metavar=metavar, default="", help="of `multus install`")
    for option, text in _OTHERS.items():
        if option not in known:
            add_flag(group, option, text)


def configuration(arguments: argparse.Namespace) -> Configuration:
    """What the arguments mean; raises UsageError."""
    root = arguments.root
    conf_dir = absolute(root, "--cni-conf-dir", arguments.cni_conf_dir)
    file = arguments.multus_master_cni_file_name
    if file and not is_plain(file):
        raise UsageError(f"--multus-master-cni-file-name: {file!r} is a path; name a file in --multus-autoconfig-dir")
    conf_file = arguments.multus_conf_file
    if conf_file != AUTO:
        conf_file = absolute(root, "--multus-conf-file", conf_file)
    return Configuration(
        conf_dir=conf_dir,
        primary_dir=absolute(root, "--multus-autoconfig-dir", arguments.multus_autoconfig_dir or conf_dir),
        primary_file=file,
        conf_file=conf_file,
        rename=arguments.rename_conf_file,
        force=arguments.force,
        options=_options(arguments, conf_dir),
    )


def absolute(root: str, option: str, path: str) -> str:
    """The node's path that an option means, with or without the root before it; raises UsageError."""
    if not path.startswith("/") or "\0" in path:
        raise UsageError(f"{option}: {path!r} is not an absolute path")
    path, root = os.path.normpath("/" + path.lstrip("/")), os.path.normpath(root)
    return (path[len(root) :] or "/") if root != "/" and f"{path}/".startswith(f"{root}/") else path


def add_flag(
    parser: argparse._ArgumentGroup | argparse.ArgumentParser, option: str, text: str, default: bool = False
) -> None:
    """A switch that also takes true or false behind '=', as the entrypoint's do."""
    parser.add_argument(option, metavar="BOOL", nargs="?", const=True, default=default, type=_boolean, help=text)


def _add_primary(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--multus-conf-file",
        metavar="auto|FILE",
        default=AUTO,
        help="auto: from the primary's; or a file that is published as it is, under its own name (auto)",
    )
    group.add_argument(
        "--multus-autoconfig-dir", metavar="DIR", default="", help="where the primary's is (--cni-conf-dir)"
    )
    group.add_argument(
        "--multus-master-cni-file-name", metavar="NAME", default="", help="the primary's file (the first in order)"
    )
    add_flag(group, "--rename-conf-file", "rename the primary's file to NAME.old; it gets its name back")
    add_flag(group, "--force", "replace a configuration that was edited, or is the Go Multus's")


def _add_content(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--multus-kubeconfig-file-host",
        metavar="FILE",
        default=None,
        help=f"how the plugin reaches the API server; empty for not at all (<cni-conf-dir>/{KUBECONFIG})",
    )
    add_flag(group, "--namespace-isolation", "pods use the networks of their own namespace, and of the global ones")
    group.add_argument("--global-namespaces", metavar="LIST", default="", help="the global ones (default)")
    add_flag(group, "--override-network-name", "take the primary's name, and not multus-cni-network")
    group.add_argument("--cni-version", metavar="VERSION", default="", help="what the primary's version must be")
    add_flag(group, "--force-cni-version", "take --cni-version, whatever the primary's is")
    group.add_argument("--readiness-indicator-file", metavar="FILE", default="", help="pods wait for this file")
    group.add_argument("--additional-bin-dir", metavar="DIR", default="", help="where delegates are looked for first")
    group.add_argument(
        "--multus-cni-conf-dir",
        metavar="DIR",
        default="",
        help="networks that are found by name (/etc/cni/multus/net.d)",
    )
    add_flag(group, "--multus-log-to-stderr", "log to the runtime's log (true)", default=True)
    group.add_argument("--multus-log-level", metavar="LEVEL", type=_level, default="", help=", ".join(LEVELS))
    group.add_argument(
        "--multus-log-file", metavar="FILE", default=LOG_FILE, help=f"log to this file ({LOG_FILE}); '' for none"
    )
    group.add_argument(
        "--multus-log-format",
        metavar="text|json",
        choices=("", *FORMATS),
        default="",
        help="of the plugin's log, and of what `multus node watch` says (text)",
    )
    group.add_argument(
        "--multus-conf-key",
        metavar="KEY=JSON",
        type=_member,
        action="append",
        default=[],
        help='any other key of the plugin, as retryDeleteOnError=true or defaultNetworks=["storage"]; may be repeated',
    )


def _options(arguments: argparse.Namespace, conf_dir: str) -> Options:
    root, kubeconfig = arguments.root, arguments.multus_kubeconfig_file_host
    if kubeconfig is None:
        kubeconfig = os.path.join(conf_dir, KUBECONFIG)
    version = arguments.cni_version
    if version and version not in SUPPORTED:
        raise UsageError(f"--cni-version: {version!r} is none of {', '.join(SUPPORTED)}")
    if arguments.force_cni_version and not version:
        raise UsageError("--force-cni-version: say which, by --cni-version")

    def path(option: str, value: str) -> str:
        return absolute(root, option, value) if value else ""

    return Options(
        kubeconfig=path("--multus-kubeconfig-file-host", kubeconfig),
        namespace_isolation=arguments.namespace_isolation,
        global_namespaces=arguments.global_namespaces,
        log_to_stderr=arguments.multus_log_to_stderr,
        log_level=arguments.multus_log_level,
        log_file=path("--multus-log-file", arguments.multus_log_file),
        override_name=arguments.override_network_name,
        cni_version=version,
        force_version=arguments.force_cni_version,
        readiness_file=path("--readiness-indicator-file", arguments.readiness_indicator_file),
        bin_dir=path("--additional-bin-dir", arguments.additional_bin_dir),
        networks_dir=path("--multus-cni-conf-dir", arguments.multus_cni_conf_dir),
        more=_merged(arguments.multus_conf_key, arguments.multus_log_format),
    )


def _merged(members: Sequence[tuple[str, object]], log_format: str) -> dict[str, object]:
    return {**({"logFormat": log_format} if log_format else {}), **dict(members)}


def _member(text: str) -> tuple[str, object]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=JSON")
    if key in OWN_OPTION:
        raise argparse.ArgumentTypeError(f"{key} is made from the primary's configuration, or has an option of its own")
    try:
        return key, parse(value.encode(errors="surrogateescape"), f"the value of {key}")
    except CniError as error:
        raise argparse.ArgumentTypeError(error.message) from None


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def _level(text: str) -> str:
    if text and text.lower() not in LEVELS:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(LEVELS)}")
    return text.lower()
