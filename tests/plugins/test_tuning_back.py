"""tuning: what it takes back, and when there is nothing left to take back; CHECK, STATUS and GC."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import LIBC, MNT_DETACH
from tests.node import UPLINK
from tests.plugins.shown import Shown
from tests.plugins.tuned import Tuned

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

MAC = "02:00:5e:00:00:01"
ARP_FILTER = "net.ipv4.conf.IFNAME.arp_filter"
CHANGES: dict[str, Any] = {
    "mac": MAC,
    "mtu": 1400,
    "promisc": True,
    "allmulti": True,
    "txQLen": 7,
    "sysctl": {ARP_FILTER: "1", "net.core.somaxconn": "77"},
}


@pytest.fixture
def tuned(node: Runtime, pod: Pod, inside: Shown) -> Tuned:
    return Tuned(node, pod, inside)


def state(tuned: Tuned) -> dict[str, Any]:
    settings = {name: tuned.setting(name) for name in ("ipv4/conf/eth0/arp_filter", "core/somaxconn")}
    return {**tuned.shown(), **settings, **tuned.inside.everything()}


@pytest.mark.parametrize(
    ("refused", "code", "words"),
    [
        ({"mtu": 70000}, 100, "cannot set the MTU of eth0 to 70000"),
        ({"sysctl": {**CHANGES["sysctl"], "net.ipv4.conf.IFNAME.rp_filter": "high"}}, 5, "rp_filter to 'high'"),
    ],
    ids=["mtu", "sysctl"],
)
def test_a_failed_add_leaves_what_it_found(refused: dict[str, Any], code: int, words: str, tuned: Tuned) -> None:
    """BUG of the reference: what was changed before stays changed."""
    before = state(tuned)
    assert words in tuned.ask("ADD", tuned.config(**{**CHANGES, **refused})).failed(code)
    assert state(tuned) == before
    assert not tuned.file.exists()


def test_a_backup_that_cannot_be_written_changes_nothing(tuned: Tuned) -> None:
    tuned.data_dir.write_text("a file")
    before = state(tuned)
    config = tuned.config(**CHANGES)
    assert str(tuned.data_dir) in tuned.ask("ADD", config).failed(5)
    assert state(tuned) == before
    tuned.node.delete(config, tuned.pod)


def test_a_driver_that_changes_no_mac_is_told_of(tuned: Tuned) -> None:
    tuned.inside.run("ip link add net1 up mtu 1450 type ifb")
    before = tuned.inside.everything()
    message = tuned.ask("ADD", tuned.config(mac=MAC, mtu=1400), CNI_IFNAME="net1").failed(100)
    assert message.startswith(f"cannot set the MAC of net1 to {MAC}: ")
    assert "let the plugin that makes the interface set it" in message
    assert tuned.inside.everything() == before


def test_the_backup_is_that_of_the_reference_and_more(tuned: Tuned) -> None:
    before = tuned.shown()
    tuned.add(tuned.config(**CHANGES))
    remembered = tuned.remembered()
    assert {key: remembered[key] for key in before} == before
    assert remembered["sysctl"]["net/ipv4/conf/eth0/arp_filter"] == "0"
    assert tuned.file.stat().st_mode & 0o777 == 0o600


def test_what_the_reference_wrote_is_restored(tuned: Tuned) -> None:
    before = tuned.shown()
    tuned.data_dir.mkdir()
    tuned.file.write_text('{\n "mac": "02:00:5e:00:00:09",\n "promisc": false,\n "mtu": 1350,\n "txQLen": 5\n}')
    tuned.inside.run("ip link set eth0 promisc on allmulticast on")
    tuned.node.delete(tuned.config(), tuned.pod)
    assert tuned.shown() == {**before, "mac": "02:00:5e:00:00:09", "mtu": 1350, "txQLen": 5, "allmulti": True}
    assert not tuned.file.exists()


def test_a_second_add_does_not_take_its_own_work_for_what_was_there(tuned: Tuned) -> None:
    """BUG of the reference: the backup is written anew, with what the first ADD made."""
    before = state(tuned)
    tuned.add(tuned.config(**CHANGES))
    config = tuned.config(**{**CHANGES, "mtu": 1300, "sysctl": {"net.ipv4.conf.IFNAME.log_martians": "1"}})
    tuned.add(config)
    assert tuned.shown()["mtu"] == 1300
    tuned.node.delete(config, tuned.pod)
    assert state(tuned) == before
    assert tuned.setting("ipv4/conf/eth0/log_martians") == "0"


def test_a_second_add_that_fails_leaves_the_first(tuned: Tuned) -> None:
    before = state(tuned)
    tuned.add(tuned.config(**CHANGES))
    between, remembered = state(tuned), tuned.remembered()
    tuned.ask("ADD", tuned.config(mtu=70000, sysctl={ARP_FILTER: "0"})).failed(100)
    assert (state(tuned), tuned.remembered()) == (between, remembered)
    tuned.node.delete(tuned.config(), tuned.pod)
    assert state(tuned) == before


def test_a_backup_of_an_earlier_namespace_is_not_believed(tuned: Tuned, make_pod: MakePod) -> None:
    """The container's ID may come again: cnitool makes it of the namespace's path."""
    tuned.add(tuned.config(mtu=1300, txQLen=5))
    was = tuned.remembered()
    tuned.file.write_text(tuned.file.read_text().replace(was["netns"], "4:1").replace("1500", "1234"))
    tuned.add(tuned.config(mtu=1400))
    tuned.node.delete(tuned.config(), tuned.pod)
    assert tuned.shown()["mtu"] == 1300


@pytest.mark.parametrize("gone", ["link", "namespace", "stale file", "no namespace"])
def test_what_is_gone_needs_no_restoring_and_leaves_no_file(gone: str, tuned: Tuned) -> None:
    """BUG of the reference: the backup stays for ever."""
    config = tuned.config(**CHANGES)
    result = tuned.add(config)
    environment = {}
    if gone == "link":
        tuned.inside.run("ip link delete eth0")
    elif gone == "no namespace":
        environment = {"CNI_NETNS": ""}
    else:
        LIBC.umount2(tuned.pod.netns.encode(), MNT_DETACH)
        if gone == "namespace":
            os.unlink(tuned.pod.netns)
    for _ in range(2):
        tuned.node.delete(config, tuned.pod, result, **environment)
        assert not tuned.file.exists()
    if gone == "link":
        assert tuned.setting("core/somaxconn") != "77"


@pytest.mark.parametrize(
    "broken",
    [{"sysctl": [1]}, {"mac": 5}, {"mtu": "x"}, {"args": []}, {"sysctl": {"kernel.x": "1"}}, {"runtimeConfig": 1}],
)
def test_delete_needs_no_valid_configuration(broken: dict[str, Any], tuned: Tuned) -> None:
    """BUG of the reference: a key or an argument that cannot be read makes DEL fail."""
    before = state(tuned)
    tuned.add(tuned.config(**CHANGES))
    previous = {"cniVersion": "1.1.0", "interfaces": "none"}
    tuned.node.delete({**tuned.config(), **broken}, tuned.pod, previous, CNI_ARGS="COLOUR;MAC=x")
    assert state(tuned) == before


def test_a_damaged_backup_is_forgotten(tuned: Tuned) -> None:
    tuned.data_dir.mkdir()
    for content in ("", "{", "[]"):
        tuned.file.write_text(content)
        tuned.node.delete(tuned.config(), tuned.pod)
        assert not tuned.file.exists()


def test_what_cannot_be_restored_is_told_and_the_rest_is_restored(tuned: Tuned) -> None:
    """BUG of the reference: nobody learns of it."""
    tuned.add(tuned.config(**CHANGES))
    text = tuned.file.read_text()
    tuned.file.write_text(text.replace('"mtu":1500', '"mtu":70000'))
    message = tuned.node.ask("DEL", tuned.config(), tuned.pod).failed(100)
    assert "cannot set the MTU of eth0 to 70000" in message
    assert (tuned.shown()["promisc"], tuned.setting("ipv4/conf/eth0/arp_filter")) == (False, "0")
    tuned.inside.run("ip link delete eth0")
    tuned.node.delete(tuned.config(), tuned.pod)
    assert not tuned.file.exists()


def test_another_networks_backup_is_left_alone(tuned: Tuned) -> None:
    tuned.add(tuned.config(mtu=1400))
    tuned.node.delete({**tuned.config(), "name": "red"}, tuned.pod)
    assert tuned.shown()["mtu"] == 1400
    assert tuned.file.exists()


@pytest.mark.parametrize(
    ("drift", "words"),
    [
        ("ip link set eth0 address 02:00:5e:00:00:77", "its MAC is 02:00:5e:00:00:77, not 02:00:5e:00:00:01"),
        ("ip link set eth0 mtu 1399", "its MTU is 1399, not 1400"),
        ("ip link set eth0 txqueuelen 8", "its transmit queue length is 8, not 7"),
        ("ip link set eth0 promisc off", "its promiscuous mode is off"),
        ("ip link set eth0 allmulticast off", "its all-multicast mode is off"),
        ("echo 0 > /proc/sys/net/ipv4/conf/eth0/arp_filter", f"{ARP_FILTER} is '0', not '1'"),
        ("ip link delete eth0", "it is gone"),
    ],
    ids=str,
)
def test_check_finds_every_difference(drift: str, words: str, tuned: Tuned) -> None:
    config = tuned.config(**CHANGES)
    result = tuned.add(config)
    tuned.node.check(config, tuned.pod, result)
    tuned.inside.run(drift)
    assert words in tuned.node.difference(config, tuned.pod, result)


def test_check_names_all_differences_at_once(tuned: Tuned) -> None:
    config = tuned.config(**CHANGES)
    result = tuned.add(config)
    tuned.inside.run("ip link set eth0 mtu 1399 promisc off && echo 99 > /proc/sys/net/core/somaxconn")
    assert tuned.node.difference(config, tuned.pod, result).count(";") == 2


def test_check_is_not_put_off_by_spelling(tuned: Tuned) -> None:
    """BUG of the reference: upper case, and tabs where the kernel has blanks, are differences."""
    ports = {"net.ipv4.ip_local_port_range": " 40000   50000 ", ARP_FILTER: "0x1"}
    config = tuned.config(mac=MAC.upper().replace(":", "-"), sysctl=ports)
    tuned.node.check(config, tuned.pod, tuned.add(config))


def test_check_is_not_put_off_by_somebody_who_listens(tuned: Tuned) -> None:
    """BUG of the reference: tcpdump in the pod makes CHECK fail. A macvlan in passthru mode listens as well."""
    config = tuned.config(mtu=1400)
    result = tuned.add(config)
    tuned.inside.run("ip link add link eth0 name listener type macvlan mode passthru && ip link set listener up")
    assert tuned.inside.link("eth0")["promiscuity"] > 0
    tuned.node.check(config, tuned.pod, result)


def test_check_needs_the_result(tuned: Tuned) -> None:
    assert tuned.node.ask("CHECK", tuned.config(), tuned.pod).failed(7).startswith("prevResult: ")


def test_garbage_collection_keeps_what_is_valid(tuned: Tuned) -> None:
    tuned.add(tuned.config(mtu=1400))
    data = tuned.file.read_text()
    for container_id, network in (("lost", "blue"), ("lost", "red")):
        (tuned.data_dir / f"{container_id}_{network}.json").write_text(
            data.replace('"pod1"', f'"{container_id}"').replace('"blue"', f'"{network}"').replace("eth0", network)
        )
    (tuned.data_dir / "of-the-reference_eth0.json").write_text('{"mtu": 1500}')
    valid = {"cni.dev/valid-attachments": [{"containerID": "pod1", "ifname": "eth0"}]}
    tuned.node.ask("GC", {**tuned.config(), **valid}).succeeded()
    left = {path.name for path in tuned.data_dir.iterdir()}
    assert left == {"pod1_eth0.json", "lost_red.json", "of-the-reference_eth0.json"}
    tuned.node.ask("GC", tuned.config()).failed(7)


def test_status_tells_whether_an_add_would_work(tuned: Tuned) -> None:
    config = tuned.config(**CHANGES)
    assert tuned.node.ask("STATUS", config).succeeded().stdout == b""
    assert not tuned.data_dir.exists()
    tuned.node.ask("STATUS", {**config, "mtu": -1}).failed(7)
    tuned.data_dir.write_text("a file")
    assert str(tuned.data_dir) in tuned.node.ask("STATUS", config).failed(50)


@pytest.mark.parametrize("kind", ["bridge", "macvlan"])
def test_the_plugin_before_it_is_content(kind: str, node: Runtime, pod: Pod, inside: Shown) -> None:
    ipam = {"type": "host-local", "subnet": "10.1.2.0/24", "dataDir": str(node.addresses)}
    keys: dict[str, dict[str, Any]] = {"bridge": {"isGateway": True}, "macvlan": {"master": UPLINK}}
    first = {"cniVersion": "1.1.0", "name": "blue", "type": kind, "ipam": ipam, **keys[kind]}
    second = {"cniVersion": "1.1.0", "name": "blue", "type": "tuning", "dataDir": str(node.root / "tuning"), **CHANGES}
    result = node.ask("ADD", second, pod, node.add(first, pod)).succeeded().document
    assert inside.link("eth0")["address"] == MAC
    node.check(second, pod, result)
    node.check(first, pod, result)
    if kind == "bridge":
        inside.run("ping -c 1 -W 2 10.1.2.1")
        node.shown.run("ping -c 1 -W 2 10.1.2.2")
    node.delete(second, pod, result)
    node.delete(first, pod, result)
    assert inside.links() == set()
    assert os.listdir(node.root / "tuning") == []
