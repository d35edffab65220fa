"""What a pod's annotations ask for: read in both of their syntaxes, and validated as a whole before anything is done.

The syntaxes, and how they are told apart, are those of Multus. It knows neither pods nor networks.
"""

from __future__ import annotations

from cni_multus.cni.document import NotJson, name_of_type, parse
from cni_multus.cni.errors import DecodingFailure, InvalidNetworkConfig
from cni_multus.selection import DEFAULT_NETWORK, NETWORKS
from cni_multus.selection.names import wrong_with_interface, wrong_with_namespace, wrong_with_object_name
from cni_multus.selection.selected import Selection
from cni_multus.selection.source import LONGEST_QUOTED, Source

LARGEST = 256 << 10
"""Bytes: what the API server lets all annotations of an object have (TotalAnnotationSizeLimitB)."""

MOST = 256
"""Elements; every one is an interface."""


def parse_networks(text: str, namespace: str) -> list[Selection]:
    """What `k8s.v1.cni.cncf.io/networks` asks for, in order; `namespace` is the pod's."""
    found = _parse(NETWORKS, text, namespace)
    for selection in found:
        if selection.ipam_claim and selection.ips:
            raise InvalidNetworkConfig(
                f"{selection.where}: ips and ipam-claim-reference exclude each other: leave one out"
            )
    return found


def parse_default_network(text: str, namespace: str) -> Selection | None:
    """What `v1.multus-cni.io/default-network` asks for, None where nothing; `namespace` counts if it says none.

    Addresses may stand beside a claim here: KubeVirt and OVN-Kubernetes write both for a primary network.
    """
    found = _parse(DEFAULT_NETWORK, text, namespace)
    if len(found) > 1:
        raise InvalidNetworkConfig(
            f"{found[1].where}: {len(found)} networks are asked for, and one of them can be the default network"
        )
    return found[0] if found else None


def _parse(annotation: str, text: str, namespace: str) -> list[Selection]:
    if not text.strip():
        return []
    is_json = any(character in text for character in '[{"')
    source = Source(annotation, text, is_json=is_json)
    data = _encoded(source)
    found = _parse_json(source, data, namespace) if is_json else _parse_shorthand(source, namespace)
    _refuse_same_interfaces(found)
    return found


def _encoded(source: Source) -> bytes:
    try:
        data = source.text.encode()
    except UnicodeEncodeError as error:
        from cni_multus.selection.positions import line_and_column

        place = line_and_column(source.text, error.start)
        raise DecodingFailure(f"{source.name()} is not UTF-8: {place}: half of a surrogate pair") from None
    if len(data) > LARGEST:
        raise DecodingFailure(f"{source.name()} has {len(data)} bytes, more than {LARGEST >> 10} KiB")
    return data


def _parse_json(source: Source, data: bytes, namespace: str) -> list[Selection]:
    from cni_multus.selection.elements import parse_element

    try:
        value = parse(data, source.name())
    except NotJson:
        from cni_multus.selection.broken import parse_mended

        value = parse_mended(source)
    if not isinstance(value, list):
        raise DecodingFailure(
            f"{source.where()} must be a list of objects, and is {name_of_type(value)}: "
            'write [{"name": "network-1"}, {"name": "network-2"}], or network-1,network-2'
        )
    _refuse_too_many(source, len(value))
    return [parse_element(each, source, at, namespace) for at, each in enumerate(value)]


def _parse_shorthand(source: Source, namespace: str) -> list[Selection]:
    items = source.text.split(",")
    if not items[-1].strip():
        items.pop()
    _refuse_too_many(source, len(items))
    return [_parse_item(source, at, item.strip(), namespace) for at, item in enumerate(items)]


def _parse_item(source: Source, at: int, item: str, namespace: str) -> Selection:
    """`[namespace/]name[@interface]`."""

    def place() -> str:
        return source.where((at,))

    said, slash, rest = item.rpartition("/")
    name, _, ifname = rest.partition("@")
    said, name, ifname = said.strip(), name.strip(), ifname.strip()
    if "/" in said or "@" in said or "@" in ifname:
        raise DecodingFailure(f"{place()}: {item[:LONGEST_QUOTED]!r} is not [namespace/]name[@interface]")
    if not name:
        what = f"{item[:LONGEST_QUOTED]!r} names no network" if item else "it is empty"
        raise DecodingFailure(f"{place()}: {what}: write [namespace/]name[@interface]")
    if slash and said and (why := wrong_with_namespace(said)):
        raise InvalidNetworkConfig(f"{place()}: the namespace {said[:LONGEST_QUOTED]!r}: {why}")
    if why := wrong_with_object_name(name):
        raise InvalidNetworkConfig(f"{place()}: {why}")
    if ifname and (why := wrong_with_interface(ifname)):
        raise InvalidNetworkConfig(f"{place()}: {ifname[:LONGEST_QUOTED]!r} cannot name an interface: {why}")
    return Selection(name, said or namespace, place, said_namespace=bool(said), ifname=ifname)


def _refuse_too_many(source: Source, count: int) -> None:
    if count > MOST:
        raise source.wrong((MOST,), f"there are {count} elements, more than {MOST}")


def _refuse_same_interfaces(selections: list[Selection]) -> None:
    taken: dict[str, int] = {}
    for number, selection in enumerate(selections, 1):
        if selection.ifname in taken:
            raise InvalidNetworkConfig(
                f"{selection.where}: the interface is to be called {selection.ifname!r}, and so is that of element "
                f"{taken[selection.ifname]}: each needs a name of its own"
            )
        if selection.ifname:
            taken[selection.ifname] = number
