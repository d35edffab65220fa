"""ADD, DEL and GC killed before each single system call: no address is with two, none is lost, whoever comes next."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.addressing import Ip
from cni_multus.cni.errors import TryAgainLater
from cni_multus.cni.request import VALID_ATTACHMENTS
from cni_multus.state.leases.listing import Listing
from cni_multus.state.leases.store import Store
from ipam.whereabouts.config import Wanted
from ipam.whereabouts.onnode import NodeEngine
from ipam.whereabouts.taking import domains_of
from tests.leases import BOOT, NETWORK, SetClock, config, holder, leftovers, require_exactly
from tests.stepping import killed_before

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cni_multus.cni.addressing import Cidr
    from cni_multus.cni.request import Attachment
    from cni_multus.state.leases.lease import Holder
    from tests.ipam.runtime import Ipam

BOTH = ("10.0.0.0/29", "2001:db8::/125")
SIZE = 6


class World:
    """A store in memory, and who is believed to have what: the requests that came to their end."""

    def __init__(self, directory: Path, clock: SetClock, **keys: Any) -> None:
        self.directory = directory
        self.clock = clock
        self.engine = NodeEngine(str(directory), clock)
        self.config = config(*BOTH, data_dir=directory, **keys)
        self.held: dict[Attachment, list[Cidr]] = {}
        self.wanted: list[Wanted | None] = []

    def add(self, who: Holder) -> None:
        """ADD; the pod's former attachment has nothing any more."""
        asks = self.wanted if who.pod == "default/a" else ()
        self.config.wanted = list(asks) or [None] * len(self.config.pools)
        given = self.engine.acquire(self.config, who)
        former = [one for one in self.held if one.container_id.partition("-")[0] == who.attachment.container_id[:1]]
        for one in former:
            del self.held[one]
        self.held[who.attachment] = given

    def delete(self, who: Holder) -> None:
        self.engine.release(who.attachment)
        self.held = {one: given for one, given in self.held.items() if name(one) != name(who.attachment)}

    def collect(self) -> None:
        """GC, where exactly what is believed is valid."""
        self.engine.collect(NETWORK, lambda one: name(one) in [name(other) for other in self.held])

    def copy(self, directory: Path) -> World:
        """The same at another place."""
        if self.directory.exists():
            shutil.copytree(self.directory, directory, symlinks=True)
        twin = World(directory, self.clock)
        twin.config = self.config
        twin.held = dict(self.held)
        twin.wanted = self.wanted
        return twin

    def require_sound(self) -> None:
        """Nothing but what is believed is held, and the rest can be had to the last address."""
        self.clock.pass_by(1000)
        self.config.wanted = [None] * len(self.config.pools)
        others = [holder(f"z{at}") for at in range(SIZE - len(self.held_here()))]
        given = [ip for other in others for ip in self.engine.acquire(self.config, other)]
        assert len(set(given)) == 2 * len(others)
        with pytest.raises(TryAgainLater):
            self.engine.acquire(self.config, holder("one-more"))
        for other in others:
            assert self.engine.release(other.attachment)
        if others:
            self.clock.pass_by(1000)
            self.add(holder("y"))  # sweeps what has cooled down
        if self.clock.boot != BOOT:
            self.collect()  # a lease of an earlier boot that just lost its addresses to others
        require_exactly(self.engine, self.held)

    def held_here(self) -> list[Attachment]:
        """Who has addresses in the domain that the configuration means now."""
        store = self.engine.store
        keys = {key for _, key in Listing(store).addresses(domains_of(self.config)[0])}
        return [attachment for attachment in self.held if store.key_of(attachment) in keys]


def name(attachment: Attachment) -> tuple[str, str]:
    return attachment.container_id, attachment.ifname


class Scene:
    """What is there before, the request that is killed, and whom it is about."""

    def __init__(
        self,
        prepare: Callable[[World], None],
        act: Callable[[World], None],
        *victims: str,
        keys: dict[str, Any] | None = None,
        ends: bool = False,
    ) -> None:
        self.prepare = prepare
        self.act = act
        self.victims = [holder(victim.partition("-")[0], victim) for victim in victims]
        self.keys = keys or {}
        self.gone = [name(victim.attachment) for victim in self.victims] if ends else []
        """Whose containers are dead when the request comes: it does not matter any more who has their addresses."""


def nothing(world: World) -> None:
    """The first request that there ever was."""


def one_other(world: World) -> None:
    world.add(holder("b"))


def two(world: World) -> None:
    world.add(holder("b"))
    world.add(holder("a"))


def three(world: World) -> None:
    two(world)
    world.add(holder("c"))


def reconfigured(**keys: Any) -> Callable[[World], None]:
    """Two pods, and then an operator who edits the network."""

    def prepare(world: World) -> None:
        two(world)
        world.config = config(*keys.pop("pools", BOTH), data_dir=world.directory, **keys)

    return prepare


def asking(world: World) -> None:
    """The pod that comes wants an address of its choice."""
    one_other(world)
    world.wanted = [Wanted(Ip(4, 0x0A000005), "ips[0]"), None]


def cooling(world: World) -> None:
    """All is given, and one address of it has just cooled down."""
    for pod in "bcdefa":
        world.add(holder(pod))
    world.delete(holder("c"))
    world.clock.pass_by(100)


def of_an_earlier_boot(world: World) -> None:
    """All is given, before a reboot that only one survived."""
    for pod in "cdefgb":
        world.add(holder(pod))
    world.clock.reboot(uptime=1000)
    world.add(holder("b", "b-2"))
    world.held = {one: given for one, given in world.held.items() if one.container_id == "b-2"}


def damaged(world: World) -> None:
    """The lease of `a` cannot be read."""
    two(world)
    Path(world.engine.store.layout.lease(holder("a").key)).write_text("")


def add(container: str) -> Callable[[World], None]:
    return lambda world: world.add(holder(container.partition("-")[0], container))


def delete(container: str) -> Callable[[World], None]:
    return lambda world: world.delete(holder(container.partition("-")[0], container))


def collect(*gone: str) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.held = {one: given for one, given in world.held.items() if one.container_id not in gone}
        world.collect()

    return act


NEXT = {"policy": "next", "cool_down": 60.0}
SCENES = {
    "first-add": Scene(nothing, add("a-1"), "a-1"),
    "add": Scene(one_other, add("a-1"), "a-1"),
    "add-next": Scene(one_other, add("a-1"), "a-1", keys=NEXT),
    "add-spread": Scene(one_other, add("a-1"), "a-1", keys={"policy": "spread"}),
    "add-wanted": Scene(asking, add("a-1"), "a-1"),
    "add-without-protection": Scene(one_other, add("a-1"), "a-1", keys={"exclusive": False}),
    "add-again": Scene(two, add("a-1"), "a-1"),
    "add-new-sandbox": Scene(two, add("a-2"), "a-1", "a-2"),
    "add-other-name": Scene(reconfigured(network_name="other"), add("a-2"), "a-1", "a-2"),
    "add-other-range": Scene(reconfigured(pools=("10.1.0.0/29", BOTH[1])), add("a-2"), "a-1", "a-2"),
    "add-after-cool-down": Scene(cooling, add("h-1"), "h-1", keys=NEXT),
    "add-after-reboot": Scene(of_an_earlier_boot, add("h-1"), "h-1"),
    "add-damaged": Scene(damaged, add("a-2"), "a-1", "a-2"),
    "delete": Scene(two, delete("a-1"), "a-1", ends=True),
    "delete-last": Scene(lambda world: world.add(holder("a")), delete("a-1"), "a-1", ends=True),
    "delete-next": Scene(two, delete("a-1"), "a-1", keys=NEXT, ends=True),
    "delete-damaged": Scene(damaged, delete("a-1"), "a-1", ends=True),
    "collect": Scene(three, collect("a-1", "c-1"), "a-1", "c-1", ends=True),
    "collect-next": Scene(three, collect("a-1", "c-1"), "a-1", "c-1", keys=NEXT, ends=True),
}


def by_delete(world: World, victims: list[Holder]) -> None:
    """The runtime deletes what it does not know the end of."""
    for victim in victims:
        world.delete(victim)


def by_another_add(world: World, victims: list[Holder]) -> None:
    """The pod gets another sandbox; the old ones are deleted after that."""
    again = holder(victims[0].attachment.container_id[0], f"{victims[0].attachment.container_id[0]}-9")
    world.add(again)
    for victim in victims:
        world.delete(victim)
    assert again.attachment.container_id in [one.container_id for one in world.held]


def by_collecting(world: World, victims: list[Holder]) -> None:
    """The runtime does not know them, and lets garbage be collected."""
    gone = [name(victim.attachment) for victim in victims]
    world.held = {one: given for one, given in world.held.items() if name(one) not in gone}
    world.collect()


def by_another_pod(world: World, victims: list[Holder]) -> None:
    """Somebody else comes first."""
    held = {ip for attachment in world.held_here() for ip in world.held[attachment]}
    try:
        world.add(holder("x"))
    except TryAgainLater:
        assert len(held) >= 2 * (SIZE - 1)
    else:
        assert held.isdisjoint(world.held[next(one for one in world.held if one.container_id == "x-1")])
    by_delete(world, victims)


RECOVERIES = {"DEL": by_delete, "ADD": by_another_add, "GC": by_collecting, "other ADD": by_another_pod}


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory: each trial leaves dozens of files."""
    with TemporaryDirectory(dir="/dev/shm") as directory:
        yield Path(directory)


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
@pytest.mark.timeout(600)
def test_killed_at_every_system_call(
    scene: Scene, memory: Path, record_property: Callable[[str, object], None]
) -> None:
    number, tried = 1, 0
    while True:
        clock = SetClock()
        world = World(memory / f"{number}", clock, **scene.keys)
        scene.prepare(world)
        believed = {one: given for one, given in world.held.items() if name(one) not in scene.gone}
        if not killed_before(lambda world=world: scene.act(world), number):  # type: ignore[misc]
            break
        tried += 1
        for at, recover in enumerate(RECOVERIES.values()):
            twin = world.copy(memory / f"{number}-{at}")
            twin.held = dict(believed)
            twin.clock = SetClock()
            twin.clock.wall, twin.clock.uptime, twin.clock.boot = clock.wall, clock.uptime, clock.boot
            twin.engine = NodeEngine(str(twin.directory), twin.clock)
            recover(twin, scene.victims)
            twin.require_sound()
            shutil.rmtree(twin.directory)
        if world.directory.exists():
            shutil.rmtree(world.directory)
        number += 1
    record_property("killed", tried)
    record_property("recovered", dict.fromkeys(RECOVERIES, tried))
    assert tried > 20


@pytest.mark.parametrize("command", ["ADD", "DEL", "GC"])
@pytest.mark.timeout(600)
def test_the_plugin_killed_at_every_system_call(
    whereabouts: Callable[..., Ipam], memory: Path, record_property: Callable[[str, object], None], command: str
) -> None:
    """The whole request, as a runtime makes it: what is read and printed, too."""
    number = 1
    while True:
        directory = memory / f"plugin-{number}"
        ranges = [{"range": range_} for range_ in BOTH]
        ipam = whereabouts(ipRanges=ranges, dataDir=str(directory))
        other = ipam.add("other").ips
        if command != "ADD":
            ipam.add("victim").succeeded()
        members = [{"containerID": "other", "ifname": "eth0"}]
        garbage = ipam.with_keys(**{VALID_ATTACHMENTS: members})
        if not killed_before(lambda: garbage.call(command, "victim"), number):  # noqa: B023
            break
        given = ipam.add("next").ips
        assert set(given).isdisjoint(other)
        for container in ("victim", "next"):
            ipam.delete(container).succeeded()
        store = Store(str(directory))
        assert sorted(str(ip) for ip, _ in Listing(store).addresses("_default")) == ["10.0.0.1", "2001:db8::1"]
        assert leftovers(store) == []
        number += 1
    record_property("killed", number - 1)
    assert number > 40
