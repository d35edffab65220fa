"""What tells an attachment's links from others: the device group in the container, the alias on the node, the MAC."""

from __future__ import annotations

from binascii import crc32

from cni_multus.cni.config import Section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Attachment, Request


def group_of(sandbox: str) -> int:
    """The device group of the links of `Request.sandbox`: one message deletes them all. Never 0, everybody's."""
    return crc32(sandbox.encode(errors="surrogateescape")) & 0x3FFFFFFF | 0x40000000


def requested_mac(request: Request) -> str:
    """The MAC that is asked for in runtimeConfig, else args.cni, else CNI_ARGS, else the configuration; "" if none."""
    config = request.config
    for section in (config.section("runtimeConfig"), config.section("args").section("cni")):
        if mac := section.mac("mac"):
            return mac
    if argument := request.arguments.get("MAC"):
        return Section({"MAC": argument}, "CNI_ARGS").mac("MAC")
    return config.mac("mac")


def label(attachment: Attachment, limit: int = 254) -> str:
    """The alias of an attachment's link on the node, at most `limit` bytes: whose it is, for operators and for GC.

    254 is what the kernel takes for an alias.
    """
    text = f"{labels_start(attachment.network)}{attachment.container_id}:{attachment.ifname}"
    data = text.encode("utf-8", "surrogateescape")
    return text if len(data) <= limit else f"{text[: limit - 24]}~{crc32(data):08x}"


def comment(attachment: Attachment) -> str:
    """The same beside a rule, a chain or an element of nftables, which reads back 127 bytes."""
    return label(attachment, 127)


def chain_name(attachment: Attachment) -> str:
    """The name of an attachment's own chain of nftables: readable, and no other attachment's."""
    network, container_id, ifname = attachment.network, attachment.container_id, attachment.ifname
    key = crc32(f"{network}\0{container_id}\0{ifname}".encode("utf-8", "surrogateescape"))
    plain = "".join([each if each.isascii() and each.isalnum() else "_" for each in ifname])
    return f"{network[:40]}-{container_id[:64]}-{plain}-{key:08x}"


def labels_start(network: str) -> str:
    """What every label of a network starts with, however short it had to be made; no other network's does."""
    return f"multus:{network if len(network) <= 64 else f'{network[:55]}~{crc32(network.encode()):08x}'}:"
