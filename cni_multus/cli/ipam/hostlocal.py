"""The records of host-local, and of static, which keeps its own in the same form: read without lock or index."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cni_multus.cli.ipam.held import Held, Summary
from cni_multus.cni.addressing import Ip
from cni_multus.cni.errors import IoFailure
from cni_multus.cni.names import is_name
from cni_multus.state import files
from cni_multus.state.owners import GARBAGE, NOT_A_RESERVATION, read_owner
from cni_multus.state.reservations import Reservations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.ipam.ranges import KnownRanges
    from cni_multus.cni.addressing import Cidr


class Directory:
    """A dataDir: a directory for each network in it."""

    def __init__(self, engine: str, path: str, ranges: KnownRanges) -> None:
        self.engine = engine
        self.path = path
        self._ranges = ranges

    def networks(self) -> list[str]:
        """The names of the networks that have a directory."""
        return sorted(
            name for name in files.names(self.path) if is_name(name) and files.is_directory(f"{self.path}/{name}")
        )

    def pools(self) -> Iterator[Summary]:
        for network in self.networks():
            used = sum(1 for _ in self._addresses(network))
            known = self._ranges.of(self.engine, network)
            yield Summary(
                self.engine,
                network,
                known.texts,
                known.size,
                used,
                record=f"{self.path}/{network}",
                network=network,
            )

    def held(self, within: Cidr | None = None) -> Iterator[Held]:
        for network in self.networks():
            for ip in self._addresses(network):
                if within is None or within.contains(ip):
                    yield from self._read(network, ip)

    def find(self, ip: Ip) -> Iterator[Held]:
        for network in self.networks():
            yield from self._read(network, ip)

    def release(self, held: Held) -> bool:
        attempt = f"cannot release {held.ip} of network {held.network}"
        with Reservations(self.path, held.network, attempt, giving_back=True) as reservations:
            owner = reservations.holder(held.ip)  # a file that names nobody goes by this alone
            if owner is NOT_A_RESERVATION:
                raise IoFailure(f"{attempt}: {held.record} is not a file of host-local's: remove it by hand")
            if owner is None:
                return not held.container_id
            if (owner.container_id, owner.ifname) != (held.container_id, held.ifname):
                return False
            reservations.give_back(owner, [held.ip])
            return True

    def _addresses(self, network: str) -> Iterator[Ip]:
        for name in files.names(f"{self.path}/{network}"):
            try:
                ip = Ip.parse(name)
            except ValueError:
                continue
            if str(ip) == name:
                yield ip

    def _read(self, network: str, ip: Ip) -> Iterator[Held]:
        path = f"{self.path}/{network}/{ip}"
        owner = read_owner(path)
        if owner is None:
            return
        held = Held(ip, self.engine, network, path, network, owner.container_id, owner.ifname, here=True)
        held.netns = owner.netns
        if owner is GARBAGE:
            held.wrong = "the file names nobody: a killed writer, or a power cut, left it"
        elif owner is NOT_A_RESERVATION:
            held.wrong = "it is not a file of host-local's: a directory, a link, or something else"
        held.since = _modified(path)
        yield held


def _modified(path: str) -> float:
    try:
        return os.lstat(path).st_mtime
    except OSError:
        return 0.0
