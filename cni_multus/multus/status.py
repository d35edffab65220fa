"""What the annotation `k8s.v1.cni.cncf.io/network-status` says of an attachment.

The shape is that of the NPWG's multi-network standard (v1.3, section 4.1): one entry for every interface in a
sandbox, at least one for every attachment; addresses without prefix length; `dns` always there.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.result import Interface, Result
    from cni_multus.multus.seen import Seen, SeenInterface

# What Go's encoding/json escapes in a string.
_ESCAPES: dict[int, str] = {code: f"\\u{code:04x}" for code in (*range(0x20), *map(ord, "<>&\u2028\u2029"))}
_ESCAPES.update(
    {
        ord(plain): escape
        for plain, escape in zip('\b\f\n\r\t"\\', ("\\b", "\\f", "\\n", "\\r", "\\t", '\\"', "\\\\"), strict=True)
    }
)


def entries(
    name: str,
    result: Result,
    ifname: str,
    *,
    primary: bool,
    seen: Seen | None = None,
    device_info: dict[str, object] | None = None,
) -> list[dict[str, object]]:
    """The entries of one attachment; those of the `primary` one say which interface is the pod's default.

    What is `seen` of an interface goes before what the result says of it.
    """
    places = _places(result, ifname, seen)
    default = _default(result, places) if primary else None
    last = places[-1]
    return [_entry(name, result, place, place is default, place is last, device_info) for place in places]


def render(entries: list[dict[str, object]]) -> str:
    """The annotation's text, as the Go Multus lays it out and Go escapes it."""
    return "[" + ",".join([_text(entry, "\n") for entry in entries]) + "]"


class _Place:
    """An interface that has an entry: where it stands in the result (`ats`), as told there, and as seen."""

    __slots__ = ("ats", "name", "seen", "told")

    def __init__(self, name: str, told: Interface | None, seen: SeenInterface | None, ats: list[int]) -> None:
        self.name = name
        self.told = told
        self.seen = seen
        self.ats = ats


def _places(result: Result, ifname: str, seen: Seen | None) -> list[_Place]:
    """The interfaces in a sandbox, each once; else the one that was asked for."""
    places: dict[str, _Place] = {}
    for at, interface in enumerate(result.interfaces):
        if not interface.sandbox:
            continue
        if interface.name in places:
            places[interface.name].ats.append(at)
        else:
            found = seen.find(interface.name, interface.sandbox) if seen else None
            places[interface.name] = _Place(interface.name, interface, found, [at])
    if places:
        return list(places.values())
    ats = list(range(len(result.interfaces)))
    found = seen.find(ifname) if seen else None
    if found is None and len(ats) == 1:
        only = result.interfaces[0]
        return [_Place(only.name, only, seen.find(only.name) if seen else None, ats)]
    return [_Place(ifname, None, found, ats)]


def _default(result: Result, places: list[_Place]) -> _Place:
    """The interface of the first address that has a gateway, else the first one."""
    for ip in result.ips:
        for place in places:
            if ip.gateway is not None and ip.interface in place.ats:
                return place
    return places[0]


def _addresses(result: Result, place: _Place, last: bool) -> list[str]:
    """The addresses of an interface; those that the result gives to none are told with the last one."""
    if place.seen is None:
        count = len(result.interfaces)
        told = [
            ip.address.ip
            for ip in result.ips
            if ip.interface in place.ats or (last and (ip.interface is None or ip.interface >= count))
        ]
    else:
        told = [ip.address.ip for ip in result.ips if ip.address.ip in place.seen.ips] + place.seen.reachable
    return [str(ip) for ip in dict.fromkeys(told)]


def _gateways(result: Result, place: _Place) -> list[str]:
    if place.seen is not None:
        return list(dict.fromkeys(place.seen.gateways))
    return [str(route.gw) for route in result.routes if route.is_default and route.gw is not None]


def _entry(
    name: str, result: Result, place: _Place, default: bool, last: bool, device_info: dict[str, object] | None
) -> dict[str, object]:
    about = place.seen or place.told
    entry: dict[str, object] = {"name": name, "interface": place.name}
    told: dict[str, object] = {
        "ips": _addresses(result, place, last),
        "mac": about.mac if about else "",
        "mtu": about.mtu if about else 0,
        "default": default,
        "dns": result.dns.to_json(),
        "device-info": device_info,
        "gateway": _gateways(result, place),
    }
    entry.update({key: value for key, value in told.items() if value or key == "dns"})
    return entry


def _text(value: object, newline: str) -> str:
    inner = newline + "    "
    if isinstance(value, dict) and value:
        members = [f"{_quoted(str(key))}: {_text(member, inner)}" for key, member in value.items()]
        return "{" + inner + f",{inner}".join(members) + newline + "}"
    if isinstance(value, (list, tuple)) and value:
        return "[" + inner + f",{inner}".join([_text(member, inner) for member in value]) + newline + "]"
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else repr(value) if isinstance(value, (int, float)) else _quoted(str(value))


def _quoted(text: str) -> str:
    quoted = text.translate(_ESCAPES)
    if not quoted.isascii():  # half a surrogate pair stands for a byte that is no UTF-8
        quoted = "".join(["\\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in quoted])
    return f'"{quoted}"'
