"""The keys of one element of an annotation that is JSON: each read, and held against what can be."""

from __future__ import annotations

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.selection.names import (
    wrong_with_device,
    wrong_with_interface,
    wrong_with_namespace,
    wrong_with_object_name,
)
from cni_multus.selection.selected import Selection
from cni_multus.selection.source import LONGEST_QUOTED, object_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.selection.positions import Step
    from cni_multus.selection.source import Object, Source

_LOOPBACK = Ip(6, 1)
_HEXADECIMAL = frozenset("0123456789abcdef")

PROTOCOLS = ("tcp", "udp", "sctp")
DEEPEST_ARGUMENTS = 64
"""Levels of cni-args: they become a part of configurations and records, which have more around them."""

_HIGHEST_RATE = (1 << 63) - 1
_LONGEST_BURST = 8 * 0xFFFFFFFF - 1
"""Bits; the kernel counts 32 bits of bytes."""


def parse_element(value: object, source: Source, at: int, namespace: str) -> Selection:
    """The element number `at`, from 0; `namespace` counts where it says none."""
    element = object_at(value, source, (at,))
    name, said = _name(element)
    ifname_key = "interface" if element.text("interface") else "interfaceRequest"
    ifname = _checked(element, ifname_key, wrong_with_interface)
    selection = Selection(
        name, said or namespace, lambda: source.where((at,)), said_namespace=bool(said), ifname=ifname
    )
    selection.ips = _ips(element)
    selection.mac = element.mac("mac")
    selection.infiniband_guid = _guid(element)
    selection.port_mappings = _port_mappings(element)
    selection.bandwidth = _bandwidth(element)
    selection.cni_args = _arguments(element)
    selection.device_id = _checked(element, "deviceID", wrong_with_device)
    selection.ipam_claim = _checked(element, "ipam-claim-reference", wrong_with_object_name)
    selection.default_route = _gateways(element)
    return selection


def _name(element: Object) -> tuple[str, str]:
    """The name, and the namespace that is said, in its own key or before a slash."""
    before, slash, name = element.text("name").rpartition("/")
    said = _checked(element, "namespace", wrong_with_namespace)
    if not name:
        raise element.source.wrong(element.steps, 'the name is missing: say which network, as in {"name": "macvlan-1"}')
    if "@" in name:
        raise element.wrong("name", f"{name!r}: the name of the interface stands in a key of its own, interface")
    if why := wrong_with_object_name(name):
        raise element.wrong("name", why)
    if slash and (why := wrong_with_namespace(before)):
        raise element.wrong("name", f"the namespace before the '/': {why}")
    if slash and said and before != said:
        raise element.wrong("namespace", f"{said!r} is not the namespace that the name says, {before!r}")
    return name, said or before


def _checked(element: Object, key: str, wrong_with: Callable[[str], str]) -> str:
    text = element.text(key)
    if text and (why := wrong_with(text)):
        raise element.wrong(key, why if repr(text) in why else f"{text!r}: {why}")
    return text


def _ips(element: Object) -> tuple[str, ...]:
    found: dict[Ip, str] = {}
    for at, text in enumerate(element.texts("ips")):
        steps = (*element.steps, "ips", at)
        try:
            address = Cidr.parse(text) if "/" in text else Ip.parse(text)
        except ValueError as error:
            raise element.source.wrong(steps, f"{error}; write 10.1.2.3/24, or 10.1.2.3") from None
        ip = address.ip if isinstance(address, Cidr) else address
        if why := _wrong_with_host(ip):
            raise element.source.wrong(steps, why)
        if ip in found:
            raise element.source.wrong(steps, f"{ip} stands in the list already")
        found[ip] = str(address)
    return tuple(found.values())


def _gateways(element: Object) -> tuple[Ip, ...]:
    found: dict[int, Ip] = {}
    for at, text in enumerate(element.texts("default-route")):
        steps = (*element.steps, "default-route", at)
        try:
            gateway = Ip.parse(text)
        except ValueError as error:
            raise element.source.wrong(steps, f"{error}; write a gateway's, as in 10.1.2.1") from None
        if why := _wrong_with_host(gateway):
            raise element.source.wrong(steps, why)
        if gateway.family in found:
            family = f"IPv{gateway.family}"
            raise element.source.wrong(
                steps, f"{found[gateway.family]} is a gateway of {family} already: one of a family"
            )
        found[gateway.family] = gateway
    return tuple(found.values())


def _wrong_with_host(ip: Ip) -> str:
    first = ip.packed[0]
    if not ip.number:
        return f"{ip} is no host's address"
    if first == 0xFF or (ip.family == 4 and first >= 224):
        return f"{ip} is a multicast or reserved address"
    if ip == _LOOPBACK or (ip.family == 4 and first == 127):
        return f"{ip} is a loopback address"
    return ""


def _guid(element: Object) -> str:
    text = element.text("infiniband-guid")
    if not text:
        return ""
    digits = ""
    for separator, width in ((":", 2), ("-", 2), (".", 4)):
        groups = text.lower().split(separator)
        if [len(group) for group in groups] == [width] * (16 // width):
            digits = "".join(groups)
    if not digits or not _HEXADECIMAL.issuperset(digits):
        raise element.wrong("infiniband-guid", f"{text!r} is not a GUID of 8 bytes (as in 02:00:00:00:00:00:00:01)")
    if digits in ("0" * 16, "f" * 16):
        raise element.wrong("infiniband-guid", f"{text!r} is a GUID that no port can have")
    return ":".join(digits[at : at + 2] for at in range(0, 16, 2))


def _port_mappings(element: Object) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    taken = set()
    for entry in element.objects("portMappings"):
        if not entry.has("containerPort"):
            raise element.source.wrong(entry.steps, "containerPort is missing")
        mapping: dict[str, object] = {
            "hostPort": entry.number("hostPort", high=65535),
            "containerPort": entry.number("containerPort", low=1, high=65535),
            "protocol": entry.text("protocol").lower() or "tcp",
        }
        if mapping["protocol"] not in PROTOCOLS:
            raise entry.wrong("protocol", f"{entry.text('protocol')!r} is not one of {', '.join(PROTOCOLS)}")
        if host := entry.ip("hostIP"):
            mapping["hostIP"] = str(host)
        place = mapping["protocol"], mapping.get("hostIP"), mapping["hostPort"]
        if not mapping["hostPort"]:
            continue
        if place in taken:
            raise entry.wrong("hostPort", f"{mapping['hostPort']}/{mapping['protocol']} is mapped already")
        taken.add(place)
        found.append(mapping)
    return found


def _bandwidth(element: Object) -> dict[str, int]:
    entry = element.section("bandwidth")
    found: dict[str, int] = {}
    for way in ("ingress", "egress"):
        of_rate, of_burst = way + "Rate", way + "Burst"
        rate, burst = entry.number(of_rate, high=_HIGHEST_RATE), entry.number(of_burst, high=_LONGEST_BURST)
        if bool(rate) != bool(burst):
            there, missing, value = (of_rate, of_burst, rate) if rate else (of_burst, of_rate, burst)
            raise entry.wrong(there, f"{value} bits without {missing}, which must be given too")
        if not rate:
            continue
        if rate < 8 or burst < 8:
            raise entry.wrong(of_rate if rate < 8 else of_burst, "it is less than 8 bits, and the kernel counts bytes")
        found[of_rate], found[of_burst] = rate, burst
    return found


def _arguments(element: Object) -> dict[str, object]:
    section = element.section("cni-args")
    level: list[tuple[tuple[Step, ...], object]] = [(section.steps, section.raw)]
    for _ in range(DEEPEST_ARGUMENTS):
        level = [inner for steps, value in level for inner in _inside(steps, value)]
        for steps, value in level:
            for text in (steps[-1], value):
                if isinstance(text, str) and _is_unfit(text):
                    why = f"a NUL character, or half of a surrogate pair, in {text[:LONGEST_QUOTED]!r}"
                    raise element.source.wrong(steps, why)
        if not level:
            return section.raw
    raise element.wrong("cni-args", f"it is nested deeper than {DEEPEST_ARGUMENTS} levels")


def _inside(steps: tuple[Step, ...], value: object) -> list[tuple[tuple[Step, ...], object]]:
    if isinstance(value, dict):
        return [((*steps, key), member) for key, member in value.items()]
    return [((*steps, at), member) for at, member in enumerate(value)] if isinstance(value, list) else []


def _is_unfit(text: str) -> bool:
    return "\0" in text or (not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text))
