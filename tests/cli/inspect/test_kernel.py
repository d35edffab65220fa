"""The readers, held against what other programs see."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from pyroute2 import IPRoute

from cni_multus.cli.inspect import kernel, nft
from cni_multus.cli.inspect.details import details
from cni_multus.cli.inspect.notes import Note
from cni_multus.cni.request import Attachment
from cni_multus.linux.netns import Namespace
from tests.cli.inspect.conftest import shell
from tests.cli.inspect.networks import primary

if TYPE_CHECKING:
    from tests.cli.inspect.conftest import Inspected
    from tests.conftest import MakeNamespace

RULES = (
    "from 10.0.0.2 lookup 100 pref 100",
    "not from 10.3.0.0/16 to 10.4.0.0/16 iif lo lookup 101 pref 101",
    "from all fwmark 0x10/0xff oif own0 lookup 102 pref 102",
    "from all blackhole pref 103",
)


def made(netns: MakeNamespace) -> str:
    path = netns("pod")
    shell(
        path,
        "ip link set lo up; ip link add own0 type veth peer name own1; ip link set own0 up; ip link set own1 up;"
        "ip address add 10.0.0.2/24 dev own0; ip -6 address add fd00::2/64 dev own0 nodad;"
        "ip route add default via 10.0.0.1 dev own0 metric 7 mtu 1400; ip route add 10.7.0.0/16 via 10.0.0.9 table 100;"
        "ip route add blackhole 10.8.0.0/16;"
        "ip route add 10.9.0.0/16 nexthop via 10.0.0.3 nexthop via 10.0.0.4;"
        "tc qdisc add dev own0 root tbf rate 8mbit burst 10kb limit 20kb;"
        + "".join(f"ip rule add {each};" for each in RULES),
    )
    return path


def test_a_namespace_is_read_as_pyroute2_reads_it(netns: MakeNamespace) -> None:
    path = made(netns)
    space = kernel.look(path)
    assert (space.trouble, space.notes) == (None, [])
    with Namespace.open(path) as ns:
        with ns.inside():
            witness = IPRoute()
        with witness:
            links = {link["index"]: link.get("ifname") for link in witness.get_links()}
            addresses = {(each["index"], f"{each.get('address')}/{each['prefixlen']}") for each in witness.get_addr()}
            rules = {each.get("priority") for each in witness.get_rules()}
            queues = {(each["index"], each.get("kind")) for each in witness.get_qdiscs()}
    assert {index: link.name for index, link in space.links.items()} == links
    assert {(index, str(each)) for index, found in space.addresses.items() for each in found} == addresses
    assert {each.priority for each in space.policies} == rules - {0, None, 32765, 32766, 32767}
    assert {(index, each.kind) for index, found in space.queueing.items() for each in found} == queues


def test_rules_are_told_as_ip_tells_them(netns: MakeNamespace) -> None:
    path = made(netns)
    wanted = [line.split(":\t") for line in shell(path, "ip rule").splitlines()]
    own = {int(priority): " ".join(text.split()) for priority, text in wanted if priority.startswith("10")}
    assert {each.priority: each.text for each in kernel.look(path).policies} == own


def test_details_are_what_the_kernel_counts(netns: MakeNamespace) -> None:
    path = made(netns)
    shell(path, "ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev own0; ping -c1 -W1 10.0.0.3 || true")
    notes: list[Note] = []
    found = details(path, notes)["own0"]
    [link] = json.loads(shell(path, "ip -j -s link show dev own0"))
    assert notes == []
    assert found.counters["tx_packets"] == link["stats64"]["tx"]["packets"]
    assert "10.0.0.9 02:00:00:00:00:09 permanent" in found.neighbours


def test_nobody_stays_in_another_namespace(netns: MakeNamespace) -> None:
    here = os.readlink("/proc/thread-self/ns/net")
    path = made(netns)
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(3):
        kernel.look(path)
        details(path, [])
    assert os.readlink("/proc/thread-self/ns/net") == here
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 1
    assert threading.active_count() == threads


def test_what_is_no_namespace_is_said_to_be_none(netns: MakeNamespace, tmp_path: object) -> None:
    path = netns("pod")
    for wrong in (f"{path}-gone", "/etc/passwd", "/proc/self/ns/mnt", "/\0"):
        space = kernel.look(wrong)
        assert space.trouble is not None
        assert space.links == {}


def test_nftables_objects_are_told_by_their_attachment(node: Inspected) -> None:
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    network = primary(node)
    network["plugins"] += [ports, {"type": "firewall", "dataDir": str(node.root / "run")}]
    pod = node.pod("web-0")
    config = node.config(
        network, runtimeConfig={"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}
    )
    node.call("ADD", config, pod).succeeded()
    filters = nft.look(node.host)
    assert filters.notes == []
    found = {(each.table, each.name): each.detail for each in filters.of(Attachment("primary", "web-0", "eth0"))}
    port = str(node.record(pod).attachments[0].result.interfaces[1].name)  # type: ignore[union-attr]
    assert found["bridge multus_macspoof", "guarded"] == port
    assert found["inet multus_masquerade", "sources4"].startswith("10.1.0.2 -> primary-web-0-eth0-")
    assert found["inet multus_firewall", "pods4"] == "10.1.0.2"
    assert found["inet multus_hostports", "any4"] == "tcp . 8080 -> 10.1.0.2:80"
    assert set(filters.tables) == {each for each, _ in found}


def test_a_namespace_that_never_stands_still_is_read_all_the_same(netns: MakeNamespace) -> None:
    path = netns("pod")
    (Path(path).parent / "links").write_text(
        "".join(f"link add n{at} type veth peer name m{at}\n" for at in range(150))
    )
    shell(path, f"ip -batch {Path(path).parent}/links")
    stirring = "while :; do ip link add x type veth peer name y; ip link del x; done"
    with subprocess.Popen(["nsenter", f"--net={path}", "sh", "-c", stirring], process_group=0) as stirrer:
        try:
            for _ in range(5):
                space = kernel.look(path)
                assert space.trouble is None
                assert {f"n{at}" for at in range(150)} <= {link.name for link in space.own}
        finally:
            os.killpg(stirrer.pid, signal.SIGKILL)
