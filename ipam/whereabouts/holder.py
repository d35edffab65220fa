"""Whom a request is for: the claim, the pod or just the container that keeps an address over restarts."""

from __future__ import annotations

import os

from cni_multus.cni.errors import InvalidEnvironment
from cni_multus.state.files import read
from cni_multus.state.leases.lease import Holder
from ipam.whereabouts.names import wrong_with_object_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from ipam.whereabouts.config import WhereaboutsConfig

CLAIM = "ipam-claim-reference"
"""Of `args.cni`: an IPAMClaim in the pod's namespace (NPWG de-facto standard 1.3, section 8)."""

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def parse_holder(request: Request, config: WhereaboutsConfig) -> Holder:
    """The holder that the variables and `args.cni` tell; without a pod it is the container."""
    namespace, name = (request.arguments.get(f"K8S_POD_{key}", "") for key in ("NAMESPACE", "NAME"))
    pod = f"{namespace}/{name}" if namespace and name else ""
    return Holder(
        request.attachment,
        pod=pod,
        uid=request.arguments.get("K8S_POD_UID", "") if pod else "",
        claim=_claim(request, namespace),
        node=config.cluster.node if config.cluster else os.uname().nodename.lower(),
        boot=(read(_BOOT_ID) or b"").decode().strip(),
        netns=request.netns,
    )


def _claim(request: Request, namespace: str) -> str:
    args = request.config.section("args").section("cni")
    name = args.text(CLAIM)
    if not name:
        return ""
    if why := wrong_with_object_name(name):
        raise args.wrong(CLAIM, why)
    if not namespace:
        raise InvalidEnvironment(f"CNI_ARGS: K8S_POD_NAMESPACE is missing: it is where {args.where(CLAIM)} {name} is")
    if any(one.has("ips") for one in (args, request.config.section("runtimeConfig"))):
        raise args.wrong(CLAIM, "ips must not stand beside it: the claim says which addresses they are")
    return f"{namespace}/{name}"
