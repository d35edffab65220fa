"""All the places that a command looks at; one that cannot be read is told of, and does not hide the others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from cni_multus.cli.command import DONE, PARTIAL
from cni_multus.cli.ipam import options
from cni_multus.cli.ipam.evidence import Evidence
from cni_multus.cli.ipam.hostlocal import Directory
from cni_multus.cli.ipam.ranges import KnownRanges
from cni_multus.cli.output import warn
from cni_multus.cni.errors import CniError
from cni_multus.kube.errors import Unavailable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator

    from cni_multus.cli.ipam.api import Api
    from cni_multus.cli.ipam.held import Place

T = TypeVar("T")


class Survey:
    """The places that the command line names."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.partial = False
        """Whether something could not be looked at."""
        self._arguments = arguments
        self._is_away = False
        self._api = self._connect(arguments)
        self.places: list[Place] = list(self._places(arguments))

    def gather(self, ask: Callable[[Place], Iterable[T]]) -> Iterator[T]:
        """What every place answers, as far as it can be read."""
        for place in self.places:
            yield from self.tolerate(place.engine, lambda place=place: ask(place))  # type: ignore[misc]

    def tolerate(self, what: str, ask: Callable[[], Iterable[T]]) -> Iterator[T]:
        """What `ask` gives until it fails; the failure becomes a warning."""
        try:
            yield from ask()
        except CniError as error:
            self.partial = True
            warn(f"{what}: {error.message}" + (f" ({error.details})" if error.details else ""))

    def status(self, otherwise: int = DONE) -> int:
        """The exit status where nothing was found wrong."""
        return PARTIAL if self.partial else otherwise

    def evidence(self, *, many: bool = False) -> Evidence:
        """What tells whether owners live; `many` of them will be asked for, and have been read."""
        pods = None
        if self._api is not None and not self._is_away:
            from cni_multus.cli.ipam.pods import Pods

            pods = Pods(self._api.client, self.complain, many=many)
        return Evidence(self._arguments.cni_dir, self._arguments.results_dir, node_name(), pods)

    def complain(self, error: CniError) -> None:
        """Warn of what could not be looked at."""
        self.partial = True
        self._is_away = self._is_away or isinstance(error, Unavailable)
        warn(f"{error.message} ({error.details})" if error.details else error.message)

    def _connect(self, arguments: argparse.Namespace) -> Api | None:
        from cni_multus.cli.ipam.api import connect

        try:
            return connect(arguments)
        except CniError as error:
            self.complain(error)
            return None

    def _places(self, arguments: argparse.Namespace) -> Iterator[Place]:
        ranges = KnownRanges(arguments.conf_dir, arguments.cni_dir, arguments.results_dir)
        wanted = (arguments.engine,) if arguments.engine else options.ENGINES
        if options.FILE in wanted:
            from cni_multus.cli.ipam.nodestore import NodeStore

            yield NodeStore(arguments.data_dir, ranges)
        if options.KUBERNETES in wanted:
            from cni_multus.cli.ipam.cluster import Cluster
            from cni_multus.cli.ipam.snapshot import Snapshot

            yield Cluster(arguments.data_dir, ranges, Snapshot(self._api) if self._api else None, self.complain)
        if options.HOST_LOCAL_ENGINE in wanted:
            yield Directory(options.HOST_LOCAL_ENGINE, arguments.host_local_dir, ranges)
        if options.STATIC_ENGINE in wanted:
            yield Directory(options.STATIC_ENGINE, arguments.static_dir, ranges)


def declare(parser: argparse.ArgumentParser) -> None:
    """The options that say which places those are."""
    options.add_engine(parser)
    options.add_directories(parser)
    options.add_evidence(parser)
    options.add_cluster(parser)


def node_name() -> str:
    """What this node is called in records."""
    return os.environ.get("NODENAME") or os.uname().nodename
