"""tuning: kernel settings of the pod, and attributes of an interface that an earlier plugin of the list made."""

from __future__ import annotations

from cni_multus.cni.config import Section
from cni_multus.cni.errors import (
    CheckFailed,
    DecodingFailure,
    InvalidEnvironment,
    InvalidNetworkConfig,
    NotAvailable,
)
from cni_multus.linux import sysctl
from cni_multus.linux.attributes import Attributes, attribute_differences, change, those_of
from cni_multus.linux.links import find_link
from cni_multus.linux.netns import Namespace
from cni_multus.plugin.chained import ChainedPlugin
from cni_multus.state.backups import Backups
from cni_multus.state.datadir import data_dir_if_any, parse_data_dir
from cni_multus.state.files import is_directory
from cni_multus.undo import Undo, do_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Result
    from cni_multus.linux.links import Link
    from cni_multus.linux.settings import Setting

DATA_DIR = "/run/cni/tuning"
ALLOW_LIST = "/etc/cni/tuning/allowlist.conf"

_ADVERTISED = ("accept_ra", "autoconf", "disable_ipv6")
_IPV6_MTU = 1280


class TuningConfig:
    """The keys of a tuning configuration; what args.cni asks for comes before what stands in the configuration."""

    __slots__ = ("attributes", "data_dir", "settings")

    def __init__(self, request: Request) -> None:
        from cni_multus.linux.settings import parse_settings

        config = request.config
        cni = config.section("args").section("cni")
        self.attributes = _attributes(request, cni)
        self.settings = parse_settings(config.section("sysctl"), cni.section("sysctl"), request.ifname or "IFNAME")
        self.data_dir = parse_data_dir(config, DATA_DIR)


class Tuning(ChainedPlugin):
    """See README.md for the keys; DEL puts back what is still there."""

    def __init__(self, allow_list: str = ALLOW_LIST) -> None:
        self.allow_list = allow_list

    def apply(self, request: Request, previous: Result) -> Result:
        from cni_multus.linux.settings import found_values

        config = self._parse(request)
        with Namespace.open(request.netns) as container, Namespace.host() as host, Undo() as undo:
            link = find_link(container, request.ifname)
            if link is None and config.attributes:
                raise InvalidEnvironment(f"CNI_IFNAME: {request.netns} has no {request.ifname} that could be changed")
            _refuse_mtu(request, config.attributes.mtu, previous)
            values = found_values(container, config.settings)
            was = those_of(link, config.attributes) if link else Attributes()
            _remember(Backups(config.data_dir), request, container, was, values, undo)
            for setting in config.settings:
                if setting.name in values:
                    undo.callback(sysctl.write, container, setting.name, values[setting.name])
                sysctl.write(container, setting.name, setting.value)
            if link:
                undo.callback(change, container, link, was)
                if config.attributes.mac:
                    from cni_multus.bridging.spoofing import follow

                    follow(host, container, link, config.attributes.mac, undo)  # first: a new MAC is announced at once
                change(container, link, config.attributes)
                _tell(request, config.attributes, container, previous)
                _forget_advertised(config.settings, container, link)
            undo.keep()
        return previous

    def revert(self, request: Request) -> None:
        directory = data_dir_if_any(request.config, DATA_DIR)
        if not is_directory(directory):
            return
        backups = Backups(directory)
        document = backups.read(request.attachment)
        if document is not None and document.get("network", request.name) != request.name:
            return
        container = Namespace.find(request.netns)
        if document is not None and container is not None:
            with container:
                try:
                    _restore(container, request.ifname, Section(document))
                except (DecodingFailure, InvalidNetworkConfig):
                    pass  # what cannot be read cannot be put back, and must not keep the pod
        backups.remove(request.attachment)

    def check(self, request: Request) -> None:
        from cni_multus.linux.settings import setting_differences

        config = TuningConfig(request)
        if request.previous is None:
            raise InvalidNetworkConfig("prevResult: CHECK needs what ADD returned")
        with Namespace.open(request.netns) as container:
            wrong = setting_differences(container, config.settings)
            link = find_link(container, request.ifname)
            if link is not None:
                wrong += attribute_differences(link, config.attributes)
            elif config.attributes:
                wrong.append("it is gone")
        if wrong:
            raise CheckFailed(f"{request.ifname} is not as it was tuned: {'; '.join(wrong)}")

    def status(self, request: Request) -> None:
        from cni_multus.state.readiness import why_not_writable

        config = self._parse(request)
        if why := why_not_writable(config.data_dir):
            raise NotAvailable(f"dataDir: {why}")

    def collect_garbage(self, request: Request) -> None:
        backups = Backups(data_dir_if_any(request.config, DATA_DIR))
        # The settings went with the namespaces.
        backups.collect(request.name, request.valid_attachments(), lambda *_: None)

    def _parse(self, request: Request) -> TuningConfig:
        config = TuningConfig(request)
        if config.settings:
            from cni_multus.state.allowlist import first_not_allowed

            key = first_not_allowed(self.allow_list, [setting.key for setting in config.settings])
            if key is not None:
                raise InvalidNetworkConfig(f"sysctl.{key}: not allowed: no line of {self.allow_list} matches it")
        return config


def _attributes(request: Request, cni: Section) -> Attributes:
    wanted, asked = Attributes.parse(request.config), Attributes.parse(cni)
    argument = Section({"MAC": request.arguments.get("MAC")}, "CNI_ARGS")
    wanted.mac = request.config.section("runtimeConfig").mac("mac") or argument.mac("MAC") or wanted.mac
    if cni.has("mac"):
        wanted.mac = asked.mac
    if cni.has("mtu"):
        wanted.mtu = asked.mtu
    if asked.promisc is not None:
        wanted.promisc = asked.promisc
    if asked.allmulti is not None:
        wanted.allmulti = asked.allmulti
    if asked.txqlen is not None:
        wanted.txqlen = asked.txqlen
    # As in the reference, false means that nobody asks for it.
    wanted.promisc = wanted.promisc or None
    return wanted


def _refuse_mtu(request: Request, mtu: int, previous: Result) -> None:
    """The kernel takes IPv6, with its addresses, from a link whose MTU is below what IPv6 needs."""
    found = previous.of_interface(request.ifname, request.netns)
    for ip in previous.ips if 0 < mtu < _IPV6_MTU and found else ():
        if ip.address.family == 6 and found and ip.interface in (None, found[0]):
            raise request.config.wrong("mtu", f"{mtu} is less than the {_IPV6_MTU} that IPv6 needs for {ip.address}")


def _remember(
    backups: Backups,
    request: Request,
    container: Namespace,
    was: Attributes,
    values: dict[str, str],
    undo: Undo,
) -> None:
    """Write down what there is; what an earlier ADD of the attachment found is kept as that found it."""
    key, (device, inode) = request.attachment, container.identity
    now = {**was.to_json(), **({"sysctl": values} if values else {}), "netns": f"{device}:{inode}"}
    if not was and not values:
        return
    before = backups.read(key)
    if before is None:
        undo.callback(backups.remove, key)
    else:
        undo.callback(backups.write, key, before)
        if (before.get("network"), before.get("netns")) == (request.name, now["netns"]):
            earlier = Section(before).section("sysctl").raw
            now = {**now, **before, "sysctl": {**earlier, **values, **earlier}}
    backups.write(key, now)


def _restore(container: Namespace, ifname: str, backup: Section) -> None:
    """Put everything back that can be, then raise what failed first."""

    def attributes() -> None:
        link = find_link(container, ifname)
        if link is not None:
            change(container, link, Attributes.parse(backup))

    def settings() -> None:
        values = backup.section("sysctl")
        do_all(lambda name: sysctl.write(container, name, values.text(name), missing_ok=True), reversed(values.raw))

    do_all(lambda put_back: put_back(), (attributes, settings))


def _tell(request: Request, attributes: Attributes, container: Namespace, previous: Result) -> None:
    """Let the result have what the interface has now."""
    found = previous.of_interface(request.ifname, request.netns) if attributes.mac or attributes.mtu else None
    link = find_link(container, request.ifname) if found else None
    if found is None or link is None:
        return
    interface = found[1]
    interface.mac = link.mac if attributes.mac else interface.mac
    interface.mtu = link.mtu if attributes.mtu else interface.mtu


def _forget_advertised(settings: list[Setting], container: Namespace, link: Link) -> None:
    """What came in while the link was up and not tuned yet; last, since a router alone can bring it back."""
    off = {setting.name for setting in settings if setting.value.strip() == "0"}
    ignored, unconfigured = (f"net/ipv6/conf/{link.name}/{what}" in off for what in ("accept_ra", "autoconf"))
    if not ignored and not unconfigured:
        return
    from cni_multus.linux.advertised import forget_addresses, forget_routes

    forget_addresses(container, link.index)
    if ignored:
        forget_routes(container, link.index)
