"""bridge: macspoofchk, by the frames that pass and those that do not."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.configs import bridge, pools
from tests.plugins.frames import BROADCAST, Wire
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

WITHOUT_NFTABLES = Path(__file__).with_name("without_nftables.py")
FALSE = "02:00:00:00:00:99"
ASKED = "02:00:00:00:00:07"
ARP = 0x0806


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def checked(**more: object) -> dict[str, Any]:
    return bridge(macspoofchk=True, **more)


def guarded(node: Runtime) -> dict[str, set[str]]:
    """The attachments that the table knows, by their comments, and the ports and MACs of each."""
    done = subprocess.run(
        ["nsenter", f"--net={node.host.path}", "nft", "-j", "list", "table", "bridge", "multus_macspoof"],
        capture_output=True,
        check=False,
    )
    found: dict[str, set[str]] = {}
    for entry in json.loads(done.stdout or b"{}").get("nftables", ()):
        for element in entry.get("set", {}).get("elem", ()):
            value = element["elem"]["val"]
            words = value["concat"] if isinstance(value, dict) else [value]
            found.setdefault(element["elem"]["comment"], set()).update(words)
    return found


def test_frames_with_a_false_mac_do_not_get_through(node: Runtime, make_pod: MakePod, opened: ExitStack) -> None:
    liar, witness, free = make_pod("liar"), make_pod("witness"), make_pod("free")
    for pod in (liar, witness):
        node.add(checked(), pod)
    node.add(bridge(), free)
    lying, heard, other = (opened.enter_context(Wire(pod.netns)) for pod in (liar, witness, free))
    lying.send("the MAC of nobody", source=FALSE)
    lying.send("the MAC of another pod", source=heard.mac)
    lying.send("the MAC of the node", source=node.shown.link("cni0")["address"])
    lying.send("its own")
    assert heard.heard("its own") == ["its own"]
    other.send("unchecked", source=FALSE)
    assert heard.heard("unchecked") == ["unchecked"]


def test_what_arp_says_inside_a_true_frame_is_not_looked_at(
    node: Runtime, make_pod: MakePod, opened: ExitStack
) -> None:
    """As with the reference: the check is one of frames."""
    pods = make_pod("one"), make_pod("other")
    for pod in pods:
        node.add(checked(), pod)
    one, other = (opened.enter_context(Wire(pod.netns)) for pod in pods)
    sender = bytes.fromhex(FALSE.replace(":", "")) + bytes((10, 0, 0, 1))
    for source in ("", FALSE):
        frame = struct.pack("!HHHBBH", ARP, 1, 0x0800, 6, 4, 1) + sender + bytes(6) + bytes((10, 0, 0, 2))
        one.send_raw(BROADCAST, source, frame.ljust(48, b"\0"))
    one.send("then")
    assert other.heard("then", ARP) == ["0x0806", "then"]


def test_pods_talk_as_if_there_were_no_check(node: Runtime, make_pod: MakePod) -> None:
    config = checked(isDefaultGateway=True, ipam=pools(node, "10.1.2.0/24", "2001:db8::/64"))
    pods = [make_pod(name) for name in ("one", "other")]
    results = [node.add(config, pod) for pod in pods]
    for ip in results[1]["ips"]:
        for address in (ip["address"].split("/")[0], ip["gateway"]):
            Shown(pods[0].netns).run(f"ping -c1 -W5 {address}")


def test_the_mac_that_is_allowed_is_the_one_that_was_asked_for(node: Runtime, pod: Pod) -> None:
    config = checked(runtimeConfig={"mac": ASKED})
    result = node.add(config, pod)
    assert guarded(node) == {"multus:blue:pod1:eth0": {result["interfaces"][1]["name"], ASKED}}
    node.check(config, pod, result)


@pytest.mark.parametrize("how", ["a namespace", "no namespace", "no prevResult", "neither", "a namespace that is gone"])
def test_delete_forgets_the_pod(how: str, node: Runtime, make_pod: MakePod) -> None:
    """BUG of the reference: without the namespace all rules and chains stay."""
    config, pod, other = checked(), make_pod("pod"), make_pod("other")
    result = node.add(config, pod)
    node.add(config, other)
    changed = {"no namespace": "", "neither": "", "a namespace that is gone": "/run/netns/gone"}
    environment = {"CNI_NETNS": changed[how]} if how in changed else {}
    known = None if how in ("no prevResult", "neither") else result
    for _ in range(2):
        node.delete(config, pod, known, **environment)
        assert set(guarded(node)) == {"multus:blue:other:eth0"}


def test_interfaces_of_one_pod_are_checked_one_by_one(node: Runtime, pod: Pod) -> None:
    config = checked()
    for ifname in ("net1", "net2"):
        node.add(config, pod, CNI_IFNAME=ifname)
    node.delete(config, pod, CNI_IFNAME="net1")
    assert set(guarded(node)) == {"multus:blue:pod1:net2"}


def test_gc_forgets_pods_that_are_gone_and_no_others(node: Runtime, make_pod: MakePod) -> None:
    config = checked()
    keep, lose, dead = make_pod("keep"), make_pod("lose"), make_pod("dead")
    for pod in (keep, lose, dead):
        node.add(config, pod)
    node.add(checked(name="red"), keep, CNI_IFNAME="net1")
    Shown(dead.netns).run("ip link del eth0")
    valid = [{"containerID": "keep", "ifname": "eth0"}]
    node.ask("GC", {**config, "cni.dev/valid-attachments": valid}).succeeded()
    assert set(guarded(node)) == {"multus:blue:keep:eth0", "multus:red:keep:net1"}


def test_a_failed_add_leaves_nothing(node: Runtime, make_pod: MakePod) -> None:
    node.add(checked(), make_pod("first"))
    before, known = node.shown.everything(), guarded(node)
    node.ask("ADD", checked(mtu=1000, ipam=node.given("2001:db8::3/64")), make_pod("second")).failed(7)
    assert (node.shown.everything(), guarded(node)) == (before, known)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("nft delete table bridge multus_macspoof", "checks nobody's MAC"),
        ("nft flush table bridge multus_macspoof", "checks nobody's MAC"),
        ("nft flush set bridge multus_macspoof guarded", "is not under the spoof check"),
        ("nft flush set bridge multus_macspoof allowed", "lets no frame of its MAC"),
    ],
)
def test_check_looks_at_the_rules(change: str, said: str, node: Runtime, pod: Pod) -> None:
    config = checked()
    result = node.add(config, pod)
    node.check(config, pod, result)
    node.shown.run(change)
    assert said in node.difference(config, pod, result)


def test_check_tells_of_a_mac_that_changed_afterwards(node: Runtime, pod: Pod, inside: Shown) -> None:
    """The pod, or a program later in the list, which also told the result: the frames are dropped then."""
    config = checked()
    result = node.add(config, pod)
    inside.run(f"ip link set eth0 address {FALSE}")
    result["interfaces"][2]["mac"] = FALSE
    assert f"lets no frame of its MAC {FALSE} in" in node.difference(config, pod, result)


def test_the_next_add_repairs_a_table_that_was_emptied(node: Runtime, make_pod: MakePod, opened: ExitStack) -> None:
    first, second = make_pod("first"), make_pod("second")
    result = node.add(checked(), first)
    node.shown.run("nft flush table bridge multus_macspoof")
    node.add(checked(), second)
    node.check(checked(), first, result)
    lying, heard = (opened.enter_context(Wire(pod.netns)) for pod in (first, second))
    lying.send("false", source=FALSE)
    lying.send("true")
    assert heard.heard("true") == ["true"]


def test_a_kernel_without_nftables_says_so_before_anything_happens(node: Runtime, pod: Pod) -> None:
    command = [sys.executable, str(WITHOUT_NFTABLES)]
    before = node.shown.everything()
    config = checked(ipam=node.given("10.1.2.3/24"))
    for verb, code in (("ADD", 2), ("STATUS", 50)):
        message = node.process(verb, config, pod if verb == "ADD" else None, *command).failed(code)
        assert message.startswith("macspoofchk: the kernel of this node filters no frames of bridges")
    assert node.shown.everything() == before
    assert node.verbs() == []
    node.process("DEL", config, pod, *command).succeeded()
    garbage = {**config, "cni.dev/valid-attachments": []}
    node.process("GC", garbage, None, *command).succeeded()


def test_asking_whether_the_kernel_can_do_it_leaves_nothing(node: Runtime, pod: Pod) -> None:
    node.ask("STATUS", checked()).succeeded()
    assert node.shown.run("nft list tables") == ""


def test_many_pods_at_once_are_all_checked(node: Runtime, make_pod: MakePod) -> None:
    config, pods = checked(), [make_pod(f"pod{at}") for at in range(8)]
    with ThreadPoolExecutor(len(pods)) as pool:
        results = list(pool.map(lambda pod: node.add(config, pod), pods))
    assert len(guarded(node)) == len(pods)
    for pod, result in zip(pods, results, strict=True):
        node.check(config, pod, result)
    with ThreadPoolExecutor(len(pods)) as pool:
        list(pool.map(lambda pod: node.delete(config, pod), pods))
    assert guarded(node) == {}
