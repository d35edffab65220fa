"""What is wrong with links, records, pods and addresses, and with the kernel below them."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from cni_multus.cni.request import Attachment
from cni_multus.marks import chain_name
from cni_multus.state.journal import Journal
from ipam.whereabouts.cluster.journal import Journal as ClusterJournal
from tests.cli.doctor.illnesses.illness import Illness, on_the_node, rewrite
from tests.cli.inspect.conftest import shell
from tests.node import UPLINK, Pod

if TYPE_CHECKING:
    from tests.cli.doctor.conftest import Ward


def master_down(node: Ward) -> None:
    on_the_node(node, f"ip link set {UPLINK} down")


def master_gone(node: Ward) -> None:
    rewrite(node, "blue", master="ens9")


def master_too_small(node: Ward) -> None:
    rewrite(node, "blue", mtu=9000)


def bridge_down(node: Ward) -> None:
    on_the_node(node, "ip link set cni0 down")


def networkd_configures(node: Ward) -> None:
    directory = node.run_dir / "systemd" / "netif" / "links"
    directory.mkdir(parents=True)
    index = json.loads(on_the_node(node, "ip -j link show cni0"))[0]["ifindex"]
    (directory / str(index)).write_text("# private data\nADMIN_STATE=configured\nOPER_STATE=routable\n")


def pod_died(node: Ward) -> None:
    node.die(Pod(str(node.root / "web-0"), "web-0"))


def damaged_record(node: Ward) -> None:
    node.record_file(Pod("", "web-0")).write_bytes(b"rubbish")


def killed_add(node: Ward) -> None:
    record = node.record(Pod("", "web-0"))
    record.complete, record.created = False, int(time.time()) - 3600
    Journal(str(node.cni_dir)).write(record)


def two_programs_and_a_sysctl(node: Ward) -> None:
    shell(str(node.root / "web-0"), "sysctl -qw net.ipv4.conf.eth0.arp_filter=0")


def address_taken_away(node: Ward) -> None:
    shell(str(node.root / "web-0"), "ip address flush dev net1 scope global")


def link_deleted(node: Ward) -> None:
    shell(str(node.root / "web-0"), "ip link delete net1")


def empty_scratch(node: Ward) -> None:
    (node.cni_dir / "0123456789abcdef").touch()


def leaked_address(node: Ward) -> None:
    path = node.addresses / "red" / "10.2.0.77"
    path.write_bytes(b"long-dead\r\nnet1")
    os.utime(path, (1e9, 1e9))


def full_pool(node: Ward) -> None:
    rewrite(node, "blue", ipam={"type": "host-local", "subnet": "10.9.0.0/30", "dataDir": str(node.addresses)})
    node.write("30-blue.conf", json.loads(json.loads((node.defined / "blue.json").read_text())["spec"]["config"]))
    node.attach("last", "blue")


def leaked_link(node: Ward) -> None:
    on_the_node(node, "ip link add vethdead type veth peer name vethpeer")
    on_the_node(
        node, "ip link set vethdead alias multus:primary:dead:eth0; ip link set vethdead up; ip link set vethpeer up"
    )


def leaked_filters(node: Ward) -> None:
    """What an ADD leaves that is killed before its record is whole, and whose record is then lost."""
    chain = chain_name(Attachment("primary", "dead", "eth0"))
    on_the_node(node, f"nft add chain inet multus_masquerade {chain} '{{ comment \"multus:primary:dead:eth0\"; }}'")


def address_of_nobody(node: Ward) -> None:
    (node.addresses / "red" / "10.2.0.9").write_bytes(b"")
    os.utime(node.addresses / "red" / "10.2.0.9", (1e9, 1e9))


def no_ipvlan(node: Ward) -> None:
    """What the kernel of the tests lacks; where it does not, one that no kernel has would be no network of ours."""
    rewrite(node, "blue", type="ipvlan")


def forwards_nothing(node: Ward) -> None:
    on_the_node(node, "sysctl -qw net.ipv4.ip_forward=0")


def one_subnet_twice(node: Ward) -> None:
    static = {"type": "static", "addresses": [{"address": "10.2.0.99/24"}], "dataDir": str(node.root / "static")}
    rewrite(node, "blue", ipam=static)
    pod = node.attach("twice", "red,blue")
    shell(pod.netns, "sysctl -qw net.ipv4.conf.net2.rp_filter=1")


def clock_went_back(node: Ward) -> None:
    record = node.record(Pod("", "web-0"))
    record.created = int(time.time()) + 86400
    Journal(str(node.cni_dir)).write(record)


def addresses_that_wait(node: Ward) -> None:
    """A DEL is done, and the API server did not hear of it."""
    journal = ClusterJournal(str(node.leases))
    journal.note_todo("0" * 40)
    for path in [node.leases, *node.leases.rglob("*")]:
        os.utime(path, (1e9, 1e9))


ILLNESSES = {
    "addresses that wait": Illness(addresses_that_wait, "address-waiting", ("1 attachments wait",)),
    "a master that is down": Illness(master_down, "master-down", ("up0 is down", "network red")),
    "a master that is gone": Illness(master_gone, "master-missing", ("no link ens9", "network blue")),
    "an MTU that is too large": Illness(master_too_small, "master-mtu", ("9000", "1500")),
    "a bridge that is down": Illness(bridge_down, "master-down", ("cni0 is down",)),
    "a manager of networks": Illness(networkd_configures, "link-managed", ("systemd-networkd manages cni0",)),
    "a pod that died": Illness(pod_died, "record-orphan", ("blue/web-0", "namespace is gone")),
    "a damaged record": Illness(damaged_record, "record-damaged", ("web-0@eth0",)),
    "an ADD that was killed": Illness(killed_add, "record-unfinished", ("ADD of pod blue/web-0",)),
    "two programs and a sysctl": Illness(two_programs_and_a_sysctl, "sysctl-changed", ("arp_filter", "is 0")),
    "an address taken away": Illness(address_taken_away, "attachment-differs", ("net1", "10.2.0.")),
    "a link deleted": Illness(link_deleted, "attachment-differs", ("net1 is gone",)),
    "an empty scratch file": Illness(empty_scratch, "go-scratch", ("0123456789abcdef",)),
    "a leaked address": Illness(leaked_address, "address-leaked", ("10.2.0.77",)),
    "a full pool": Illness(full_pool, "pool-full", ("blue is full",)),
    "a leaked link": Illness(leaked_link, "link-leaked", ("vethdead",)),
    "leaked filters": Illness(leaked_filters, "nft-leaked", ("multus_masquerade chain primary-dead-eth0",)),
    "an address of nobody": Illness(address_of_nobody, "address-inconsistent", ("10.2.0.9",)),
    "a kind of link that the kernel lacks": Illness(no_ipvlan, "kernel-feature", ("no ipvlan", "network blue")),
    "forwarding is off": Illness(forwards_nothing, "forwarding", ("net.ipv4.ip_forward is 0",)),
    "one subnet twice": Illness(one_subnet_twice, "rp-filter", ("blue/twice", "net1 and net2")),
    "the clock went back": Illness(clock_went_back, "clock", ("went back",)),
}
