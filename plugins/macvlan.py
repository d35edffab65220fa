"""macvlan: a link of its own MAC over a link of the node (or, with linkInContainer, of the container)."""

from __future__ import annotations

import errno

from cni_multus.cni.result import Interface, Result
from cni_multus.linux.links import remove_link
from cni_multus.plugin.interface import Attached, InterfacePlugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.undo import Undo

MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
"""The kernel's MACVLAN_MODE_ bits; `source` needs a list of addresses that CNI has no key for."""

# The kernel says no more than the number.
_HINTS = {errno.EINVAL: "a macvlan in passthru mode wants MASTER for itself, and there may be another"}


class MacvlanConfig:
    """The keys of a macvlan configuration; `bc_queue_len` 0 means the kernel's own."""

    __slots__ = ("bc_queue_len", "mac", "master", "mode")

    def __init__(self, request: Request) -> None:
        from cni_multus.marks import requested_mac
        from cni_multus.masters import Master

        config = request.config
        self.master = Master(config)
        mode = config.text("mode") or "bridge"
        if mode not in MODES:
            raise config.wrong("mode", f"{mode!r} is not one of {', '.join(MODES)}")
        self.mode = MODES[mode]
        self.bc_queue_len = config.number("bcqueuelen")
        self.mac = requested_mac(request)


class Macvlan(InterfacePlugin["MacvlanConfig"]):
    """See README.md for the keys."""

    kind = "macvlan"

    def parse(self, request: Request) -> MacvlanConfig:
        return MacvlanConfig(request)

    def prepare(self, request: Request, config: MacvlanConfig, host: Namespace, container: Namespace) -> None:
        config.master.require(self.kind, host, container)

    def attach(
        self,
        request: Request,
        config: MacvlanConfig,
        host: Namespace,
        container: Namespace,
        ipam: Result,
        undo: Undo,
    ) -> Attached:
        from cni_multus.linux.linkdata import macvlan_data

        data = macvlan_data(config.mode, config.bc_queue_len)
        link = config.master.add(request, self.kind, data, host, container, mac=config.mac, hints=_HINTS)
        undo.callback(remove_link, container, link.index)
        return Attached([Interface(request.ifname, link.mac, request.netns, link.mtu)], 0, link)

    def verify(
        self, request: Request, config: MacvlanConfig, host: Namespace, container: Namespace, link: Link
    ) -> list[str]:
        wrong = config.master.differences(request, host, container, link)
        mode, queue = link.data.get("mode", 0), link.data.get("bc_queue_len", 0)
        if mode != config.mode:
            wrong.append(f"its mode is {_mode(mode)}, not {_mode(config.mode)}")
        if config.bc_queue_len and queue != config.bc_queue_len:
            wrong.append(f"its bcqueuelen is {queue}, not {config.bc_queue_len}")
        return wrong

    def ready(self, request: Request, config: MacvlanConfig, host: Namespace) -> None:
        config.master.ready(host)


def _mode(bit: int) -> str:
    return next((name for name, value in MODES.items() if value == bit), str(bit))
