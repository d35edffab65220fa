"""Connections that began before a port of the node led where it leads now."""

from __future__ import annotations

from cni_multus.linux.conntrack import flows_to, forget, forget_led
from cni_multus.portmaps.hostport import UDP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.addressing import Ip
    from cni_multus.linux.conntrack import Flow
    from cni_multus.linux.netns import Namespace
    from cni_multus.portmaps.hostport import Hostport

_FEW = 8
"""Ports of one protocol that are asked for one by one: each time the kernel goes through all connections."""


def forget_former(host: Namespace, ports: list[Hostport], local: list[Ip]) -> None:
    """ADD: forget what was sent to these ports and led elsewhere.

    What was led nowhere is forgotten only of UDP: a connection of TCP to the node itself goes on.
    """
    nodes = {ip.packed for ip in local}
    _forget(host, ports, lambda flow, own: _is_former(flow, own, nodes))


def forget_led_to(host: Namespace, ports: list[Hostport]) -> None:
    """DEL: forget what was sent to these ports and led to the container."""
    ways = [(port.number, port.port, port.target.packed) for port in ports if port.family == 4]
    rest = [port for port in ports if port.family == 6]
    if ways and not forget_led(host, ways):
        rest = ports
    _forget(host, rest, lambda flow, own: any(flow.answers == port.target.packed for port in own))


def _forget(host: Namespace, ports: list[Hostport], unwanted: Callable[[Flow, list[Hostport]], bool]) -> None:
    """Forget the connections to ports that are `unwanted`, told with the ports of that number."""
    wanted: dict[tuple[int, int], dict[int, list[Hostport]]] = {}
    for port in ports:
        wanted.setdefault((port.family, port.number), {}).setdefault(port.port, []).append(port)
    for (family, protocol), by_number in wanted.items():
        numbers = list(by_number) if len(by_number) <= _FEW else [0]
        flows = [flow for number in numbers for flow in flows_to(host, family, protocol, number)]
        forget(host, [flow for flow in flows if flow.port in by_number and unwanted(flow, by_number[flow.port])])


def _is_former(flow: Flow, ports: list[Hostport], nodes: set[bytes]) -> bool:
    if not flow.redirected and flow.protocol != UDP:
        return False
    meant = {port.target.packed for port in ports if _is_sent_to(flow, port, nodes)}
    return bool(meant) and flow.answers not in meant


def _is_sent_to(flow: Flow, port: Hostport, nodes: set[bytes]) -> bool:
    if not port.everywhere:
        return flow.destination == port.address.packed
    return flow.destination in nodes or (port.family == 4 and flow.destination[:1] == b"\x7f")
