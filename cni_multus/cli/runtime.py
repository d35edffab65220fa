"""What a container runtime does for one network, with libcni's cache as its memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object, print_compact
from cni_multus.cni.errors import CniError, InvalidEnvironment, note_leftovers
from cni_multus.cni.request import Request
from cni_multus.cni.result import Result
from cni_multus.cni.versions import require_verb
from cni_multus.confdir import complete, find_network
from cni_multus.linux.links import find_link
from cni_multus.linux.netns import Namespace
from cni_multus.network import Network
from cni_multus.state import libcni_cache
from cni_multus.state.libcni_cache import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Container:
    """One interface of a container, and what the plugins are told about it; `arguments` is CNI_ARGS."""

    container_id: str
    netns: str
    ifname: str
    arguments: str = ""
    capabilities: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Runtime:
    """`directory` has the configurations, `cache` the results; `warn` is told what does not stop the work."""

    directory: str
    cache: str
    environment: Mapping[str, str]
    warn: Callable[[str], object]

    def add(self, name: str, container: Container) -> dict[str, object]:
        """Attach; the result in the network's version. Whatever fails, nothing is left."""
        network = self._configured(name)
        request = self._request("ADD", network, container)
        self._refuse_second_add(network, container)
        capabilities = Section(container.capabilities, "CAP_ARGS")
        result = network.add(request, capabilities)
        try:
            entry = Entry(
                name, container.container_id, container.ifname, netns=container.netns, config=_as_list(network)
            )
            entry.cni_args = list(request.arguments.items())
            entry.capability_args = container.capabilities
            entry.result = shown = result.to_json(network.version)
            libcni_cache.write(self.cache, entry)
        except BaseException as error:
            failures = network.delete(request, result, capabilities)
            note_leftovers(error, [failure.message for failure in failures])
            raise
        return shown

    def check(self, name: str, container: Container) -> None:
        """Raise where the kernel no longer shows what `add` left."""
        network = self._configured(name)
        require_verb(network.version, "CHECK")
        entry = self._remembered(name, container)
        told = _told(container, entry)
        network.check(self._request("CHECK", network, told), self._result(entry, network), Section(told.capabilities))

    def delete(self, name: str, container: Container) -> None:
        """Detach, by the configuration that it was attached with where that is known."""
        self._detach(name, container, self._remembered(name, container))

    def status(self, name: str) -> None:
        """Raise the reason why an `add` would fail."""
        network = self._configured(name)
        network.status(self._request("STATUS", network))

    def collect_garbage(self, name: str, valid: list[dict[str, object]]) -> None:
        """Detach what is remembered of the network and not in `valid`, then let its plugins do the same."""
        network = self._configured(name)
        if network.disable_gc:
            self.warn(f"network {name} says disableGC: nothing is done")
            return
        keys = [(member["containerID"], member["ifname"]) for member in valid]
        failures: list[CniError] = []
        for entry in libcni_cache.entries(self.cache, network=name):
            if (entry.container_id, entry.ifname) not in keys:
                try:
                    self._detach(name, Container(entry.container_id, entry.netns, entry.ifname), entry)
                except CniError as error:
                    failures.append(error)
        _raise(failures + network.collect_garbage(self._request("GC", network), valid))

    def _detach(self, name: str, container: Container, entry: Entry | None) -> None:
        network = self._attached_with(name, entry)
        told = _told(container, entry)
        request = self._request("DEL", network, told)
        _raise(network.delete(request, self._result(entry, network), Section(told.capabilities)))
        libcni_cache.remove(self.cache, entry or Entry(name, container.container_id, container.ifname))

    def _configured(self, name: str) -> Network:
        network = find_network(self.directory, name, self.warn)
        network.programs_first = True
        return network

    def _attached_with(self, name: str, entry: Entry | None) -> Network:
        """The network as it was at the ADD: an edit since then must not orphan what was made."""
        if entry is None or not entry.config:
            return self._configured(name)
        try:
            section = Section(parse_object(entry.config, f"the configuration in {self.cache}/{entry.name}"))
            network = Network(complete(section, self.directory))
        except CniError as error:
            self.warn(f"{error.message}; {self.directory} serves instead")
            return self._configured(name)
        network.programs_first = True
        return network

    def _remembered(self, name: str, container: Container) -> Entry | None:
        return libcni_cache.read(self.cache, name, container.container_id, container.ifname)

    def _result(self, entry: Entry | None, network: Network) -> Result | None:
        if entry is None or entry.result is None:
            return None
        try:
            return Result.parse(Section(entry.result, "result"), network.version)
        except CniError as error:
            self.warn(f"{self.cache}/{entry.name}: {error.message}")
            return None

    def _refuse_second_add(self, network: Network, container: Container) -> None:
        """A program's failure at it would be followed by a DEL, which takes the first one's link away."""
        if self._remembered(network.name, container) is None:
            return
        namespace = Namespace.find(container.netns)
        if namespace is None:
            return
        with namespace:
            if find_link(namespace, container.ifname) is not None:
                where = f"{container.ifname} of {container.netns}"
                raise InvalidEnvironment(f"{where} is attached to {network.name} already: del must come first")

    def _request(self, command: str, network: Network, container: Container | None = None) -> Request:
        """The request of a verb, held to the rules that hold for every runtime's."""
        environment = {name: value for name, value in self.environment.items() if not name.startswith("CNI_")}
        for name in ("CNI_PATH", "CNI_NETNS_OVERRIDE"):
            environment[name] = self.environment.get(name, "")
        environment["CNI_COMMAND"] = command
        if container is not None:
            environment["CNI_CONTAINERID"] = container.container_id
            environment["CNI_NETNS"] = container.netns
            environment["CNI_IFNAME"] = container.ifname
            # Which keys a plugin knows is that plugin's business.
            environment["CNI_ARGS"] = f"IgnoreUnknown=1;{container.arguments}" if container.arguments else ""
        return Request.parse(environment, print_compact(network.raw))


def _told(container: Container, entry: Entry | None) -> Container:
    """The container with the arguments of its ADD, where it brings none."""
    if entry is None:
        return container
    return Container(
        container.container_id,
        container.netns,
        container.ifname,
        container.arguments or ";".join(f"{key}={value}" for key, value in entry.cni_args),
        container.capabilities or entry.capability_args,
    )


def _as_list(network: Network) -> bytes:
    """The network as libcni keeps it: a single plugin becomes a list of one."""
    if Section(network.raw).has("plugins"):
        return print_compact(network.raw)
    return print_compact({"cniVersion": network.version, "name": network.name, "plugins": [network.raw]})


def _raise(failures: list[CniError]) -> None:
    if failures:
        first = failures[0]
        first.message = "; ".join(failure.message for failure in failures)
        raise first
