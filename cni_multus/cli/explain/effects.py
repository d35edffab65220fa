"""What each bundled plugin does, in words, from its configuration; and its keys read by its own reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request


def effect(kind: str, config: Section, *, is_program: bool) -> str:
    """One clause; never fails, whatever the configuration holds."""
    if is_program:
        return "run as a program: only it knows what it does"
    say = _EFFECTS.get(kind)
    return say(config) if say else ""


def read_keys(kind: str, request: Request) -> None:
    """Raise what is wrong with the keys of a chained plugin, as its ADD would."""
    reader = _READERS.get(kind)
    if reader is not None:
        reader(request)


def _value(config: Section, key: str, otherwise: str) -> str:
    """A value as it is written, whatever it is."""
    value = config.value(key)
    return otherwise if value in (None, "") else str(value)


def _macvlan(config: Section) -> str:
    return f"makes a macvlan in mode {_value(config, 'mode', 'bridge')} on {_master(config)}"


def _ipvlan(config: Section) -> str:
    return f"makes an ipvlan in mode {_value(config, 'mode', 'l2')} on {_master(config)}, with its master's MAC"


def _vlan(config: Section) -> str:
    return f"makes VLAN {_value(config, 'vlanId', '?')} of {_master(config)}"


def _bridge(config: Section) -> str:
    vlan = f" in VLAN {config.value('vlan')}" if config.value("vlan") else ""
    gateway = ", which is the pods' gateway" if config.value("isGateway") or config.value("isDefaultGateway") else ""
    masquerade = "; masquerades what leaves the network" if config.value("ipMasq") else ""
    return f"makes a veth pair, one end a port of bridge {_value(config, 'bridge', 'cni0')}{vlan}{gateway}{masquerade}"


def _ptp(config: Section) -> str:
    return "makes a veth pair with routes on the node" + (", and masquerades" if config.value("ipMasq") else "")


def _host_device(config: Section) -> str:
    keys = ("device", "pciBusID", "hwaddr", "kernelpath")
    of_runtime = config.value("runtimeConfig")
    device = of_runtime.get("deviceID", "") if isinstance(of_runtime, dict) else ""
    named = next((f"{config.value(key)}" for key in keys if config.value(key)), str(device))
    return f"moves {named or 'a device'} of the node into the pod; it comes back with the DEL"


def _tuning(config: Section) -> str:
    parts = []
    sysctl = config.value("sysctl")
    if isinstance(sysctl, dict) and sysctl:
        parts.append("sets " + ", ".join(f"{key}={value}" for key, value in sysctl.items()))
    changed = [
        f"{key} {config.value(key)}" for key in ("mac", "mtu", "txQLen", "promisc", "allmulti") if config.has(key)
    ]
    if changed:
        parts.append("changes " + ", ".join(changed))
    return "; ".join(parts) or "changes nothing, as it is configured"


def _portmap(config: Section) -> str:
    mappings = _of_runtime(config, "portMappings")
    if not isinstance(mappings, list) or not mappings:
        return "forwards no ports: none are handed on"
    told = [
        f"{each.get('hostPort')}->{each.get('containerPort')}/{each.get('protocol', 'tcp')}"
        for each in mappings
        if isinstance(each, dict)
    ]
    return f"forwards ports of the node: {', '.join(told)}"


def _bandwidth(config: Section) -> str:
    keys = ("ingressRate", "egressRate")
    source: object = config.raw if any(config.has(key) for key in keys) else _of_runtime(config, "bandwidth")
    if not isinstance(source, dict):
        return "limits nothing: no limits are given"
    limits = [f"{key.removesuffix('Rate')} {source[key]} bit/s" for key in keys if source.get(key)]
    return f"limits {', '.join(limits)}" if limits else "limits nothing: no limits are given"


def _firewall(config: Section) -> str:
    policy = config.value("ingressPolicy")
    return "lets the node's firewall pass the pod's traffic" + (f", with ingressPolicy {policy}" if policy else "")


def _sbr(config: Section) -> str:
    table = config.value("table")
    where = f"table {table}" if table else "a table of its own"
    return f"moves the interface's routes to {where}, chosen by source address"


def _vrf(config: Section) -> str:
    return f"puts the interface into VRF {_value(config, 'vrfname', '?')}"


def _of_runtime(config: Section, key: str) -> object:
    runtime = config.value("runtimeConfig")
    return runtime.get(key) if isinstance(runtime, dict) else None


def _master(config: Section) -> str:
    return _value(config, "master", "the link of the node's default route")


def _read_tuning(request: Request) -> None:
    from plugins.tuning import TuningConfig

    TuningConfig(request)


def _read_portmap(request: Request) -> None:
    from cni_multus.portmaps.requested import PortmapConfig

    PortmapConfig(request)


def _read_bandwidth(request: Request) -> None:
    from plugins.bandwidth import BandwidthConfig

    BandwidthConfig(request)


def _read_firewall(request: Request) -> None:
    from plugins.firewall import FirewallConfig

    FirewallConfig(request)


def _read_sbr(request: Request) -> None:
    from plugins.sbr import SbrConfig

    SbrConfig(request.config)


def _read_vrf(request: Request) -> None:
    from plugins.vrf import VrfConfig

    VrfConfig(request)


_EFFECTS: dict[str, Callable[[Section], str]] = {
    "macvlan": _macvlan,
    "ipvlan": _ipvlan,
    "vlan": _vlan,
    "bridge": _bridge,
    "ptp": _ptp,
    "host-device": _host_device,
    "dummy": lambda _: "makes a dummy link",
    "tap": lambda _: "makes a tap device",
    "loopback": lambda _: "brings lo up",
    "tuning": _tuning,
    "portmap": _portmap,
    "bandwidth": _bandwidth,
    "firewall": _firewall,
    "sbr": _sbr,
    "vrf": _vrf,
}
_READERS: dict[str, Callable[[Request], None]] = {
    "tuning": _read_tuning,
    "portmap": _read_portmap,
    "bandwidth": _read_bandwidth,
    "firewall": _read_firewall,
    "sbr": _read_sbr,
    "vrf": _read_vrf,
}
