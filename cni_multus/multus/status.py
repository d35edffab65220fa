"""What the annotation `k8s.v1.cni.cncf.io/network-status` says of an attachment.

The shape is that of the NPWG's multi-network standard (v1.3, section 4.1): one entry for every interface in a
sandbox, at least one for every attachment; addresses without prefix length; `dns` always there.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.result import Interface, Result


def entries(name: str, result: Result, ifname: str, *, primary: bool) -> list[dict[str, object]]:
    """The entries of one attachment; those of the `primary` one say which interface is the pod's default."""
    shown = [(at, interface) for at, interface in enumerate(result.interfaces) if interface.sandbox]
    if not shown:
        only = result.interfaces[0] if len(result.interfaces) == 1 else None
        return [_entry(name, result, only, _addresses(result, None), default=primary, ifname=ifname)]
    default = _default(result, [at for at, _ in shown]) if primary else None
    last = shown[-1][0]
    return [
        _entry(name, result, interface, _addresses(result, at, at == last), default=at == default)
        for at, interface in shown
    ]


def _default(result: Result, sandboxed: list[int]) -> int:
    """The interface of the first address that has a gateway, else the first one in the sandbox."""
    for ip in result.ips:
        if ip.gateway is not None and ip.interface in sandboxed:
            return ip.interface
    return sandboxed[0]


def _addresses(result: Result, at: int | None, last: bool = True) -> list[str]:
    """The addresses of an interface; those that belong to none are told with the last one."""
    return [
        str(ip.address.ip) for ip in result.ips if at is None or ip.interface == at or (ip.interface is None and last)
    ]


def _entry(
    name: str, result: Result, interface: Interface | None, ips: list[str], *, default: bool, ifname: str = ""
) -> dict[str, object]:
    entry: dict[str, object] = {"name": name, "interface": interface.name if interface else ifname}
    if ips:
        entry["ips"] = ips
    if interface is not None and interface.mac:
        entry["mac"] = interface.mac
    if interface is not None and interface.mtu:
        entry["mtu"] = interface.mtu
    if default:
        entry["default"] = True
    entry["dns"] = result.dns.to_json()
    gateways = [str(route.gw) for route in result.routes if route.is_default and route.gw is not None]
    if gateways:
        entry["gateway"] = gateways
    return entry
