"""`multus ipam <command>`: the commands about addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.group import Group

if TYPE_CHECKING:
    from cni_multus.cli.command import Command

COMMANDS = {
    "show": ("show:Show", "show pools of addresses, and who has which address"),
    "owner": ("owner:OwnerOf", "find who has an address, and whether it is still there"),
    "leaks": ("leaks:Leaks", "find addresses whose owner is gone"),
    "fsck": ("fsck:Fsck", "find, and mend, what is inconsistent in the records of addresses"),
    "release": ("release:Release", "give back one address by hand, unless its owner lives"),
    "import": ("importing:Import", "take over leases from a document, or from another IPAM"),
    "export": ("exporting:Export", "print leases as a document that import reads"),
    "reconcile": ("reconcile:Reconcile", "free in the cluster what surely nobody has any more"),
}


class Ipam(Group):
    """The group; its own --help lists its commands."""

    name = "ipam"
    summary = "show, check and mend the records of addresses"
    description = "Who has which address, on this node and in the cluster, and what to do where the records are wrong."
    package = "cni_multus.cli.ipam"
    commands = COMMANDS


def load(target: str) -> Command:
    """The command of a line in COMMANDS."""
    return Ipam().load(target)
