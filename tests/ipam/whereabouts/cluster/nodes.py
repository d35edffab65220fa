"""Nodes that share pools of a real API server, and the exact comparison of all that is said about an address."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cni_multus.cni.addressing import BITS, Cidr, Ip
from cni_multus.cni.request import Attachment
from cni_multus.state.leases.lease import HELD, Holder
from ipam.whereabouts.cluster.engine import ClusterEngine
from ipam.whereabouts.cluster.journal import Journal
from ipam.whereabouts.config import Cluster as ClusterConfig
from ipam.whereabouts.config import Wanted, WhereaboutsConfig
from ipam.whereabouts.policy import LOWEST
from ipam.whereabouts.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Collection

    from ipam.whereabouts.cluster.record import Record
    from tests.cluster.cluster import Cluster

RANGE = "10.1.2.0/24"


@dataclass
class Node:
    """One node: its files, its way to the server, and a network. Each verb is done by an engine of its own."""

    data_dir: Path
    kubeconfig: Path
    ranges: tuple[str, ...] = (RANGE,)
    name: str = "node1"
    network: str = "mynet"
    network_name: str = ""
    exclusive: bool = True
    policy: str = LOWEST
    cool_down: float = 0.0
    settle: float = 0.0
    calls: list[int] = field(default_factory=list)
    """How many requests each verb took."""

    def config(self, *wanted: Wanted | None) -> WhereaboutsConfig:
        return WhereaboutsConfig(
            self.network,
            [make_pool(text) for text in self.ranges],
            wanted=wanted,
            network_name=self.network_name,
            exclusive=self.exclusive,
            policy=self.policy,
            cool_down=self.cool_down,
            cluster=ClusterConfig(str(self.kubeconfig), node=self.name),
            data_dir=str(self.data_dir),
        )

    def command(self, verb: str, container: str) -> list[str]:
        """The same verb as a program: `add` for a pod that is called like its container up to a dot."""
        members = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}
        return [sys.executable, "-S", "-B", "-m", __spec__.name, verb, container, json.dumps(members)]

    def engine(self) -> ClusterEngine:
        return ClusterEngine(str(self.data_dir), {}, self.settle)

    def holder(self, container: str, ifname: str = "net1", **who: str) -> Holder:
        """A pod called like its container, unless said otherwise; `pod=""` is a container without one."""
        known = {"pod": f"default/{container.lower()}", "uid": f"uid-of-{container}", **who}
        return Holder(self.attachment(container, ifname), node=self.name, **known)

    def attachment(self, container: str, ifname: str = "net1") -> Attachment:
        return Attachment(self.network, container, ifname)

    def add(self, container: str, ifname: str = "net1", **who: str) -> list[str]:
        """Addresses for a pod; `wanted` is the one of the first range that it asks for, or `preferred`."""
        preferred = who.pop("preferred", "")
        text = who.pop("wanted", "") or preferred
        wanted = Wanted(Ip.parse(text), "the test", firmly=not preferred) if text else None
        others = [None] * (len(self.ranges) - 1)
        engine = self.engine()
        try:
            given = engine.acquire(self.config(wanted, *others), self.holder(container, ifname, **who))
        finally:
            self.calls.append(engine.calls)
        return [str(address.ip) for address in given]

    def delete(self, container: str, ifname: str = "net1") -> bool:
        engine = self.engine()
        found = engine.release(self.attachment(container, ifname))
        if not found:
            engine.release_unknown(self.config(), self.attachment(container, ifname))
        self.calls.append(engine.calls)
        return found

    def check(self, container: str, *addresses: str, ifname: str = "net1", **who: str) -> list[str]:
        shown = [Cidr(Ip.parse(text), self.prefix_of(text)) for text in addresses]
        return self.engine().verify(self.config(), self.holder(container, ifname, **who), shown)

    def prefix_of(self, text: str) -> int:
        ip = Ip.parse(text)
        return next(pool.cidr.prefix for pool in self.config().pools if pool.cidr.contains(ip))

    def collect(self, *valid: str, ifname: str = "net1") -> None:
        """GC where the interfaces of these containers are valid."""
        self.engine().collect(self.network, lambda each: each.container_id in valid and each.ifname == ifname)

    def status(self) -> str:
        return self.engine().why_not_available(self.config())

    @property
    def journal(self) -> Journal:
        return Journal(str(self.data_dir))

    def records(self) -> list[Record]:
        return list(self.journal.records())


def make_pool(text: str) -> Pool:
    """A range as whereabouts reads it: `10.0.0.0/24`, or `10.0.0.10-10.0.0.20/24`."""
    start, _, rest = text.partition("-")
    whole = Cidr.parse(rest or text)
    inner = 0 if BITS[whole.family] - whole.prefix <= 1 else 1
    if not rest:
        return Pool(whole, whole.first + inner, whole.last - inner, path="ipam.range")
    return Pool(whole, Ip.parse(start).number, whole.ip.number, path="ipam.range")


def allocations(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """Every entry of every pool, by its address."""
    found: dict[str, dict[str, Any]] = {}
    for pool in cluster.objects("ippools").values():
        base = Cidr.parse(pool["spec"]["range"])
        for key, entry in pool["spec"]["allocations"].items():
            ip = str(Ip(base.family, base.first + int(key)))
            found[f"{pool['metadata']['name']} {ip}"] = entry
    return found


def reservations(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """The spec of every reservation, by its name."""
    return {name: each["spec"] for name, each in cluster.objects("overlappingrangeipreservations").items()}


def audit(cluster: Cluster, *nodes: Node, foreign: Collection[str] = ()) -> None:
    """What pools, reservations and journals say is the same, to the last address; `foreign` pods are on no journal."""
    held: dict[str, tuple[str, str, str]] = {}
    reserved: dict[str, tuple[str, str]] = {}
    for node in nodes:
        assert node.journal.unreadable() == []
        assert node.journal.todo() == []
        for record in node.records():
            assert record.state == HELD, record.to_json()
            for take in record.takes:
                place = f"{take.pool} {take.address.ip}"
                assert place not in held, f"{place} is on record twice"
                held[place] = (record.id, record.podref, record.holder.attachment.ifname)
                if take.reservation:
                    assert take.reservation not in reserved
                    reserved[take.reservation] = (record.podref, record.holder.attachment.ifname)
    found = {
        place: (each["id"], each["podref"], each.get("ifname", "")) for place, each in allocations(cluster).items()
    }
    assert {place: each for place, each in found.items() if each[1] not in foreign} == held
    names = {name: (each["podref"], each.get("ifname", "")) for name, each in reservations(cluster).items()}
    assert {name: each for name, each in names.items() if each[0] not in foreign} == reserved


def main() -> None:
    """One verb of a node in a process of its own: `<verb> <container> <the node's members as JSON>`."""
    verb, container, members = sys.argv[1:]
    told = json.loads(members)
    node = Node(**{**told, "data_dir": Path(told["data_dir"]), "kubeconfig": Path(told["kubeconfig"])})
    match verb:
        case "add":
            node.add(container, pod=f"default/{container.partition('.')[0]}", uid="uid")
        case "delete":
            node.delete(container)
        case _:
            node.collect(*container.split(","))
    os._exit(0)


if __name__ == "__main__":
    main()
