"""What neighbours hear of an address that has a new MAC."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.node import UPLINK
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

EVERYTHING = 3
IPV4, IPV6 = "10.1.2.3", "2001:db8::3"
STALE = "02:00:00:00:00:99"


def config(kind: str, node: Runtime) -> dict[str, Any]:
    of_kind: dict[str, object] = {"bridge": "cni0", "isGateway": True} if kind == "bridge" else {"master": UPLINK}
    ipam = node.given(f"{IPV4}/24", f"{IPV6}/64")
    return {"cniVersion": "1.1.0", "name": "blue", "type": kind, "ipam": ipam, **of_kind}


@pytest.fixture(params=["bridge", "macvlan"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def wire(kind: str, node: Runtime, make_pod: MakePod) -> Iterator[socket.socket]:
    """What the node hears on its bridge, or at the other end of its uplink."""
    if kind == "bridge":
        node.add({"cniVersion": "1.1.0", "name": "other", "type": "bridge", "bridge": "cni0"}, make_pod("other"))
    with node.host.inside():
        heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERYTHING))
    with heard:
        heard.bind(("cni0" if kind == "bridge" else "up1", EVERYTHING))
        heard.settimeout(30)
        yield heard


def awaited(wire: socket.socket, *wanted: Callable[[bytes], bool]) -> list[bytes]:
    """For each of the conditions the first frame that meets it."""
    found: dict[int, bytes] = {}
    while len(found) < len(wanted):
        heard = wire.recv(2000)
        for at, is_it in enumerate(wanted):
            if is_it(heard):
                found.setdefault(at, heard)
    return [found[at] for at in range(len(wanted))]


def test_gratuitous_arp_and_unsolicited_advertisements_are_sent(
    kind: str, node: Runtime, pod: Pod, inside: Shown, wire: socket.socket
) -> None:
    node.add(config(kind, node), pod)
    mac = bytes.fromhex(inside.link("eth0")["address"].replace(":", ""))
    ip4, ip6 = socket.inet_pton(socket.AF_INET, IPV4), socket.inet_pton(socket.AF_INET6, IPV6)
    arp, advertised = awaited(
        wire,
        lambda frame: frame[6:14] == mac + b"\x08\x06" and frame[28:32] == frame[38:42] == ip4,
        lambda frame: frame[6:14] == mac + b"\x86\xdd" and frame[54:55] == b"\x88" and frame[62:78] == ip6,
    )
    assert arp[:6] == b"\xff" * 6
    assert advertised[:6] == b"\x33\x33\x00\x00\x00\x01"


def test_who_knew_the_address_learns_its_new_mac(node: Runtime, pod: Pod, inside: Shown, make_pod: MakePod) -> None:
    node.add(config("bridge", node), make_pod("first"))
    for address in (IPV4, IPV6):
        node.shown.run(f"ip neigh replace {address} lladdr {STALE} dev cni0 nud stale")
    node.add(config("bridge", node), pod)
    deadline = time.monotonic() + 30
    while STALE in node.shown.run("ip neigh show dev cni0"):
        assert time.monotonic() < deadline, node.shown.run("ip neigh show dev cni0")
        time.sleep(0.01)
    known = node.shown.run("ip neigh show dev cni0")
    assert known.count(inside.link("eth0")["address"]) >= 2


def test_a_neighbouring_pod_learns_the_new_mac(node: Runtime, pod: Pod, inside: Shown, make_pod: MakePod) -> None:
    neighbour = make_pod("neighbour")
    node.add({**config("macvlan", node), "ipam": node.given("10.1.2.4/24", "2001:db8::4/64")}, neighbour)
    shown = Shown(neighbour.netns)
    for address in (IPV4, IPV6):
        shown.run(f"ip neigh replace {address} lladdr {STALE} dev eth0 nud stale")
    node.add(config("macvlan", node), pod)
    deadline = time.monotonic() + 30
    while STALE in shown.run("ip neigh show dev eth0"):
        assert time.monotonic() < deadline, shown.run("ip neigh show dev eth0")
        time.sleep(0.01)
    assert shown.run("ip neigh show dev eth0").count(inside.link("eth0")["address"]) >= 2


@pytest.mark.parametrize("remember", [True, False])
def test_the_node_forgets_the_mac_of_an_address_that_is_given_back(
    remember: bool, node: Runtime, pod: Pod, inside: Shown
) -> None:
    network = config("bridge", node)
    result = node.add(network, pod)
    assert node.shown.reaches(IPV4)
    assert node.shown.reaches(IPV6)
    node.shown.run("ip neigh add 10.1.2.77 lladdr 02:00:00:00:00:77 dev cni0 nud permanent")
    node.delete(network, pod, result if remember else None)
    # An entry that somebody is just using stays for a while, as failed. (One that is not permanent might go with the
    # bridge's carrier, which follows its last port.)
    known = {entry["dst"]: entry.get("lladdr") for entry in node.shown.ip("neigh show dev cni0")}
    assert known.get(IPV4) is None
    assert known.get(IPV6) is None
    assert known["10.1.2.77"] == "02:00:00:00:00:77"


def test_the_port_passes_frames_once_add_has_returned(node: Runtime, make_pod: MakePod) -> None:
    for at in range(5):
        pod = make_pod(f"pod{at}")
        network = {**config("bridge", node), "ipam": node.given(f"10.1.2.{at + 10}/24")}
        port = node.add(network, pod)["interfaces"][1]["name"]
        assert node.shown.link(port)["operstate"] == "UP"
        Shown(pod.netns).run("ping -c 1 -W 30 10.1.2.1")
