"""What the plugins themselves refuse: their own parsing, called with a request that reaches no kernel and no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError
from cni_multus.cni.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.errors import CniError as Refusal

IFNAME = "lint0"
MOST = 10
"""How many refusals of one configuration are looked for."""
_BROUGHT = "192.0.2.0/24"
"""TEST-NET-1 (RFC 5737) stands for what a runtime brings by a capability."""
CHAINED = ("bandwidth", "firewall", "portmap", "sbr", "tuning", "vrf")


def refusal_of(plugin: dict[str, object], *, at: int) -> Refusal | None:
    """Why the plugin number `at` of a list refuses its section, None where it does not; `ipam` is not looked into."""
    config = Section(plugin)
    # Behind another plugin an ADD has what that made; STATUS asks for everything else.
    kind = config.value("type")
    command = "STATUS" if at or kind == "host-device" else "ADD"
    request = Request(command, config, {}, container_id="lint", ifname=IFNAME)
    try:
        if isinstance(kind, str) and kind in _PARSERS:
            _PARSERS[kind](request)
    except CniError as error:
        return error
    return None


def ipam_refusal_of(plugin: dict[str, object]) -> Refusal | None:
    """The same of its IPAM."""
    config = Section(plugin)
    try:
        ipam = config.section("ipam")
        kind = ipam.text("type")
        if kind not in _IPAMS:
            return None
        document = _offline(plugin, ipam, kind)
        request = Request("ADD", Section(document), {}, container_id="lint", ifname=IFNAME)
        _IPAMS[kind](request, request.config.section("ipam"))
    except CniError as error:
        return error
    return None


def _offline(plugin: dict[str, object], ipam: Section, kind: str) -> dict[str, object]:
    """The configuration without what leads to files, and with what a runtime would bring where that is asked for."""
    for key in ("resolvConf", "configuration_path"):
        ipam.text(key)
    own = {key: value for key, value in ipam.raw.items() if key.lower() not in ("resolvconf", "configuration_path")}
    if kind == "whereabouts" and ipam.has("configuration_path"):
        own.setdefault("range", _BROUGHT)  # it may stand in the flat file
    runtime: dict[str, object] = dict(Section(plugin).section("runtimeConfig").raw)
    capabilities = Section(plugin).section("capabilities")
    if capabilities.value("ips") is True and not _has_addresses(ipam, kind):
        runtime.setdefault("ips", ["192.0.2.7/24"])
    if kind == "host-local" and capabilities.value("ipRanges") is True:
        runtime.setdefault("ipRanges", [[{"subnet": _BROUGHT}]])
    document = {key: value for key, value in plugin.items() if key.lower() != "ipam"}
    return {**document, "ipam": own, **({"runtimeConfig": runtime} if runtime else {})}


def _has_addresses(ipam: Section, kind: str) -> bool:
    if kind == "host-local":
        return True  # what is asked for must lie in a range
    return any(ipam.has(key) for key in ("addresses", "range", "ipRanges"))


def _interface(module: str, name: str) -> Callable[[Request], None]:
    def parse(request: Request) -> None:
        from cni_multus.cni.result import Dns

        plugin = getattr(__import__(module, fromlist=[name]), name)()
        plugin.parse(request)
        Dns.parse(request.config.section("dns"))
        _require_addresses(request)

    return parse


def _require_addresses(request: Request) -> None:
    """What `InterfacePlugin.add` refuses of versions that cannot tell a result without addresses."""
    from cni_multus.cni.errors import IncompatibleVersion
    from cni_multus.cni.versions import family

    if request.command == "ADD" and not request.config.section("ipam").text("type") and family(request.version) == 2:
        raise IncompatibleVersion(f"cniVersion {request.version} cannot tell a result without addresses (no ipam)")


def _chained(module: str, name: str, *, section: bool = False) -> Callable[[Request], None]:
    def parse(request: Request) -> None:
        config = getattr(__import__(module, fromlist=[name]), name)
        config(request.config if section else request)

    return parse


def _host_local(request: Request, ipam: Section) -> None:
    from cni_multus.state.datadir import parse_data_dir
    from ipam.host_local.config import HostLocalConfig

    HostLocalConfig.parse(request, ipam)
    parse_data_dir(ipam, "/")


def _static(request: Request, ipam: Section) -> None:
    from cni_multus.cni.result import Dns, Route
    from cni_multus.state.datadir import parse_data_dir
    from ipam.static import parse_addresses

    parse_addresses(request, ipam)
    for section in ipam.sections("routes"):
        Route.parse(section)
    Dns.parse(ipam.section("dns"))
    if not ipam.flag("allowConflicts"):
        parse_data_dir(ipam, "/")


def _whereabouts(request: Request, ipam: Section) -> None:
    from ipam.whereabouts.parsing import parse_config

    parse_config(request, ipam, ())


_PARSERS: dict[str, Callable[[Request], None]] = {
    "bandwidth": _chained("plugins.bandwidth", "BandwidthConfig"),
    "bridge": _interface("plugins.bridge", "Bridge"),
    "dummy": _interface("plugins.dummy", "Dummy"),
    "firewall": _chained("plugins.firewall", "FirewallConfig"),
    "host-device": _interface("plugins.host_device", "HostDevice"),
    "ipvlan": _interface("plugins.ipvlan", "Ipvlan"),
    "macvlan": _interface("plugins.macvlan", "Macvlan"),
    "portmap": _chained("cni_multus.portmaps.requested", "PortmapConfig"),
    "ptp": _interface("plugins.ptp", "Ptp"),
    "sbr": _chained("plugins.sbr", "SbrConfig", section=True),
    "tap": _interface("plugins.tap", "Tap"),
    "tuning": _chained("plugins.tuning", "TuningConfig"),
    "vlan": _interface("plugins.vlan", "Vlan"),
    "vrf": _chained("plugins.vrf", "VrfConfig"),
}

_IPAMS: dict[str, Callable[[Request, Section], None]] = {
    "host-local": _host_local,
    "static": _static,
    "whereabouts": _whereabouts,
}
