"""firewall beside a real firewalld: it is told over D-Bus whom to trust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.firewall.firewalld import Firewalld
from tests.plugins.configs import bridge
from tests.plugins.firewalld import firewalld
from tests.plugins.shown import BRIEFLY, Shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod


class Guarded:
    """A node whose firewalld rejects what is forwarded from one zone to another."""

    def __init__(self, node: Runtime, root: Path, bus: str) -> None:
        self.node = node
        self.root = root
        self.bus = bus

    def config(self, **more: object) -> dict[str, Any]:
        records = str(self.root / "records")
        return {"cniVersion": "1.1.0", "name": "blue", "type": "firewall", "dataDir": records, **more}

    def ask(self, verb: str, pod: Pod | None, given: dict[str, Any] | None = None, **more: Any) -> Any:
        return self.node.ask(verb, self.config(**more), pod, given, DBUS_SYSTEM_BUS_ADDRESS=self.bus)

    def attach(self, pod: Pod, address: str, to: str) -> dict[str, Any]:
        first = bridge(bridge=to, isDefaultGateway=True, ipam=self.node.given(address))
        made = self.node.add(first, pod)
        added: dict[str, Any] = self.ask("ADD", pod, made).succeeded().document
        return added


@pytest.fixture
def guarded(node: Runtime, tmp_path: Path) -> Iterator[Guarded]:
    with firewalld(node) as bus:
        yield Guarded(node, tmp_path, bus)


def reaches(pod: Pod, address: str) -> bool:
    return Shown(pod.netns).reaches(address)


def is_kept_from(pod: Pod, address: str) -> bool:
    return not Shown(pod.netns).reaches(address, within=BRIEFLY)


def test_packets_pass_from_add_to_delete(guarded: Guarded, make_pod: MakePod) -> None:
    one, other = make_pod("one"), make_pod("other")
    guarded.node.add(bridge(bridge="foo", isDefaultGateway=True, ipam=guarded.node.given("10.1.1.2/24")), one)
    given = guarded.attach(other, "10.1.2.2/24", "bar")
    guarded.node.shown.run("sysctl -q net.ipv4.ip_forward=1")
    assert reaches(other, "10.1.1.2")
    guarded.ask("CHECK", other, given).succeeded()
    guarded.ask("STATUS", None).succeeded()
    for _ in range(2):
        guarded.ask("DEL", other, CNI_NETNS="").succeeded()
    assert is_kept_from(other, "10.1.1.2")


def test_check_finds_what_firewalld_forgot(guarded: Guarded, pod: Pod) -> None:
    given = guarded.attach(pod, "10.1.2.2/24", "bar")
    with Firewalld({"DBUS_SYSTEM_BUS_ADDRESS": guarded.bus}) as told:
        told.distrust("trusted", "10.1.2.2/32")
    assert "10.1.2.2 is not in firewalld's zone trusted" in guarded.ask("CHECK", pod, given).failed(102)


def test_an_unknown_zone_is_an_error_that_leaves_nothing(guarded: Guarded, pod: Pod) -> None:
    made = guarded.node.add(bridge(ipam=guarded.node.given("10.1.2.3/24")), pod)
    said = guarded.ask("ADD", pod, made, firewalldZone="nowhere").failed(5)
    assert "zone nowhere" in said
    assert "INVALID_ZONE" in said
    assert list((guarded.root / "records").iterdir()) == []


def test_adding_twice_and_collecting_garbage(guarded: Guarded, make_pod: MakePod) -> None:
    lost, kept = make_pod("lost"), make_pod("kept")
    guarded.attach(lost, "10.1.1.2/24", "foo")
    given = guarded.attach(kept, "10.1.2.2/24", "bar")
    guarded.ask("ADD", kept, given).succeeded()
    more: Any = {"cni.dev/valid-attachments": [{"containerID": "kept", "ifname": "eth0"}]}
    guarded.ask("GC", None, **more).succeeded()
    guarded.ask("CHECK", kept, given).succeeded()
    assert len(list((guarded.root / "records").iterdir())) == 1


def test_a_bus_that_does_not_answer_is_an_error(guarded: Guarded, pod: Pod) -> None:
    made = guarded.node.add(bridge(ipam=guarded.node.given("10.1.2.3/24")), pod)
    nowhere = f"unix:path={guarded.root}/no-bus"
    answer = guarded.node.ask("ADD", guarded.config(), pod, made, DBUS_SYSTEM_BUS_ADDRESS=nowhere)
    assert "cannot reach firewalld" in answer.failed(5)
