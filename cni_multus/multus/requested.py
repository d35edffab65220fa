"""What a pod asks for, and its devices, added to what the node's configuration names.

Whatever is wrong with any of it is told here, before anything is attached.
"""

from __future__ import annotations

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError, DecodingFailure, InvalidNetworkConfig
from cni_multus.multus.plan import Planned, named, refuse_duplicates
from cni_multus.multus.telling import INVALID, NOT_ALLOWED, NOT_FOUND
from cni_multus.multus.wanted import Wanted, of_definition
from cni_multus.network import Network
from cni_multus.selection import DEFAULT_NETWORK, NETWORKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.request import Request
    from cni_multus.multus.kubernetes import Kubernetes, Pod
    from cni_multus.multus.settings import Settings
    from cni_multus.podresources.devices import Devices
    from cni_multus.selection.selected import Selection

CLAIM = "ipam-claim-reference"


class Refusal(Exception):
    """Why the pod's own wishes cannot be met: the error, and the reason that an Event gives."""

    def __init__(self, reason: str, error: CniError) -> None:
        super().__init__(error.message)
        self.reason = reason
        self.error = error


def decide(
    request: Request, settings: Settings, kubernetes: Kubernetes, pod: Pod | None, wanted: dict[int, Wanted]
) -> list[Planned]:
    """The networks with their interfaces, the primary first; `wanted` are those of the configuration.

    Raises Refusal for what the pod's owner has to mend, CniError for anything else.
    """
    first, others = _selections(kubernetes, pod)
    try:
        if first is not None:
            wanted[0] = _defined(first, settings, kubernetes)
        for selection in others:
            wanted[len(wanted)] = _defined(selection, settings, kubernetes)
    except InvalidNetworkConfig as error:
        raise Refusal(NOT_FOUND, error) from error
    planned = named(request, settings, wanted)
    try:
        refuse_duplicates(planned)
        _grant(request, pod, list(wanted.values()), planned)
    except InvalidNetworkConfig as error:
        raise Refusal(INVALID, error) from error
    return planned


def _selections(kubernetes: Kubernetes, pod: Pod | None) -> tuple[Selection | None, list[Selection]]:
    """What the annotations ask for: the network in the cluster's place, and the further ones."""
    if pod is None or not pod.asks:
        return None, []
    from cni_multus.selection.annotations import parse_default_network, parse_networks

    try:
        first = parse_default_network(pod.annotations.get(DEFAULT_NETWORK, ""), kubernetes.multus_namespace)
        others = parse_networks(pod.annotations.get(NETWORKS, ""), pod.namespace)
    except CniError as error:
        raise Refusal(INVALID, error) from error
    for selection in others if first is None else [first, *others]:
        _refuse_foreign(selection, kubernetes, pod)
    return first, others


def _refuse_foreign(selection: Selection, kubernetes: Kubernetes, pod: Pod) -> None:
    """With isolation, a pod may name networks of its own namespace and of the global ones, in whatever way."""
    allowed = (pod.namespace, *kubernetes.global_namespaces)
    if kubernetes.isolation and selection.namespace not in allowed:
        raise Refusal(
            NOT_ALLOWED,
            InvalidNetworkConfig(
                f"{selection.where}: namespaceIsolation is on: a pod of namespace {pod.namespace} may use networks of "
                f"{', '.join(sorted(set(allowed)))}, and not {selection.namespace}/{selection.name}"
            ),
        )


def _defined(selection: Selection, settings: Settings, kubernetes: Kubernetes) -> Wanted:
    definition = kubernetes.definitions.find(selection.namespace, selection.name)
    wanted = of_definition(definition, settings, "")
    wanted.selection = selection
    return wanted


def _grant(request: Request, pod: Pod | None, wanted: list[Wanted], planned: list[Planned]) -> None:
    """Give each network what was asked for it, and its device."""
    devices = _devices(request, pod, wanted)
    for one, plan in zip(wanted, planned, strict=True):
        if one.selection is not None:
            try:
                _apply(one.selection, plan)
            except DecodingFailure as error:
                raise InvalidNetworkConfig(f"{one.where}: network {one.label}: {error.message}") from error
        if devices is not None:
            _give_device(request, one, plan, devices)
    routes = [(plan.ifname, plan.default_route) for plan in planned if plan.default_route]
    if routes:
        from cni_multus.defaultroute import Wanted as Route
        from cni_multus.defaultroute import refuse_conflicts

        refuse_conflicts([Route(ifname, gateways) for ifname, gateways in routes])


def _apply(selection: Selection, planned: Planned) -> None:
    asked: dict[str, object] = {
        "ips": list(selection.ips),
        "mac": selection.mac,
        "infinibandGUID": selection.infiniband_guid,
        "portMappings": selection.port_mappings,
        "bandwidth": selection.bandwidth,
        "deviceID": selection.device_id,
    }
    given = {key: value for key, value in asked.items() if value}
    planned.capabilities = Section({**planned.capabilities.raw, **given}, planned.capabilities.path)
    if selection.ips:
        planned.arguments["IP"] = ",".join(selection.ips)
    if selection.mac:
        planned.arguments["MAC"] = selection.mac
    planned.default_route = selection.default_route
    arguments = {**selection.cni_args, **({CLAIM: selection.ipam_claim} if selection.ipam_claim else {})}
    if arguments:
        planned.network = _changed(planned.network, lambda plugin: {"args": _with_arguments(plugin, arguments)})


def _with_arguments(plugin: Section, arguments: dict[str, object]) -> dict[str, object]:
    """`args` of a plugin, those of the annotation laid over its `cni`."""
    args = plugin.section("args")
    return {**args.raw, "cni": {**args.section("cni").raw, **arguments}}


def _devices(request: Request, pod: Pod | None, wanted: list[Wanted]) -> Devices | None:
    """The pod's devices, those left out that elements name themselves; None where nobody wants one."""
    explicit = [one.selection for one in wanted if one.selection and one.selection.device_id]
    if not explicit and not any(one.resource for one in wanted):
        return None
    from cni_multus.podresources.devices import Devices

    namespace, name, uid = (request.arguments.get(f"K8S_POD_{key}", "") for key in ("NAMESPACE", "NAME", "UID"))
    devices = Devices(namespace, name, uid or (pod.uid if pod else ""))
    for selection in explicit:
        devices.claim(selection.device_id, selection.where)
    return devices


def _give_device(request: Request, wanted: Wanted, planned: Planned, devices: Devices) -> None:
    from cni_multus import deviceinfo

    device = planned.capabilities.text("deviceID") if wanted.selection and wanted.selection.device_id else ""
    if device and wanted.resource:
        devices.require(wanted.resource, device, wanted.where)
    elif wanted.resource:
        device = devices.take(wanted.resource, wanted.where)
        planned.network = _changed(planned.network, lambda _: {"deviceID": device, "pciBusID": device})
    if not device:
        return
    planned.resource = wanted.resource
    path = deviceinfo.path_for(planned.label or planned.name, request.container_id, planned.ifname)
    planned.capabilities = Section(
        {**planned.capabilities.raw, "deviceID": device, "CNIDeviceInfoFile": path}, planned.capabilities.path
    )


def _changed(network: Network, change: Callable[[Section], dict[str, object]]) -> Network:
    """The network with keys of every plugin replaced."""
    if not Section(network.raw).has("plugins"):
        return Network(Section({**network.raw, **change(network.plugins[0])}), version=network.version)
    plugins = [{**plugin.raw, **change(plugin)} for plugin in network.plugins]
    others = {key: value for key, value in network.raw.items() if key.lower() != "plugins"}
    return Network(Section({**others, "plugins": plugins}), version=network.version)
