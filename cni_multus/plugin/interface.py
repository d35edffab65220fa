"""A plugin that makes an interface: the order of the steps, the roll-back and the conversation with IPAM, once."""

from __future__ import annotations

from cni_multus.cni.errors import CheckFailed, CniError, IncompatibleVersion, InvalidEnvironment, InvalidNetworkConfig
from cni_multus.cni.result import Dns, Result
from cni_multus.cni.verbs import Plugin
from cni_multus.cni.versions import family
from cni_multus.delegate import Program, find
from cni_multus.linux.links import find_link, remove_link
from cni_multus.linux.netns import Namespace
from cni_multus.undo import Undo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Generic, TypeVar

    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Interface, IpConfig
    from cni_multus.linux.links import Link
    from cni_multus.linux.routes import Route

    C = TypeVar("C")

    class _Of(Plugin, Generic[C]): ...
else:

    class _Of(Plugin):
        def __class_getitem__(cls, config):
            return cls


class Attached:
    """What `attach` made: the result's interfaces, which of them (`at`) is the container's, and the link itself.

    `routes`, where given, stand in the place of those that the kernel makes to the addresses' networks.
    """

    __slots__ = ("at", "dad", "interfaces", "link", "routes", "up")

    def __init__(
        self,
        interfaces: list[Interface],
        at: int,
        link: Link,
        *,
        up: bool = True,
        dad: bool = False,
        routes: list[Route] | None = None,
    ) -> None:
        self.interfaces = interfaces
        self.at = at
        self.link = link
        self.up = up
        self.dad = dad
        self.routes = routes


class InterfacePlugin(_Of["C"]):
    """A plugin that makes CNI_IFNAME, with IPAM's addresses where `ipam` is configured."""

    kind = ""
    """The kernel's kind of the link in the container: DEL removes no other, and CHECK accepts any where it is ""."""

    def parse(self, request: Request) -> C:
        """Read the configuration; everything wrong with it is told here."""
        raise NotImplementedError

    def inherit(self, request: Request) -> Result:
        """What the interface gets where no `ipam` is configured: nothing."""
        return Result()

    def prepare(self, request: Request, config: C, host: Namespace, container: Namespace) -> None:
        """Refuse what the kernel's state refuses, before the first change."""

    def attach(
        self, request: Request, config: C, host: Namespace, container: Namespace, ipam: Result, undo: Undo
    ) -> Attached:
        """Make the link, down; each change pushes its reversal on `undo`."""
        raise NotImplementedError

    def settle(self, request: Request, config: C, host: Namespace, attached: Attached, ips: list[IpConfig]) -> None:
        """Wait until frames pass; called last, once the container's link is up and has its addresses."""

    def verify(self, request: Request, config: C, host: Namespace, container: Namespace, link: Link) -> list[str]:
        """CHECK: what is not as ADD left it, beyond the link's own attributes, addresses and routes."""
        return []

    def ready(self, request: Request, config: C, host: Namespace) -> None:
        """STATUS: raise NotAvailable where an ADD would fail."""

    def detach(self, container: Namespace, link: Link) -> None:
        """DEL: remove the container's link."""
        remove_link(container, link.index)

    def remove_stranded(self, request: Request, host: Namespace) -> None:
        """DEL without the container's namespace: remove what the attachment still has on the node."""

    def clear(self, request: Request) -> None:
        """DEL: remove what the attachment has on the node beside its links, such as rules, before its addresses go."""

    def add(self, request: Request) -> Result:
        from cni_multus.interface import announce, configure  # no other verb needs them

        config = self.parse(request)
        dns = request.config.section("dns")
        own_dns = Dns.parse(dns) if dns.raw else None
        ipam = find_ipam(request)
        inherited = Result() if ipam else self.inherit(request)
        if not (ipam or inherited.ips) and family(request.version) == 2:
            raise IncompatibleVersion(
                f"cniVersion {request.version} cannot tell a result without addresses, and there is no ipam: "
                "no valid IP addresses"
            )
        with Namespace.open(request.netns) as container, Namespace.host() as host, Undo() as undo:
            if find_link(container, request.ifname) is not None:
                raise InvalidEnvironment(
                    f"CNI_IFNAME {request.ifname} is taken: {request.netns} has an interface of that name"
                )
            self.prepare(request, config, host, container)
            given = _reserve(ipam, request, undo) if ipam else inherited
            attached = self.attach(request, config, host, container, given, undo)
            for ip in given.ips:
                ip.interface = attached.at
            result = Result(attached.interfaces, given.ips, given.routes, dns=own_dns or given.dns)
            result.unknown = inherited.unknown
            if attached.up:
                result.routes = configure(
                    container, attached.link, given.ips, given.routes, dad=attached.dad, own=attached.routes
                )
                self.settle(request, config, host, attached, given.ips)
                if given.ips:
                    announce(container, attached.link)
            undo.keep()
        return result

    def delete(self, request: Request) -> None:
        # An address must outlive its link: it is not released while something still answers to it.
        container = Namespace.find(request.netns)
        if container is None:
            with Namespace.host() as host:
                self.remove_stranded(request, host)
        else:
            with container:
                link = find_link(container, request.ifname)
                # An interface of another kind is somebody else's.
                if link is not None and link.kind == self.kind:
                    self.detach(container, link)
        self.clear(request)
        release_addresses(request)

    def check(self, request: Request) -> None:
        from cni_multus.differences import differences, link_differences, other_links

        config = self.parse(request)
        previous = request.previous
        if previous is None:
            raise InvalidNetworkConfig("prevResult: CHECK needs what ADD returned")
        found = previous.of_interface(request.ifname, request.netns)
        if found is None:
            raise CheckFailed(f"prevResult has no interface {request.ifname} in {request.netns}")
        at, interface = found
        with Namespace.open(request.netns) as container, Namespace.host() as host:
            link = find_link(container, request.ifname)
            if link is None:
                raise CheckFailed(f"{request.ifname} is gone from {request.netns}")
            wrong = link_differences(link, interface, self.kind)
            ips = [ip for ip in previous.ips if ip.interface in (None, at)]
            wrong += differences(container, link, ips, previous.routes, other_links(container, request))
            wrong += self.verify(request, config, host, container, link)
        if wrong:
            raise CheckFailed(f"{request.ifname} is not as it was attached: {'; '.join(wrong)}")
        ipam = find_ipam(request)
        if ipam:
            request.measure(ipam.check, request)

    def status(self, request: Request) -> None:
        config = self.parse(request)
        with Namespace.host() as host:
            self.ready(request, config, host)
        ipam = find_ipam(request)
        if ipam:
            ipam.status(request)

    def collect_garbage(self, request: Request) -> None:
        ipam = find_ipam(request)
        if ipam:
            ipam.collect_garbage(request)


def require_ipam(request: Request) -> None:
    """Refuse a configuration without `ipam`, for a plugin whose interface would be of no use then."""
    ipam = request.config.section("ipam")
    if not ipam.text("type"):
        raise ipam.wrong("type", "it is missing, and this plugin makes no interface without addresses")


def _ipam_type(request: Request) -> tuple[str, tuple[str, ...], str]:
    return request.config.section("ipam").text("type"), request.path, "ipam.type"


def find_ipam(request: Request) -> Plugin | None:
    """The plugin that gives the addresses, None where none is configured; raises for one that gives none."""
    ipam = request.config.section("ipam")
    if not ipam.text("type"):
        return None
    found = find(*_ipam_type(request))
    if not found.gives_addresses:
        raise ipam.wrong("type", f"the plugin {ipam.text('type')!r} gives no addresses")
    return found


def release_addresses(request: Request) -> None:
    """DEL: what IPAM gave the attachment is given back; a plugin that gives no addresses never gave any."""
    if request.config.section("ipam").text("type"):
        ipam = find(*_ipam_type(request))
        if ipam.gives_addresses:
            request.measure(ipam.delete, request)


def _reserve(ipam: Plugin, request: Request, undo: Undo) -> Result:
    try:
        given = request.measure(ipam.add, request)
    except (CniError, OSError):
        if isinstance(ipam, Program):  # the specification: a failed ADD is followed by a DEL
            _forgive(ipam, request)
        raise
    undo.callback(ipam.delete, request)
    if not given.ips:
        raise InvalidNetworkConfig("ipam: it returned no addresses")
    for at, ip in enumerate(given.ips):
        _refuse_address(ip, given.ips[:at], request.version)
    return given


def _refuse_address(ip: IpConfig, earlier: list[IpConfig], version: str) -> None:
    if ip.address.prefix == 0:
        raise InvalidNetworkConfig(f"ipam: it returned {ip.address}, a network that is everything")
    if ip.gateway is not None and ip.gateway.family != ip.address.family:
        raise InvalidNetworkConfig(f"ipam: it returned {ip.address} with the gateway {ip.gateway} of the other family")
    if any(ip.address.ip == other.address.ip for other in earlier):
        raise InvalidNetworkConfig(f"ipam: it returned {ip.address.ip} twice")
    if family(version) == 2 and any(ip.address.family == other.address.family for other in earlier):
        raise InvalidNetworkConfig(
            f"ipam: it returned several IPv{ip.address.family} addresses, and cniVersion {version} "
            "does not support more than 1 address per family"
        )


def _forgive(ipam: Plugin, request: Request) -> None:
    try:
        ipam.delete(request)
    except (CniError, OSError):
        return
