"""Where leases are taken over from: the places that commands know, or a document."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from cni_multus.cli.ipam.api import connect
from cni_multus.cli.ipam.hostlocal import Directory
from cni_multus.cli.ipam.options import ENGINES, FILE, HOST_LOCAL_ENGINE, KUBERNETES
from cni_multus.cli.ipam.portable import Portable, is_lines, parse_lines
from cni_multus.cni.addressing import Cidr
from cni_multus.cni.errors import DecodingFailure, InvalidNetworkConfig
from cni_multus.cni.request import Attachment
from cni_multus.state.leases.layout import DEFAULT
from cni_multus.state.leases.lease import RELEASED, Holder, Lease

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator

    from cni_multus.cli.ipam.ranges import KnownRanges
    from cni_multus.cni.addressing import Ip

    Complain = Callable[[str], object]

LOST_OF_HOST_LOCAL = (
    "host-local records neither pod, namespace nor boot: what was in use is told by the container alone"
)
LOST_OF_POOLS = "pools without reservations of ours record neither network, UID, namespace, boot nor time"


class Sources:
    """`ranges` are prefixes that addresses of host-local lie in, `network` the CNI network where none is recorded."""

    def __init__(self, arguments: argparse.Namespace, known: KnownRanges, complain: Complain) -> None:
        self._arguments = arguments
        self._known = known
        self._complain = complain
        self._ranges = [_range(text) for text in arguments.range]

    def read(self, where: str) -> list[Portable]:
        """Every lease of a place, or of a document (its path, or `-`)."""
        if where == FILE:
            return list(self._of_the_node())
        if where == KUBERNETES:
            return self._of_the_cluster()
        if where in ENGINES:
            directory = self._arguments.host_local_dir if where == HOST_LOCAL_ENGINE else self._arguments.static_dir
            return list(self._of_directory(Directory(where, directory, self._known)))
        return self._of_document(where)

    def _of_the_node(self) -> Iterator[Portable]:
        from cni_multus.cli.ipam.nodestore import NodeStore

        place = NodeStore(self._arguments.data_dir, self._known)
        domains = {domain.name: domain for domain in place.listing.domains()}
        released = 0
        for record in place.listing.leases():
            if record.lease.state == RELEASED:
                released += 1
                continue
            name = record.domains[0] if record.domains else DEFAULT
            told = domains[name].network_name if name in domains else ""
            yield Portable(record.lease, network_name_of(name, told), is_exclusive(name), f"lease {record.key}")
        if released:
            self._complain(f"{released} leases that wait for the end of their cool-down are left out")

    def _of_the_cluster(self) -> list[Portable]:
        from cni_multus.cli.ipam.pooldocuments import from_documents
        from cni_multus.kube.objects import IP_POOLS, RESERVATIONS

        api = connect(self._arguments)
        if api is None:
            raise InvalidNetworkConfig("no API server is named: neither by --kubeconfig nor by the flat file")
        documents = [
            {"kind": resource.kind, **document}
            for resource in (IP_POOLS, RESERVATIONS)
            for document in api.client.list(resource.path(api.namespace))
        ]
        return self._noted(from_documents(documents, network=self._arguments.network, what=api.kubeconfig))

    def _of_document(self, where: str) -> list[Portable]:
        from cni_multus.cli.ipam.pooldocuments import from_documents

        what = "standard input" if where == "-" else where
        data = _read(where)
        if is_lines(data):
            return parse_lines(data, what)
        return self._noted(from_documents(_documents(data, what), network=self._arguments.network, what=what))

    def _noted(self, leases: list[Portable]) -> list[Portable]:
        if any(not portable.lease.since for portable in leases):
            self._complain(LOST_OF_POOLS)
        return leases

    def _of_directory(self, place: Directory) -> Iterator[Portable]:
        """The addresses of a container's interface in one network are one lease."""
        found: dict[tuple[str, str, str], list[tuple[Ip, float]]] = {}
        for held in place.held():
            if held.wrong:
                self._complain(f"{held.record} is left out: {held.wrong}")
            elif not self._arguments.network or held.network == self._arguments.network:
                found.setdefault(held.attachment, []).append((held.ip, held.since))
        if found:
            self._complain(LOST_OF_HOST_LOCAL)
        for attachment, ips in sorted(found.items()):
            ips.sort(key=lambda one: (one[0].family, one[0].number))
            addresses = [Cidr(ip, self._prefix(attachment[0], ip)) for ip, _ in ips]
            lease = Lease(Holder(Attachment(*attachment)), addresses, min(since for _, since in ips))
            yield Portable(lease, self._arguments.network_name, not self._arguments.per_pool, attachment[0])

    def _prefix(self, network: str, ip: Ip) -> int:
        """The length of the prefix that an address is of: host-local's files do not say."""
        for one in [*self._ranges, *self._known.subnets("host-local", network)]:
            if one.contains(ip):
                return one.prefix
        raise InvalidNetworkConfig(
            f"{ip} of network {network}: no range is known that it is of; --range names one (10.1.0.0/16)"
        )


def network_name_of(domain: str, told: str) -> str:
    """The network_name of a domain: its name has it where that is readable, else the file that says so (`told`)."""
    readable = domain.partition("+")[0]
    if readable == DEFAULT:
        return ""
    if not readable.startswith("_"):
        return readable
    if not told:
        raise DecodingFailure(f"the network_name of the domain {domain} is not known: its file in domain/ is lost")
    return told


def is_exclusive(domain: str) -> bool:
    """Whether a domain is of a network with overlap protection: no pool is in its name."""
    return "+" not in domain


def _range(text: str) -> Cidr:
    try:
        return Cidr.parse(text).network
    except ValueError as error:
        raise InvalidNetworkConfig(f"--range: {error}") from None


def _read(where: str) -> bytes:
    if where == "-":
        return sys.stdin.buffer.read()
    with open(where, "rb") as file:
        return file.read()


def _documents(data: bytes, what: str) -> Iterable[dict[str, object]]:
    """The objects of JSON or YAML, one or several."""
    try:
        found: list[object] = [json.loads(data)]
    except RecursionError:
        raise DecodingFailure(f"{what} is nested too deep") from None
    except ValueError:
        found = _yaml(data, what)
    return [document for document in found if isinstance(document, dict)]


def _yaml(data: bytes, what: str) -> list[object]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return list(yaml.load_all(data, loader))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise DecodingFailure(f"{what} is neither JSON nor YAML: {place}{getattr(error, 'problem', error)}") from None
