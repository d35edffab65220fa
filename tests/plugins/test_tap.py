"""tap: a TAP device in the pod, by which whoever owns it sends and receives frames."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.configs import pools
from tests.plugins.runtime import VERSIONS, WITH_CHECK

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown
    from tests.pods import MakePod

MAC = "02:00:5e:00:00:01"
OWNER, GROUP = 4711, 4712
FULL = {"owner": OWNER, "group": GROUP, "multiQueue": True, "mtu": 1400}

# A virtual machine at 10.1.2.9, run as somebody, with the device's name and address: asks for the pod's MAC, prints it.
MACHINE = """
import fcntl, os, select, socket, struct, sys, time
user, group, flags, address = (*map(int, sys.argv[1:4]), sys.argv[4])
device = os.open("/dev/net/tun", os.O_RDWR)
os.setgroups([])
os.setresgid(group, group, group)
os.setresuid(user, user, user)
fcntl.ioctl(device, 0x400454CA, struct.pack("=16sH22x", b"eth0", 0x1002 | flags))
own = bytes.fromhex("020000000009")
arp = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, own, socket.inet_aton("10.1.2.9"), bytes(6),
                  socket.inet_aton(address))
until = time.monotonic() + 30
while time.monotonic() < until:
    os.write(device, b"\\xff" * 6 + own + b"\\x08\\x06" + arp)  # again, until a bridge's new port forwards
    frame = os.read(device, 2048) if select.select([device], [], [], 0.1)[0] else b""
    if frame[12:14] == b"\\x08\\x06" and frame[20:22] == b"\\0\\2":
        sys.exit(print(frame[6:12].hex(":")))
sys.exit("nobody answered")
"""


def tap(version: str = "1.1.0", /, **more: object) -> dict[str, Any]:
    return {"cniVersion": version, "name": "blue", "type": "tap", **more}


def machine(
    pod: Pod, user: int, group: int, flags: int = 0, address: str = "10.1.2.2"
) -> subprocess.CompletedProcess[str]:
    arguments = [str(word) for word in (user, group, flags, address)]
    command = ["nsenter", f"--net={pod.netns}", sys.executable, "-ISc", MACHINE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def device(inside: Shown) -> dict[str, Any]:
    """What the kernel tells of the pod's device."""
    info: dict[str, Any] = inside.link("eth0")["linkinfo"]
    assert info["info_kind"] == "tun"
    data: dict[str, Any] = info["info_data"]
    return data


@pytest.mark.parametrize("version", VERSIONS)
def test_it_has_the_address_mac_and_owner_that_were_asked_for(
    version: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    """BUG of the reference: with owner and group it has another MAC."""
    config = tap(version, mac=MAC, ipam=pools(node, "10.1.2.0/24"), **FULL)
    result = node.add(config, pod)
    shown = inside.link("eth0")
    assert (shown["address"], shown["mtu"], inside.addresses("eth0")) == (MAC, 1400, {"10.1.2.2/24"})
    assert inside.is_up("eth0")
    told = device(inside)
    assert (told["type"], told["multi_queue"], told["persist"]) == ("tap", True, True)
    assert (told["user"], told["group"]) == (OWNER, GROUP)
    if version in VERSIONS[2:]:
        mtu = {"mtu": 1400} if version == "1.1.0" else {}
        assert result["interfaces"] == [{"name": "eth0", "mac": MAC, "sandbox": pod.netns, **mtu}]
        assert [(ip["interface"], ip["address"]) for ip in result["ips"]] == [(0, "10.1.2.2/24")]
    if version in WITH_CHECK:
        node.check(config, pod, result)
    node.delete(config, pod, result)
    assert (inside.links(), node.reserved("blue")) == (set(), {})


@pytest.mark.parametrize("version", VERSIONS)
def test_it_needs_no_addresses(version: str, node: Runtime, pod: Pod, inside: Shown) -> None:
    if version in VERSIONS[:2]:
        assert "no valid IP addresses" in node.ask("ADD", tap(version), pod).failed(1)
        assert inside.links() == set()
        return
    result = node.add(tap(version), pod)
    assert (inside.is_up("eth0"), inside.addresses("eth0")) == (True, set())
    assert {"user", "group"}.isdisjoint(device(inside))
    node.delete(tap(version), pod, result)
    assert inside.links() == set()


def test_the_macs_sources_rank(node: Runtime, make_pod: MakePod) -> None:
    def mac(name: str, *, arguments: str = "", **more: object) -> str:
        result = node.add(tap(**more), make_pod(name), CNI_ARGS=f"IgnoreUnknown=1;{arguments}")
        return str(result["interfaces"][0]["mac"])

    other = "02:00:5e:00:00:02"
    assert mac("configured", mac=MAC) == MAC
    assert mac("argument", mac=other, arguments=f"MAC={MAC}") == MAC
    assert mac("runtime", arguments=f"MAC={other}", runtimeConfig={"mac": MAC.upper()}) == MAC


@pytest.mark.parametrize(("more", "flags"), [({}, 0), ({"multiQueue": True}, 0x100)], ids=["one queue", "many"])
def test_its_owner_sends_and_receives_frames(more: dict[str, Any], flags: int, node: Runtime, pod: Pod) -> None:
    node.add(tap(mac=MAC, owner=OWNER, group=GROUP, ipam=pools(node, "10.1.2.0/24"), **more), pod)
    spoke = machine(pod, OWNER, GROUP, flags)
    assert (spoke.stdout.strip(), spoke.stderr) == (MAC, "")


@pytest.mark.parametrize(
    ("config", "user", "group"),
    [({"owner": OWNER}, 1, 1), ({"group": GROUP}, OWNER, 1), ({"owner": 0}, OWNER, GROUP)],
    ids=str,
)
def test_nobody_else_may_attach_to_it(config: dict[str, Any], user: int, group: int, node: Runtime, pod: Pod) -> None:
    node.add(tap(**config), pod)
    assert "Operation not permitted" in machine(pod, user, group).stderr


def test_it_becomes_a_port_of_a_bridge_of_the_pod(node: Runtime, pod: Pod, inside: Shown) -> None:
    inside.run("ip link add br0 up type bridge && ip addr add 10.1.2.1/24 dev br0")
    config = tap(bridge="br0", owner=OWNER, group=GROUP)
    result = node.add(config, pod)
    assert inside.link("eth0")["master"] == "br0"
    node.check(config, pod, result)
    bridge_mac = inside.link("br0")["address"]
    spoke = machine(pod, OWNER, GROUP, address="10.1.2.1")
    assert (spoke.stdout.strip(), spoke.stderr) == (bridge_mac, "")
    inside.run("ip link set eth0 nomaster")
    assert "it is not a port of br0" in node.difference(config, pod, result)
    node.delete(config, pod, result)
    assert inside.links() == {"br0"}


@pytest.mark.parametrize("there", ["", "ip link add br0 type veth peer name other"], ids=["nothing", "no bridge"])
def test_a_bridge_that_is_not_in_the_pod_is_told_before_anything_happens(
    there: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    node.shown.run("ip link add br0 type bridge")
    inside.run(there or "true")
    before = inside.everything()
    message = node.ask("ADD", tap(bridge="br0", ipam=node.given("10.1.2.3/24")), pod).failed(7)
    assert message.startswith("bridge: ")
    assert pod.netns in message
    assert (inside.everything(), node.verbs()) == (before, [])


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"mtu": 65522}, 7),
        ({"mtu": -1}, 7),
        ({"owner": -1}, 7),
        ({"owner": 0xFFFFFFFF}, 7),
        ({"group": "users"}, 6),
        ({"multiQueue": "yes"}, 6),
        ({"mac": "02:00"}, 7),
        ({"bridge": 5}, 6),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_with_its_path_before_anything_happens(
    wrong: dict[str, Any], code: int, node: Runtime, pod: Pod, inside: Shown
) -> None:
    message = node.ask("ADD", tap(ipam=node.given("10.1.2.3/24"), **wrong), pod).failed(code)
    assert message.startswith(next(iter(wrong)))
    assert (inside.links(), node.verbs()) == (set(), [])


@pytest.mark.skipif(Path("/sys/fs/selinux/enforce").exists(), reason="SELinux is enabled here")
def test_a_label_is_refused_where_there_is_no_selinux(node: Runtime, pod: Pod, inside: Shown) -> None:
    config = tap(selinuxContext="system_u:system_r:container_t:s0", ipam=node.given("10.1.2.3/24"))
    assert node.ask("ADD", config, pod).failed(2).startswith("selinuxContext: SELinux is not enabled")
    assert (inside.links(), node.verbs()) == (set(), [])


@pytest.mark.parametrize(
    "bad",
    [
        {"mtu": 50, "ipam": {}},
        {"ipam": {"routes": [{"dst": "10.9.0.0/16", "gw": "10.1.2.1", "scope": 253}]}},
    ],
    ids=["mtu", "route"],
)
def test_what_the_kernel_refuses_leaves_no_device(bad: dict[str, Any], node: Runtime, pod: Pod, inside: Shown) -> None:
    config = tap(**{**bad, "ipam": node.given("10.1.2.3/24", **bad["ipam"])})
    node.ask("ADD", config, pod).failed(100)
    assert (inside.links(), node.verbs()) == (set(), ["ADD", "DEL"])


def test_failed_ipam_leaves_no_device(node: Runtime, pod: Pod, inside: Shown) -> None:
    """BUG of the reference: it stays, and a second ADD fails because of it."""
    node.program("given", node.runtime_path, ADD={"status": 1, "stdout": '{"code": 42, "msg": "none left"}'})
    assert node.ask("ADD", tap(ipam={"type": "given"}), pod).failed(42) == "none left"
    assert inside.links() == set()
    node.add(tap(ipam=node.given("10.1.2.3/24")), pod)


def test_check_names_every_difference(node: Runtime, pod: Pod, inside: Shown) -> None:
    config = tap(mac=MAC, ipam=pools(node, "10.1.2.0/24"), **FULL)
    result = node.add(config, pod)
    inside.run("ip link set eth0 down address 02:00:5e:00:00:07 mtu 1300")
    changed = {**config, "owner": 1, "group": 2, "multiQueue": False}
    message = node.difference(changed, pod, result)
    for said in (
        "its MAC is 02:00:5e:00:00:07",
        "its MTU is 1300, not 1400",
        "it is down",
        f"its owner is {OWNER}, not 1",
        f"its group is {GROUP}, not 2",
        "its multiQueue is on, not off",
    ):
        assert said in message
    assert "its owner is 4711, not nobody" in node.difference(tap(multiQueue=True, group=GROUP), pod, result)


def test_delete_needs_nothing_and_succeeds_twice(node: Runtime, pod: Pod, inside: Shown) -> None:
    config = tap(ipam=pools(node, "10.1.2.0/24"), bridge="gone", mtu=100000)
    node.delete(config, pod)
    node.add(tap(ipam=pools(node, "10.1.2.0/24")), pod)
    for _ in range(2):
        node.delete(config, pod)
        assert (inside.links(), node.reserved("blue")) == (set(), {})
    node.delete(config, pod, CNI_NETNS="")
    inside.run("ip link add eth0 type veth peer name other")
    node.delete(config, pod)
    assert inside.links() == {"eth0", "other"}


def test_status_asks_its_ipam_too(node: Runtime) -> None:
    node.ask("STATUS", tap()).succeeded()
    node.ask("STATUS", tap(ipam=pools(node, "10.1.2.0/24", dataDir="/proc/nowhere"))).failed(50)
