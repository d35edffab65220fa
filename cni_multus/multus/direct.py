"""Pods that the primary's own plugins serve, as if this program were not there.

There are two kinds: those that were attached before it came to the node, which libcni's cache knows, and those that
start while it leaves the node (`multus.io/uninstalling`). What was attached so is no record of ours: the runtime can
take it apart without us, for which its cache is kept as it would have kept it itself.
"""

from __future__ import annotations

import os

from cni_multus import confdir
from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object, print_compact
from cni_multus.cni.errors import CniError, TryAgainLater
from cni_multus.cni.result import Result
from cni_multus.cni.versions import OLDEST
from cni_multus.delegate import find
from cni_multus.multus.settings import PASSING
from cni_multus.network import Network
from cni_multus.state import libcni_cache
from cni_multus.state.journal import Attachment, Journal, Record
from cni_multus.state.libcni_cache import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.multus.settings import Settings

HAND_OVER = "handOver"
"""The member of what `multus uninstall` says that has a Go Multus come in our place."""
RESULTS = "/var/lib/cni/results"
"""Where libcni has its cache, unless a runtime says otherwise (libcni 1.3, CacheDir)."""


def primary(settings: Settings) -> Network:
    """What the runtime would use without us; programs come before our own plugins, since it would execute them."""
    directory = settings.config.section(PASSING).text("confDir")
    network = confdir.first_network(directory, "multus", version=settings.config.text("cniVersion"))
    if network is None:
        raise TryAgainLater(f"there is no network configuration in {directory} but ours, which is being removed")
    network.programs_first = True
    return network


def add(request: Request, settings: Settings) -> Result:
    """ADD of the primary, and of nothing else."""
    network = primary(settings)
    capabilities = request.config.section("runtimeConfig")
    if _is_handing_over(settings):
        return _add_for_the_go_multus(network, capabilities, request, settings)
    result = network.add(_for(network, request, settings), capabilities)
    entry = Entry(network.name, request.container_id, request.ifname, netns=request.netns, config=_as_list(network))
    entry.cni_args = list(request.arguments.items())
    entry.capability_args = capabilities.raw
    entry.result = result.to_json(network.version)
    try:
        libcni_cache.write(_results(settings), entry)
    except CniError:
        return result  # its DEL will be without a result: libcni goes on without its cache, too
    return result


def _add_for_the_go_multus(network: Network, capabilities: Section, request: Request, settings: Settings) -> Result:
    """The same, with what the Go Multus needs for its DEL: it comes soon, and has every pod of the node then."""
    from cni_multus.multus import handing, takeover

    record = Record(request.container_id, request.ifname, request.netns, request.arguments)
    attachment = Attachment(network.raw, network.version, request.ifname, capabilities.raw)
    record.attachments.append(attachment)
    handing.write(settings.cni_dir, record)
    try:
        attachment.result = result = network.add(_for(network, request, settings), capabilities)
    except CniError:
        takeover.forget(settings.cni_dir, request.container_id)
        raise
    handing.write(settings.cni_dir, record)
    return result


def delete(request: Request, settings: Settings) -> list[CniError]:
    """DEL of what was attached without us, if it was; what failed."""
    entry = _find(request, settings)
    if entry is not None:
        failures = _delete_remembered(entry, request, settings)
        if not failures:
            libcni_cache.remove(_results(settings), entry)
        return failures
    if not settings.config.has(PASSING):
        return []
    try:
        network = primary(settings)
    except CniError:
        return []  # without a configuration no runtime would do anything either
    return network.delete(_for(network, request, settings), None, request.config.section("runtimeConfig"))


def check(request: Request, settings: Settings) -> None:
    """CHECK of the primary alone."""
    network = primary(settings)
    network.check(_for(network, request, settings), request.previous, request.config.section("runtimeConfig"))


def finish(settings: Settings) -> bool:
    """Where no record is left, let a process of its own remove the rest of us; whether there is one."""
    if _is_handing_over(settings):
        return False  # the command that does that ends it
    journal = Journal(settings.cni_dir)
    if any(_size(journal.path(container_id, ifname)) for container_id, ifname in sorted(journal.keys())):
        return False
    directory = settings.config.section(PASSING).text("binDir")
    program = f"{directory}/multus"
    devices = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in range(3)]
    try:
        os.posix_spawn(
            program,
            [program, "uninstall", "--bin-dir", directory, "--in-turn"],
            {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            file_actions=devices,
            setsid=True,
        )
    except OSError:
        return False  # the next request does it, or the operator
    return True


def _is_handing_over(settings: Settings) -> bool:
    return settings.config.section(PASSING).lenient_flag(HAND_OVER)


def _find(request: Request, settings: Settings) -> Entry | None:
    """What libcni remembers of the container's interface under another name than ours."""
    directory = _results(settings)
    for entry in libcni_cache.entries(directory, container_id=request.container_id):
        if entry.ifname == request.ifname and (network := _network(entry)) and "multus" not in network.types:
            return entry
    return None


def _network(entry: Entry) -> Network | None:
    try:
        network = Network(Section(parse_object(entry.config, "config")))
    except CniError:
        return None
    network.programs_first = True
    return network


def _delete_remembered(entry: Entry, request: Request, settings: Settings) -> list[CniError]:
    network = _network(entry)
    assert network is not None
    made = _for(network, request, settings)
    # Of a primary that left the node nobody can take anything apart: it must not keep the pod for ever.
    network.plugins = tuple(plugin for plugin in network.plugins if _is_there(plugin, made))
    try:
        result = Result.parse(Section(entry.result), OLDEST) if entry.result else None
    except CniError:
        result = None
    return network.delete(made, result, Section(entry.capability_args))


def _is_there(plugin: Section, request: Request) -> bool:
    try:
        find(plugin.text("type"), request.path, programs_first=True)
    except CniError:
        return False
    return True


def _for(network: Network, request: Request, settings: Settings) -> Request:
    """The runtime's request, for the primary's plugins."""
    made = request.with_config(Section(network.raw), None)
    made.timeout = settings.delegate_timeout
    made.path = settings.search_path(request)
    return made


def _as_list(network: Network) -> bytes:
    """The configuration as libcni has it: a single plugin is a list of one."""
    raw = network.raw
    if "plugins" not in raw:
        raw = {"cniVersion": network.version, "name": network.name, "plugins": [raw]}
    return print_compact(raw)


def _results(settings: Settings) -> str:
    return settings.config.section(PASSING).text("resultsDir") or settings.config.text("resultsDir") or RESULTS


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
