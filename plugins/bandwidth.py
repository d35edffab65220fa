"""bandwidth: limits for what an attachment sends and gets, on the node's end of its pair, else inside the container."""

from __future__ import annotations

from cni_multus.cni.errors import CheckFailed, InvalidEnvironment, InvalidNetworkConfig, NotAvailable
from cni_multus.cni.request import Attachment
from cni_multus.cni.result import Interface
from cni_multus.hashes import digest
from cni_multus.linux.links import find_link
from cni_multus.linux.netns import Namespace
from cni_multus.linux.nsid import find_host_end
from cni_multus.linux.shaping import release, remove_ifbs
from cni_multus.marks import group_of, label, labels_start
from cni_multus.plugin.chained import ChainedPlugin
from cni_multus.undo import Undo, do_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Result
    from cni_multus.linux.links import Link
    from cni_multus.linux.traffic import Limit

_KEYS = ("ingressRate", "ingressBurst", "egressRate", "egressBurst")
_HIGHEST = 0xFFFFFFFFFFFFFFFF
_LONGEST_BURST = 8 * 0xFFFFFFFF - 1
"""Bits; the kernel counts 32 bits of bytes."""


class BandwidthConfig:
    """The limits, as the container sees them: `ingress` is what it gets; None where there is none."""

    __slots__ = ("egress", "ingress", "section")

    def __init__(self, request: Request) -> None:
        config = request.config
        of_runtime = config.section("runtimeConfig").section("bandwidth")
        self.section = config if any(config.has(key) for key in _KEYS) else of_runtime
        self.ingress = _limit(self.section, "ingressRate", "ingressBurst")
        self.egress = _limit(self.section, "egressRate", "egressBurst")


class Place:
    """Where an attachment is limited: the namespace, the link there, and which way is out of it."""

    __slots__ = ("incoming", "keys", "link", "ns", "on_node", "outgoing")

    def __init__(self, config: BandwidthConfig, host: Namespace, container: Namespace, inner: Link) -> None:
        end = find_host_end(host, container, inner)
        self.on_node = end is not None
        self.ns = host if end is not None else container
        self.link = end if end is not None else inner
        # What the node's end sends is what the container gets.
        ways = (config.ingress, config.egress) if self.on_node else (config.egress, config.ingress)
        self.outgoing, self.incoming = ways
        names = ("ingressBurst", "egressBurst") if self.on_node else ("egressBurst", "ingressBurst")
        self.keys = tuple(config.section.where(name) for name in names)


class Bandwidth(ChainedPlugin):
    """See README.md for the keys."""

    def apply(self, request: Request, previous: Result) -> Result:
        config = BandwidthConfig(request)
        if config.ingress is None and config.egress is None:
            return previous
        with Namespace.open(request.netns) as container, Namespace.host() as host, Undo() as undo:
            place = Place(config, host, container, _inner(container, request))
            ifb = _limit_both(request, place, undo)
            undo.keep()
        if ifb is not None and place.on_node and all(each.name != ifb.name for each in previous.interfaces):
            previous.interfaces.append(Interface(ifb.name, ifb.mac))
        return previous

    def revert(self, request: Request) -> None:
        mark, name, legacy = label(request.attachment), _name(request), _name_of_reference(request)

        def on_node(host: Namespace) -> None:
            remove_ifbs(host, lambda ifb: mark == ifb.alias or _is(ifb, name) or _is(ifb, legacy))

        def inside(host: Namespace) -> None:
            container = Namespace.find(request.netns)
            if container is None:
                return
            with container:
                both: tuple[Callable[[], object], ...] = (
                    lambda: _release(host, container, request.ifname),
                    lambda: remove_ifbs(container, lambda ifb: mark == ifb.alias or _is(ifb, name)),
                )
                do_all(lambda step: step(), both)

        with Namespace.host() as host:
            do_all(lambda step: step(host), (inside, on_node))

    def check(self, request: Request) -> None:
        from cni_multus.linux.shaping import incoming_differences, outgoing_differences

        config = BandwidthConfig(request)
        if request.previous is None:
            raise InvalidNetworkConfig("prevResult: CHECK needs what ADD returned")
        with Namespace.open(request.netns) as container, Namespace.host() as host:
            inner = find_link(container, request.ifname)
            if inner is None:
                raise CheckFailed(f"{request.ifname} is gone from {request.netns}")
            place = Place(config, host, container, inner)
            wrong = outgoing_differences(place.ns, place.link, place.outgoing) if place.outgoing else []
            if place.incoming:
                names = [_name(request), _name_of_reference(request)]
                name = next((name for name in names if name and find_link(place.ns, name)), names[0])
                wrong += incoming_differences(place.ns, place.link, name, place.incoming)
        if wrong:
            raise CheckFailed(f"{request.ifname} is not limited as it was: {'; '.join(wrong)}")

    def status(self, request: Request) -> None:
        from cni_multus.linux.shapingsupport import why_not_supported

        BandwidthConfig(request)
        with Namespace.host() as host:
            if why := why_not_supported(host):
                raise NotAvailable(why)

    def collect_garbage(self, request: Request) -> None:
        valid = {label(Attachment(request.name, *attached)) for attached in request.valid_attachments()}
        start = labels_start(request.name)
        with Namespace.host() as host:
            remove_ifbs(host, lambda ifb: ifb.alias.startswith(start) and ifb.alias not in valid)


def _limit(section: Section, of_rate: str, of_burst: str) -> Limit | None:
    rate, burst = section.number(of_rate, high=_HIGHEST), section.number(of_burst, high=_HIGHEST)
    if burst > _LONGEST_BURST:
        raise section.wrong(of_burst, f"{burst} bits are more than 4 GB")
    if rate and not burst:
        raise section.wrong(of_burst, f"if rate is set, burst must also be set, and {of_rate} is {rate}")
    if burst and not rate:
        raise section.wrong(of_rate, f"if burst is set, rate must also be set, and {of_burst} is {burst}")
    if not rate:
        return None
    if rate < 8 or burst < 8:
        raise section.wrong(of_rate if rate < 8 else of_burst, "it is less than 8 bits, and the kernel counts bytes")
    from cni_multus.linux.traffic import Limit

    return Limit(rate // 8, burst // 8)


def _limit_both(request: Request, place: Place, undo: Undo) -> Link | None:
    """Both ways, all or nothing; the ifb, where there is one."""
    from cni_multus.linux.shaping import (
        ensure_ifb,
        limit_incoming,
        limit_outgoing,
        require_hook,
        require_packets,
        require_room,
    )

    for limit, key in zip((place.outgoing, place.incoming), place.keys, strict=True):
        if limit is not None:
            require_packets(place.link, limit, key)
    if place.outgoing is not None:
        require_room(place.ns, place.link)
    if place.incoming is not None:
        require_hook(place.ns, place.link)
    ifb = None
    if place.incoming is not None:
        # In the container it goes with the container's links; on the node it would take others with it.
        group = 0 if place.on_node else group_of(request.sandbox)
        mark = label(request.attachment)
        ifb = ensure_ifb(place.ns, _name(request), place.link.mtu, undo, alias=mark, group=group)
        limit_incoming(place.ns, place.link, ifb, place.incoming, undo)
    if place.outgoing is not None:
        limit_outgoing(place.ns, place.link, place.outgoing, undo)
    return ifb


def _inner(container: Namespace, request: Request) -> Link:
    inner = find_link(container, request.ifname)
    if inner is None:
        raise InvalidEnvironment(f"CNI_IFNAME: {request.netns} has no {request.ifname} that could be limited")
    return inner


def _release(host: Namespace, container: Namespace, ifname: str) -> None:
    inner = find_link(container, ifname)
    if inner is None:
        return
    release(container, inner)
    end = find_host_end(host, container, inner)
    if end is not None:
        release(host, end)


def _name(request: Request) -> str:
    return "bwp" + digest(f"{request.name}\0{request.container_id}\0{request.ifname}", 12)


def _name_of_reference(request: Request) -> str:
    """The ifb that the Go plugin would have made, "" where prevResult shows that it made none.

    Its name leaves the interface out, so it may belong to another attachment of the container.
    """
    name = "bwp" + digest(request.name + request.container_id, 12)
    told = request.previous.interfaces if request.previous else None
    return name if told is None or any(each.name == name and not each.sandbox for each in told) else ""


def _is(ifb: Link, name: str) -> bool:
    return ifb.name == name and not ifb.alias
