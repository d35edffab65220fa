"""Whether the kernel can limit rates, told without changing anything: it is asked for what it knows and must refuse."""

from __future__ import annotations

import errno

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.codec import NLM_F_CREATE, NLM_F_EXCL, attribute, message, nested, string
from cni_multus.linux.linkinfo import IFINFOMSG, IFLA_ADDRESS, IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINKINFO
from cni_multus.linux.linktable import RTM_NEWLINK
from cni_multus.linux.traffic import invalid_token_bucket_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

_LOOPBACK = 1
_MULTICAST = bytes.fromhex("0100000000ff")  # no link can have it


def why_not_supported(ns: Namespace) -> str:
    """What the kernel lacks, "" if nothing."""
    ifb = attribute(IFLA_IFNAME, string("bwp-unsupported")) + attribute(IFLA_ADDRESS, _MULTICAST)
    ifb += nested(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, string("ifb")))
    asked = message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, IFINFOMSG.pack(0, 0, 0, 0, 0) + ifb)
    if _refusal(ns, asked) == errno.EOPNOTSUPP:
        return "the kernel has no ifb devices (CONFIG_IFB, module ifb)"
    if _refusal(ns, invalid_token_bucket_message(_LOOPBACK)) == errno.ENOENT:
        return "the kernel has no token bucket filter (CONFIG_NET_SCH_TBF, module sch_tbf)"
    return ""


def _refusal(ns: Namespace, request: bytes) -> int:
    try:
        ns.netlink.request(request, "cannot ask what the kernel knows")
    except NetlinkFailure as failure:
        return failure.errno
    return 0
