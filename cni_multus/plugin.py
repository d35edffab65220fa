"""What a plugin is: those that make an interface, those that change one, those that give addresses.

The order of the steps, the roll-back and the conversation with IPAM live here, once.
"""

from __future__ import annotations

from cni_multus.cni.errors import CheckFailed, CniError, InvalidEnvironment, InvalidNetworkConfig, NetlinkFailure
from cni_multus.cni.result import Dns, Interface, Result
from cni_multus.cni.verbs import Plugin
from cni_multus.delegate import Program, find
from cni_multus.interface import configure, differences
from cni_multus.linux.announce import announce
from cni_multus.linux.links import find_link, remove_link
from cni_multus.linux.netns import Namespace
from cni_multus.undo import Undo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Generic, TypeVar

    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request
    from cni_multus.linux.links import Link

    C = TypeVar("C")

    class _Of(Plugin, Generic[C]): ...
else:

    class _Of(Plugin):
        def __class_getitem__(cls, config):
            return cls


class Attached:
    """What `attach` made: the result's interfaces, which of them (`at`) is the container's, and the link itself."""

    __slots__ = ("at", "dad", "interfaces", "link", "up")

    def __init__(
        self, interfaces: list[Interface], at: int, link: Link, *, up: bool = True, dad: bool = False
    ) -> None:
        self.interfaces = interfaces
        self.at = at
        self.link = link
        self.up = up
        self.dad = dad


class InterfacePlugin(_Of["C"]):
    """A plugin that makes CNI_IFNAME, with IPAM's addresses where `ipam` is configured."""

    kind = ""
    """The kernel's kind of the link in the container: DEL removes no other."""

    def parse(self, request: Request) -> C:
        """Read the configuration; everything wrong with it is told here."""
        raise NotImplementedError

    def prepare(self, request: Request, config: C, host: Namespace, container: Namespace) -> None:
        """Refuse what the kernel's state refuses, before the first change."""

    def attach(
        self, request: Request, config: C, host: Namespace, container: Namespace, ipam: Result, undo: Undo
    ) -> Attached:
        """Make the link, down; each change pushes its reversal on `undo`."""
        raise NotImplementedError

    def settle(self, request: Request, config: C, host: Namespace, attached: Attached) -> None:
        """Wait until frames pass; called once the container's link is up."""

    def verify(self, request: Request, config: C, host: Namespace, container: Namespace, link: Link) -> list[str]:
        """CHECK: what is not as ADD left it, beyond the link's own attributes, addresses and routes."""
        return []

    def ready(self, request: Request, config: C, host: Namespace) -> None:
        """STATUS: raise NotAvailable where an ADD would fail."""

    def add(self, request: Request) -> Result:
        config = self.parse(request)
        ipam = _find_ipam(request)
        with Namespace.open(request.netns) as container, Namespace.host() as host, Undo() as undo:
            if find_link(container, request.ifname) is not None:
                raise InvalidEnvironment(f"CNI_IFNAME {request.ifname} is taken: {request.netns} has an interface of that name")
            self.prepare(request, config, host, container)
            given = _reserve(ipam, request, undo) if ipam else Result()
            attached = self.attach(request, config, host, container, given, undo)
            result = self._configure(request, container, given, attached)
            if attached.up:
                self.settle(request, config, host, attached)
                if result.ips:
                    announce(container, attached.link)
            undo.keep()
        return result

    def delete(self, request: Request) -> None:
        # An address must outlive its link: it is not released while something still answers to it.
        container = Namespace.find(request.netns)
        if container is not None:
            with container:
                self.remove(request, container)
        if request.config.section("ipam").text("type"):
            find(*_ipam_type(request)).delete(request)

    def remove(self, request: Request, container: Namespace) -> None:
        """Take CNI_IFNAME away if it is of our kind; an interface of another kind is somebody else's."""
        link = find_link(container, request.ifname)
        if link is not None and link.kind == self.kind:
            remove_link(container, link.index)

    def check(self, request: Request) -> None:
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
            wrong = _link_differences(link, interface, self.kind)
            ips = [ip for ip in previous.ips if ip.interface in (None, at)]
            wrong += differences(container, link, ips, previous.routes)
            wrong += self.verify(request, config, host, container, link)
        if wrong:
            raise CheckFailed(f"{request.ifname} is not as it was attached: {wrong[0]}", "; ".join(wrong))
        ipam = _find_ipam(request)
        if ipam:
            ipam.check(request)

    def status(self, request: Request) -> None:
        config = self.parse(request)
        with Namespace.host() as host:
            self.ready(request, config, host)
        ipam = _find_ipam(request)
        if ipam:
            ipam.status(request)

    def collect_garbage(self, request: Request) -> None:
        ipam = _find_ipam(request)
        if ipam:
            ipam.collect_garbage(request)

    def _configure(self, request: Request, container: Namespace, given: Result, attached: Attached) -> Result:
        for ip in given.ips:
            ip.interface = attached.at
        made = configure(container, attached.link, given.ips, given.routes, dad=attached.dad) if attached.up else []
        dns = Dns.parse(request.config.section("dns")) if request.config.section("dns").raw else given.dns
        return Result(attached.interfaces, given.ips, made, dns)


class ChainedPlugin(Plugin):
    """A plugin that changes what an earlier one of the list made: sbr, tuning, portmap."""

    def add(self, request: Request) -> Result:
        if request.previous is None:
            raise InvalidNetworkConfig("prevResult: this plugin must follow another one in a list")
        return self.apply(request, request.previous)

    def delete(self, request: Request) -> None:
        self.revert(request)

    def apply(self, request: Request, previous: Result) -> Result:
        """Change the attachment, and return its result as it is then."""
        raise NotImplementedError

    def revert(self, request: Request) -> None:
        """Take it back, with or without namespace and prevResult."""
        raise NotImplementedError


class IpamPlugin(Plugin):
    """A plugin that gives addresses; it sees no namespace."""

    def add(self, request: Request) -> Result:
        return self.reserve(request, request.config.section("ipam"))

    def delete(self, request: Request) -> None:
        self.release(request, request.config.section("ipam"))

    def check(self, request: Request) -> None:
        self.verify(request, request.config.section("ipam"))

    def reserve(self, request: Request, ipam: Section) -> Result:
        """Reserve, all addresses or none."""
        raise NotImplementedError

    def release(self, request: Request, ipam: Section) -> None:
        """Give back what the attachment has; succeeds where it has nothing."""
        raise NotImplementedError

    def verify(self, request: Request, ipam: Section) -> None:
        """Raise CheckFailed where `request.previous` has an address that is not reserved for the attachment."""
        raise NotImplementedError


def requested_mac(request: Request) -> str:
    """The MAC that somebody asked for: runtimeConfig, then args.cni, then CNI_ARGS, then the configuration; "" if none."""
    config = request.config
    for section in (config.section("runtimeConfig"), config.section("args").section("cni")):
        if mac := section.mac("mac"):
            return mac
    if argument := request.arguments.get("MAC"):
        from cni_multus.cni.config import Section

        return Section({"MAC": argument}, "CNI_ARGS").mac("MAC")
    return config.mac("mac")


def _ipam_type(request: Request) -> tuple[str, tuple[str, ...], str]:
    return request.config.section("ipam").text("type"), request.path, "ipam.type"


def _find_ipam(request: Request) -> Plugin | None:
    return find(*_ipam_type(request)) if request.config.section("ipam").text("type") else None


def _reserve(ipam: Plugin, request: Request, undo: Undo) -> Result:
    try:
        given = ipam.add(request)
    except CniError:
        if isinstance(ipam, Program):  # the specification: a failed ADD is followed by a DEL
            _forgive(ipam, request)
        raise
    undo.callback(ipam.delete, request)
    if not given.ips:
        raise InvalidNetworkConfig("ipam: it returned no addresses")
    return given


def _forgive(ipam: Plugin, request: Request) -> None:
    try:
        ipam.delete(request)
    except CniError:
        return


def _link_differences(link: Link, interface: Interface, kind: str) -> list[str]:
    wrong = []
    if link.kind != kind:
        wrong.append(f"it is a {link.kind or 'device'}, not a {kind}")
    if interface.mac and link.mac != interface.mac.lower():
        wrong.append(f"its MAC is {link.mac}, not {interface.mac.lower()}")
    if interface.mtu and link.mtu != interface.mtu:
        wrong.append(f"its MTU is {link.mtu}, not {interface.mtu}")
    return wrong


def refusal(where: str, why: str, error: NetlinkFailure) -> InvalidNetworkConfig:
    """What the kernel refused, told as a mistake in the configuration at `where`."""
    return InvalidNetworkConfig(f"{where}: {why}", error.details)
