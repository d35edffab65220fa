"""`multus call`: a configuration run by hand against a namespace, with its result, the kernel's state and the times."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, FOUND, Command, UsageError
from cni_multus.cli.options import BIN_DIR, CONF_DIR, add_output
from cni_multus.cli.output import GREEN, RED, TABLE, WIDE, emit, one_line, paint, warn

if TYPE_CHECKING:
    import argparse

    from cni_multus.cli.call.byhand import ByHand
    from cni_multus.cli.call.session import Session
    from cni_multus.cli.runtime import Container
    from cni_multus.network import Network

ADD, DEL, CHECK, STATUS, GC, VERSION = VERBS = ("add", "del", "check", "status", "gc", "version")
CACHE = "/run/multus/call"
STDIN = "-"


class Call(Command):
    """One verb, one configuration."""

    name = "call"
    summary = "run a configuration by hand against a namespace, show what comes of it, and clean up"
    description = (
        "Run a network configuration by hand: a single plugin, a list, or 00-multus.conf itself. Without --netns a "
        "namespace is made for it and removed again. add shows the result, the interfaces as the kernel has them and "
        "how long each plugin took, and ends with a DEL, also where it fails or is interrupted; --keep leaves "
        "everything for check and del. Programs of --bin-dir come before what is built in, as for a runtime."
    )
    exits = {
        DONE: "it worked, and nothing is left of it that should not be",
        FOUND: "a plugin failed, or something is left that should not be",
        FAILED: "nothing could be called",
    }
    examples = (
        "multus call add macvlan.conf",
        "multus call add /etc/cni/net.d/00-multus.conf --args 'K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0'",
        "multus call add primary --netns /run/netns/test --keep",
        "multus call check primary --netns /run/netns/test",
        "multus call del primary --netns /run/netns/test",
        "multus call status primary",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("verb", choices=VERBS, metavar="VERB", help=", ".join(VERBS))
        parser.add_argument("config", metavar="CONFIG", help="a file, - for stdin, or a network of --conf-dir by name")
        parser.add_argument("--netns", default="", help="the path of a namespace (one is made, and removed again)")
        parser.add_argument("--ifname", default="eth0", help="the interface in it (eth0)")
        parser.add_argument("--args", default="", metavar="K=V;K=V", help="CNI_ARGS")
        parser.add_argument("--capabilities", default="", metavar="JSON", help='as {"mac": "02:00:00:00:00:01"}')
        parser.add_argument(
            "--container-id", default="", metavar="ID", help="CNI_CONTAINERID (made from the namespace)"
        )
        parser.add_argument("--keep", action="store_true", help="add: leave the attachment and the namespace")
        parser.add_argument("--check", action="store_true", help="add: call CHECK as well")
        parser.add_argument("--bundled", action="store_true", help="built-in plugins come before programs")
        kept = parser.add_mutually_exclusive_group()
        kept.add_argument("--valid", metavar="FILE", help='gc: a JSON list of {"containerID", "ifname"} to keep')
        kept.add_argument("--none-valid", action="store_true", help="gc: keep nothing of the network")
        parser.add_argument("--conf-dir", default=CONF_DIR, metavar="DIR", help=f"where networks are ({CONF_DIR})")
        parser.add_argument("--bin-dir", default=BIN_DIR, metavar="DIR", help=f"where programs are ({BIN_DIR})")
        parser.add_argument("--cache-dir", default=CACHE, metavar="DIR", help=f"what was kept is noted there ({CACHE})")
        add_output(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        _refuse_mixture(arguments)
        from cni_multus.cli.call.byhand import ByHand, Timed

        network = _load(arguments.config, arguments.conf_dir)
        network.programs_first = not arguments.bundled
        if arguments.verb == VERSION:
            return _versions(arguments, network)
        environment = {**os.environ, "CNI_PATH": arguments.bin_dir}
        cache = os.path.abspath(arguments.cache_dir)
        runtime = ByHand(arguments.conf_dir, cache, environment, warn, Timed(network, []))
        if arguments.verb in (STATUS, GC):
            return _of_node(arguments, runtime)
        return _of_container(arguments, runtime)


def _refuse_mixture(arguments: argparse.Namespace) -> None:
    kept = bool(arguments.valid) or arguments.none_valid
    if arguments.verb == GC and not kept:
        raise UsageError("gc detaches all that it is not told to keep: name a list with --valid, or say --none-valid")
    if arguments.verb != GC and kept:
        raise UsageError("--valid and --none-valid belong to gc")
    if arguments.verb == DEL and not arguments.netns:
        raise UsageError("del of what? --netns names the namespace of an earlier `multus call add --keep`")
    if arguments.verb != ADD and (arguments.keep or arguments.check):
        raise UsageError("--keep and --check belong to add")


def _load(config: str, directory: str) -> Network:
    """The network; a name is looked up as a runtime does."""
    from cni_multus.cni.config import Section
    from cni_multus.cni.document import parse_object
    from cni_multus.confdir import find_network, load_file
    from cni_multus.network import Network

    if config == STDIN:
        return Network(Section(parse_object(sys.stdin.buffer.read(), "standard input")))
    if "/" in config or os.path.exists(config):
        return load_file(config)
    return find_network(directory, config, warn)


def _of_container(arguments: argparse.Namespace, runtime: ByHand) -> int:
    """ADD, CHECK, DEL. A CHECK without namespace is one of an attachment that is made for it."""
    from cni_multus.cli.call.session import Session, end_in_order
    from cni_multus.cli.call.space import Temporary, is_ours, leftovers, remove

    for path in leftovers():
        if path != os.path.abspath(arguments.netns or "/"):
            warn(
                f"{path} is left of a call that was kept or killed: `multus call del CONFIG --netns {path}` removes it"
            )
    end_in_order()
    netns = os.path.abspath(arguments.netns) if arguments.netns else ""
    if not netns:
        netns = arguments.closing.enter_context(Temporary(keep=arguments.keep)).path
    session = Session(runtime, _container(arguments, netns), keep=arguments.keep)
    if arguments.verb == ADD or not arguments.netns:
        session.add(check=arguments.check or arguments.verb == CHECK)
    elif arguments.verb == CHECK:
        session.check()
    else:
        session.delete()
        if is_ours(netns) and session.told.error is None:
            remove(netns)
    _show(arguments, session)
    told = session.told
    return FOUND if told.error or told.undone or told.left else DONE


def _container(arguments: argparse.Namespace, netns: str) -> Container:
    from cni_multus.cli.call.space import is_ours
    from cni_multus.cli.runtime import Container
    from cni_multus.cni.document import parse_object
    from cni_multus.hashes import digest

    made = os.path.basename(netns) if is_ours(netns) else f"call-{digest(netns, 16)}"
    capabilities = parse_object(os.fsencode(arguments.capabilities), "--capabilities") if arguments.capabilities else {}
    return Container(arguments.container_id or made, netns, arguments.ifname, arguments.args, capabilities)


def _of_node(arguments: argparse.Namespace, runtime: ByHand) -> int:
    """STATUS and GC, which are about no container."""
    from cni_multus.cli.call.show import outcome, tables
    from cni_multus.cli.cnitool import read_valid
    from cni_multus.cni.errors import CniError

    failure = None
    try:
        if arguments.verb == STATUS:
            runtime.status(runtime.network.name)
        else:
            runtime.collect_garbage(runtime.network.name, read_valid(arguments.valid) if arguments.valid else [])
    except CniError as error:
        failure = error
    steps = runtime.network.steps
    document = {**outcome(arguments.verb, runtime.network.name, failure), "timings": [each.to_json() for each in steps]}
    _verdict(arguments.output, document, failed=failure is not None)
    emit(arguments.output, document, tables(document))
    return FOUND if failure else DONE


def _versions(arguments: argparse.Namespace, network: Network) -> int:
    """VERSION of each plugin."""
    from cni_multus.cli.call.show import versions
    from cni_multus.cli.output import Column, Table

    rows = versions(network, (arguments.bin_dir,))
    columns = (Column("PLUGIN", "type"), Column("CODE", "program"), Column("VERSIONS", "versions"))
    wrong = Column("WRONG", "failed", rare=True)
    emit(arguments.output, {"network": network.name, "plugins": rows}, [Table("", (*columns, wrong), rows)])
    return FOUND if any("failed" in row for row in rows) else DONE


def _show(arguments: argparse.Namespace, session: Session) -> None:
    from cni_multus.cli.call.show import document, tables

    shown = document(arguments.verb, session, kept=arguments.keep)
    told = session.told
    _verdict(arguments.output, shown, failed=bool(told.error or told.undone or told.left))
    emit(arguments.output, shown, tables(shown))


def _verdict(form: str, document: dict[str, object], *, failed: bool) -> None:
    if form in (TABLE, WIDE):
        sys.stdout.write(paint(one_line(str(document["verdict"])), RED if failed else GREEN) + "\n\n")
