"""An operator of one node, who types `multus ipam ...`; the node's directories are below one of the test's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from cni_multus.cli.main import run
from cni_multus.cni.addressing import Cidr
from cni_multus.cni.request import Attachment
from cni_multus.state.addressindex import running_boot
from cni_multus.state.leases.byhand import adopt
from cni_multus.state.leases.layout import domain_name
from cni_multus.state.leases.lease import Holder
from cni_multus.state.leases.store import Store
from cni_multus.state.libcni_cache import Entry
from cni_multus.state.libcni_cache import write as remember
from cni_multus.state.owners import Owner
from cni_multus.state.reservations import Reservations
from tests.cli.terminal import Ended

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from cni_multus.state.leases.record import Record

# Not fit for an address: so many containers are told apart by it.
CONTAINER = "4f2a6c1e9b7d0000000000000000000000000000000000000000000000000000"


def container(number: int) -> str:
    """The ID of a container."""
    return f"{number:04x}{CONTAINER[4:]}"


class Operator:
    """Who runs commands, and what they find."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.root = root
        self.data_dir = root / "whereabouts"
        self.host_local = root / "networks"
        self.static = root / "static"
        self.conf = root / "net.d"
        self.cni_dir = root / "multus"
        self.results = root / "results"
        self.kubeconfig = ""
        self.conf.mkdir()
        self.store = Store(str(self.data_dir))

    @property
    def places(self) -> list[str]:
        """The options that name this node's directories."""
        return [
            f"--data-dir={self.data_dir}",
            f"--host-local-dir={self.host_local}",
            f"--static-dir={self.static}",
            f"--conf-dir={self.conf}",
            f"--cni-dir={self.cni_dir}",
            f"--results-dir={self.results}",
            *([f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig else []),
        ]

    def ipam(self, command: str, *arguments: str) -> Ended:
        """Run a command in this process."""
        self._capsys.readouterr()
        status = run("multus", ["ipam", command, *arguments, *self.places])
        told = self._capsys.readouterr()
        return Ended(status, told.out, told.err)

    def json(self, command: str, *arguments: str, status: int = 0) -> Any:
        """What a command prints as JSON, which YAML says as well."""
        ended = self.ipam(command, *arguments, "-o", "json")
        assert ended.status == status, (ended.stdout, ended.stderr)
        document = json.loads(ended.stdout)
        if command in {"show", "owner", "leaks"}:
            assert yaml.safe_load(self.ipam(command, *arguments, "-o", "yaml").stdout) == document
        return document

    def reserve(self, address: str, owner: Owner, network: str = "net1", directory: Path | None = None) -> Path:
        """host-local gives an address."""
        root = directory or self.host_local
        with Reservations(str(root), network, "the test") as reservations:
            reservations.reserve(owner, [Cidr.parse(f"{address}/24").ip])
        return root / network / address

    def lease(
        self, *addresses: str, number: int = 1, network: str = "net1", network_name: str = "", **holder: str
    ) -> Record:
        """Whereabouts gives addresses to a container of this node, of this boot."""
        attachment = Attachment(network, container(number), "eth1")
        told = Holder(attachment, **{"boot": running_boot(), **holder})
        slots = [(domain_name(network_name), Cidr.parse(address)) for address in addresses]
        return adopt(self.store, told, slots)

    def knows(self, container_id: str, netns: str, network: str = "other") -> None:
        """Libcni's cache has a container."""
        remember(str(self.results), Entry(network, container_id, "eth0", netns=netns, config=b"{}"))
