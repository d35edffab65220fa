"""cnitool: a network attached, checked and detached by hand; this module knows its arguments and variables."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from typing import NoReturn

from cni_multus.cli.runtime import Container, Runtime
from cni_multus.cni.config import Section, objects
from cni_multus.cni.document import parse, parse_object, print_indented
from cni_multus.cni.errors import CniError, DecodingFailure, InvalidEnvironment, InvalidNetworkConfig
from cni_multus.cni.names import is_name, wrong_with_ifname

VERBS = ("add", "check", "del", "gc", "status")
OF_A_CONTAINER = ("add", "check", "del")

ENVIRONMENT = """environment:
  NETCONFPATH    the directory of network configurations (/etc/cni/net.d)
  CNI_PATH       directories of plugin programs, separated by ':'; built-in types need none
  CNI_IFNAME     the interface in the container (eth0)
  CNI_ARGS       KEY=VALUE;KEY=VALUE for the plugins
  CAP_ARGS       capability arguments, a JSON object: {"mac": "02:00:00:00:00:01"}
  CNI_CACHE_DIR  what was attached is remembered in its results/ (/var/lib/cni)
"""


def run(argv: list[str]) -> int:
    """Do what the command line asks; the exit status. A failure is one line on standard error."""
    arguments = _parse(argv)
    try:
        _do(arguments.verb, arguments.net, os.path.abspath(arguments.netns or ""), arguments.valid)
    except CniError as error:
        said = f"{error.message} ({error.details})" if error.details else error.message
        sys.stderr.write(f"cnitool: {' '.join(said.split())}\n")
        return 1
    return 0


def _do(verb: str, network: str, netns: str, valid: str | None) -> None:
    runtime = Runtime(
        directory=os.environ.get("NETCONFPATH") or "/etc/cni/net.d",
        cache=os.path.abspath(os.path.join(os.environ.get("CNI_CACHE_DIR") or "/var/lib/cni", "results")),
        environment=os.environ,
        warn=lambda text: sys.stderr.write(f"cnitool: warning: {text}\n"),
    )
    match verb:
        case "add":
            sys.stdout.write(print_indented(runtime.add(network, _container(netns))).decode() + "\n")
        case "check":
            runtime.check(network, _container(netns))
        case "del":
            runtime.delete(network, _container(netns))
        case "gc":
            runtime.collect_garbage(network, read_valid(valid) if valid else [])
        case _:
            runtime.status(network)


def _container(netns: str) -> Container:
    """The container ID is the Go cnitool's: of the same namespace, either finds what the other attached."""
    container_id = "cnitool-" + hashlib.sha512(os.fsencode(netns)).digest()[:10].hex()
    ifname = os.environ.get("CNI_IFNAME", "eth0")
    if why := wrong_with_ifname(ifname):
        raise InvalidEnvironment(f"CNI_IFNAME {ifname!r} cannot name an interface: {why}")
    capabilities = os.environ.get("CAP_ARGS", "")
    return Container(
        container_id,
        netns,
        ifname,
        arguments=os.environ.get("CNI_ARGS", ""),
        capabilities=parse_object(os.fsencode(capabilities), "CAP_ARGS") if capabilities else {},
    )


def read_valid(path: str) -> list[dict[str, object]]:
    """The attachments that a GC is to keep, of a file or of standard input; raises what is wrong with the list."""
    what = "standard input" if path == "-" else path
    try:
        if path == "-":
            data = sys.stdin.buffer.read()
        else:
            with open(path, "rb") as file:
                data = file.read()
    except OSError as error:
        raise InvalidEnvironment(f"--valid: cannot read {what}: {error.strerror}") from error
    value = parse(data, what)
    if not isinstance(value, list):
        raise DecodingFailure(f"--valid: {what} is not a JSON list")
    return [_valid_member(member) for member in objects(value, "")]


def _valid_member(member: Section) -> dict[str, object]:
    """Checked with care: a member that is misspelt would be one attachment more that goes."""
    container_id, ifname = member.text("containerID"), member.text("ifname")
    if not is_name(container_id) or wrong_with_ifname(ifname):
        raise InvalidNetworkConfig(f"--valid: {member.path} has no containerID or no ifname, or one that cannot be")
    return {"containerID": container_id, "ifname": ifname}


class _Parser(argparse.ArgumentParser):
    """argparse exits with 2 where the callers of cnitool know 1."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"cnitool: {message}\n")


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="cnitool",
        usage="cnitool <add|check|del|gc|status> <net> <netns> [--valid FILE | --none-valid]",
        description="Attach a network namespace to a network, as a container runtime would.",
        epilog=ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("verb", choices=VERBS, metavar="verb", help=", ".join(VERBS))
    parser.add_argument("net", help="the network's name")
    parser.add_argument("netns", nargs="?", help="the path of a network namespace; gc and status need none")
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument(
        "--valid", metavar="FILE", help='gc: a JSON list of {"containerID", "ifname"} to keep; - is stdin'
    )
    kept.add_argument("--none-valid", action="store_true", help="gc: keep nothing")
    arguments = parser.parse_args(argv)
    kept_given = bool(arguments.valid) or arguments.none_valid
    if arguments.verb in OF_A_CONTAINER and not arguments.netns:
        parser.error(f"{arguments.verb} needs the path of a network namespace")
    if arguments.verb == "gc" and not kept_given:
        parser.error("gc detaches all that it is not told to keep: name a list with --valid, or say --none-valid")
    if arguments.verb != "gc" and kept_given:
        parser.error("--valid and --none-valid belong to gc")
    return arguments
