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


def label(attachment: Attachment) -> str:
    """The alias of an attachment's link on the node: whose it is, for operators and for GC."""
    text = f"{labels_start(attachment.network)}{attachment.container_id}:{attachment.ifname}"
    size = len(text.encode("utf-8", "surrogateescape"))
    # The kernel takes 255 bytes, and names may be longer together.
    return text if size < 255 else f"{text[:230]}~{crc32(text.encode('utf-8', 'surrogateescape')):08x}"


def labels_start(network: str) -> str:
    """What every label of a network starts with."""
    return f"multus:{network}:"
