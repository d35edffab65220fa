"""What networks need of the kernel: kinds of links, nftables, forwarding, and a clock that is right."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from cni_multus.cli.doctor.features import BRIDGE_VLANS, NFTABLES, tried
from cni_multus.cli.doctor.finding import CRITICAL, ERROR, WARNING, Check, Finding
from cni_multus.cli.doctor.tokens import moment
from cni_multus.linux import sysctl
from cni_multus.linux.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.doctor.patient import Patient
    from cni_multus.cli.doctor.uses import Use

_EARLIEST = 1735689600
"""2025: no node that this runs on was installed before."""
_MODULES = {"vlan": "8021q", NFTABLES: "nf_tables", BRIDGE_VLANS: "bridge (CONFIG_BRIDGE_VLAN_FILTERING)"}
_STRICT = "1"


def features(patient: Patient) -> Iterator[Finding]:
    """Kinds of links that networks have, and this kernel does not know; tried in a namespace that is thrown away."""
    needed = _needed(patient)
    missing = tried(list(needed))
    for feature, why in missing.items():
        use = needed[feature]
        module = _MODULES.get(feature, feature)
        yield Finding(
            CRITICAL if use.primary else ERROR,
            f"this kernel has no {feature}, which network {use.network} needs",
            [f"Linux {os.uname().release}: {why}", f"{use.where} has the type {use.kind}"],
            "its pods do not start",
            f"modprobe {module}; where there is no such module, install the one of this kernel (linux-modules-extra)",
        )


def forwarding(patient: Patient) -> Iterator[Finding]:
    """The node passes nothing on, and is the gateway of pods."""
    gateways = [
        one
        for sandbox in patient.sandboxes
        for one in sandbox.observed
        if one.port is not None and one.result is not None and _is_gateway(one.types, one.attachment.network)
    ]
    families = {ip.address.ip.family for one in gateways for ip in one.result.ips} if gateways else set()  # type: ignore[union-attr]
    names = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}
    with Namespace.host() as host:
        values = sysctl.read_many(host, [names[family] for family in families])
    for name, value in values.items():
        if value == "0":
            yield Finding(
                CRITICAL if any(one.primary for one in gateways) else ERROR,
                f"the node forwards nothing ({name.replace('/', '.')} is 0), and is the gateway of pods",
                [f"sysctl {name.replace('/', '.')}: 0", f"{len(gateways)} attachments need it"],
                "pods reach their node, and nothing else",
                f"sysctl -w {name.replace('/', '.')}=1, and find what set it to 0 (a file in /etc/sysctl.d)",
            )


def reverse_path(patient: Patient) -> Iterator[Finding]:
    """Two interfaces of a pod in one subnet, where the kernel drops what comes by the second."""
    from cni_multus.cli.inspect import kernel

    for sandbox in patient.sandboxes:
        subnets: dict[str, list[str]] = {}
        for one in sandbox.observed:
            for address in one.result.ips if one.result else ():
                if address.address.ip.family == 4:
                    subnets.setdefault(str(address.address.network), []).append(one.ifname)
        double = {subnet: names for subnet, names in subnets.items() if len(set(names)) > 1}
        if not double or sandbox.space is None:
            continue
        subnet, names = next(iter(double.items()))
        keys = ["net/ipv4/conf/all/rp_filter", *(f"net/ipv4/conf/{name}/rp_filter" for name in names)]
        strict = [name for name, value in kernel.settings(sandbox.netns, keys).items() if value == _STRICT]
        if strict:
            yield Finding(
                WARNING,
                f"pod {sandbox.pod} has {' and '.join(names)} in {subnet}, and drops what comes by the second",
                [f"{name} is 1 (strict)" for name in strict],
                f"what is sent to the address of {names[1]} is dropped: the way back would be {names[0]}",
                "give the networks different subnets, or set rp_filter to 2 by tuning, or add sbr",
            )


def clock(patient: Patient) -> Iterator[Finding]:
    """A clock that is years behind, or behind what was written before."""
    now = time.time()
    created = [known.record.created for known in patient.node.known if known.record]
    newest = max(created, default=0)
    if now < _EARLIEST:
        yield Finding(
            CRITICAL,
            f"the clock of this node says {moment(now)}",
            ["date"],
            "no certificate and no token is valid: the API server cannot be asked",
            "set the clock (chronyc tracking, timedatectl)",
        )
    elif newest > now + 120:
        yield Finding(
            WARNING,
            f"the clock of this node went back: it is {moment(now)}, and a record was written at {moment(newest)}",
            [f"{sum(1 for each in created if each > now)} records are of the future"],
            "tokens may not be valid yet, and leases end too late",
            "set the clock (chronyc tracking, timedatectl)",
        )


def _needed(patient: Patient) -> dict[str, Use]:
    """What is used, and a use that says so; one that all pods have, if there is any."""
    found: dict[str, Use] = {}
    for use in sorted(patient.uses, key=lambda use: not use.primary):
        raw = use.section.raw
        if use.kind in ("macvlan", "ipvlan", "vlan", "dummy", "vrf"):
            found.setdefault(use.kind, use)
        if use.kind in ("bridge", "ptp"):
            found.setdefault("veth", use)
        if use.kind == "bridge":
            found.setdefault("bridge", use)
        if use.kind == "bridge" and (raw.get("vlan") or raw.get("vlanTrunk")):
            found.setdefault(BRIDGE_VLANS, use)
        if use.kind == "portmap" or raw.get("macspoofchk") is True or raw.get("ipMasqBackend") == "nftables":
            found.setdefault(NFTABLES, use)
    return found


def _is_gateway(types: list[str], network: dict[str, object]) -> bool:
    plugins = network.get("plugins")
    members = plugins if isinstance(plugins, list) else [network]
    return "ptp" in types or any(
        isinstance(each, dict) and (each.get("isGateway") is True or each.get("isDefaultGateway") is True)
        for each in members
    )


CHECKS = (
    Check("kernel-feature", "this kernel knows what networks are made of", features),
    Check("forwarding", "the node forwards what pods send", forwarding),
    Check("rp-filter", "no pod drops what comes by its second interface", reverse_path),
    Check("clock", "the clock is not behind", clock),
)
