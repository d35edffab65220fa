"""`multus node <command>`: the commands about the node's configuration."""

from __future__ import annotations

from cni_multus.cli.group import Group

COMMANDS = {
    "configure": ("configure:Configure", "make the configuration from the primary CNI's, once"),
    "leave": ("leave:Leave", "uninstall if the DaemonSet is gone, and do nothing in a roll-out"),
    "watch": ("watch:Watching", "keep the configuration as the primary CNI's is, and tell how that goes"),
}


class Node(Group):
    """The group; its own --help lists its commands."""

    name = "node"
    summary = "make the node's configuration from the primary CNI's, and keep it so"
    description = "The configuration by which the runtime finds the meta-plugin, made from that of the primary CNI."
    package = "cni_multus.cli.node"
    commands = COMMANDS
