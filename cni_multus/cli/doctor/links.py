"""What networks stand on: masters and bridges of the node, and who else manages them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cni_multus.cli.doctor.finding import CRITICAL, ERROR, WARNING, Check, Finding
from cni_multus.cli.doctor.uses import text
from cni_multus.cni.errors import CniError
from cni_multus.state import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.doctor.patient import Patient
    from cni_multus.cli.doctor.uses import Use
    from cni_multus.linux.links import Link

_ON_MASTERS = ("macvlan", "ipvlan", "vlan")
_OURS = ("multus:", "multus-gateway:")
_WITHOUT_CARRIER = (2, 3)
"""IF_OPER_DOWN and IF_OPER_LOWERLAYERDOWN (<linux/if.h>); those that have no carrier at all are UNKNOWN."""
NETWORKD, NETWORK_MANAGER = "/run/systemd/netif/links", "/run/NetworkManager/devices"


def missing(patient: Patient) -> Iterator[Finding]:
    """A master that the node does not have."""
    for name, uses in _masters(patient).items():
        if _link(patient, name) is None:
            yield Finding(
                _severity(uses),
                f"there is no link {name}, which {_of(uses)} stands on",
                [f"ip link show {name}: does not exist", f"links of the node: {', '.join(_names(patient)) or 'none'}"],
                "its pods do not start: ADD names the master",
                f"bring {name} back (a driver, a bond, a VLAN), or correct `master` in {uses[0].where}",
            )


def down(patient: Patient) -> Iterator[Finding]:
    """A master, or a bridge, that is down or has no carrier."""
    for name, uses in {**_masters(patient), **_bridges(patient)}.items():
        link = _link(patient, name)
        if link is not None and not link.up:
            yield Finding(
                _severity(uses),
                f"link {name} is down, which {_of(uses)} stands on",
                [f"ip link show {name}: state DOWN", f"{uses[0].where} names it"],
                "its pods have their interfaces and addresses, and nothing passes",
                f"ip link set {name} up, and see who took it down",
            )
        elif link is not None and link.operstate in _WITHOUT_CARRIER and link.kind != "bridge":
            yield Finding(
                ERROR,
                f"link {name} has no carrier, which {_of(uses)} stands on",
                [f"ip link show {name}: NO-CARRIER"],
                "its pods have their interfaces and addresses, and nothing passes",
                "look at the cable, the switch's port, or the other end of the pair",
            )


def mtu(patient: Patient) -> Iterator[Finding]:
    """More than the master takes."""
    for name, uses in _masters(patient).items():
        link = _link(patient, name)
        for use in uses:
            wanted = use.section.raw.get("mtu")
            if link is not None and isinstance(wanted, int) and wanted > link.mtu:
                yield Finding(
                    ERROR,
                    f"network {use.network} wants an MTU of {wanted}, and its master {name} has {link.mtu}",
                    [f"ip link show {name}: mtu {link.mtu}", f"{use.where}: mtu {wanted}"],
                    "its pods do not start: the kernel refuses an MTU above that of the master",
                    f"ip link set {name} mtu {wanted} (and the network behind it), or a smaller mtu in {use.where}",
                )


def managed(patient: Patient) -> Iterator[Finding]:
    """Another manager of networks takes our links for its own."""
    networkd, manager = patient.site.path(NETWORKD), patient.site.path(NETWORK_MANAGER)
    bridges = _bridges(patient)
    for link in patient.node.host.links.values():
        if not link.alias.startswith(_OURS) and link.name not in bridges:
            continue
        for who, path, words in (
            ("systemd-networkd", f"{networkd}/{link.index}", ("ADMIN_STATE=configured", "ADMIN_STATE=configuring")),
            ("NetworkManager", f"{manager}/{link.index}", ("managed=true", "managed=1")),
        ):
            if said := _says(path, words):
                yield Finding(
                    WARNING,
                    f"{who} manages {link.name}, which is ours",
                    [f"{path}: {said}"],
                    "it may take the link down, or its addresses away, when it is restarted or reloaded",
                    "let it leave veth*, and the bridges of networks, alone (unmanaged-devices, Unmanaged=yes)",
                )


def _says(path: str, words: tuple[str, ...]) -> str:
    if not os.path.exists(path):
        return ""
    try:
        lines = (files.read(path) or b"").decode(errors="replace").split("\n")
    except CniError:
        return ""
    return next((line for line in lines if line in words), "")


def _masters(patient: Patient) -> dict[str, list[Use]]:
    """The links of the node that networks name as their masters."""
    found: dict[str, list[Use]] = {}
    for use in patient.uses:
        name = text(use.section, "master")
        if use.kind in _ON_MASTERS and name and use.section.raw.get("linkInContainer") is not True:
            found.setdefault(name, []).append(use)
    return found


def _bridges(patient: Patient) -> dict[str, list[Use]]:
    """The bridges that pods are attached to; one that nobody has needed yet is made by the first ADD."""
    found: dict[str, list[Use]] = {}
    for use in patient.uses:
        name = text(use.section, "bridge") or "cni0"
        if use.kind == "bridge" and _link(patient, name) is not None:
            found.setdefault(name, []).append(use)
    return found


def _link(patient: Patient, name: str) -> Link | None:
    return patient.node.host.named(name)


def _names(patient: Patient) -> list[str]:
    return [link.name for link in patient.node.host.own if not link.alias.startswith(_OURS)][:12]


def _severity(uses: list[Use]) -> str:
    return CRITICAL if any(use.primary for use in uses) else ERROR


def _of(uses: list[Use]) -> str:
    names = sorted({use.network for use in uses})
    return f"network {names[0]}" if len(names) == 1 else f"each of the networks {', '.join(names)}"


CHECKS = (
    Check("master-missing", "masters of networks are there", missing),
    Check("master-down", "masters and bridges are up, with a carrier", down),
    Check("master-mtu", "no network wants more than its master's MTU", mtu),
    Check("link-managed", "no other manager has our links", managed),
)
