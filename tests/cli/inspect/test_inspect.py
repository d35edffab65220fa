"""What is attached is shown as it is; whatever somebody changes behind our back is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from cni_multus.cli.command import DONE, FOUND, USAGE
from tests.cli.inspect.conftest import shell
from tests.cli.inspect.networks import primary, red

if TYPE_CHECKING:
    from tests.cli.inspect.conftest import Inspected
    from tests.node import Pod


@pytest.fixture
def web(node: Inspected) -> Pod:
    return node.attach("web-4f2a6c1e", primary(node), red(node))


def test_everything_of_an_attachment_is_shown(node: Inspected, web: Pod) -> None:
    ended = node.inspect("web-4f2a6c1e", "-o", "yaml")
    assert (ended.status, ended.stderr) == (DONE, "")
    [sandbox] = yaml.safe_load(ended.stdout)["sandboxes"]
    assert (sandbox["pod"], sandbox["netns"], sandbox["namespace"]) == ("blue/web-4f2a6c1e", web.netns, "live")
    first, second = sandbox["interfaces"]
    assert (first["interface"], first["networkName"], first["master"]) == ("eth0", "primary", "cni0")
    assert first["types"] == ["bridge", "tuning", "bandwidth"]
    assert first["kernel"]["addresses"][0] == "10.1.0.2/24"
    assert "default via 10.1.0.1" in first["kernel"]["routes"]
    [setting] = first["settings"]
    assert setting == {"name": "net/ipv4/conf/eth0/arp_filter", "set": "1", "now": "1", "differs": False}
    tables = {each["table"] for each in first["nftables"]}
    assert tables == {"bridge multus_macspoof", "inet multus_masquerade"}
    assert any(each["qdisc"].startswith("tbf b1d0: root rate 8000000bit") for each in first["queueing"])
    assert first["ipam"][0]["owner"] == "container web-4f2a6c1e, interface eth0"
    assert first["nodeInterface"] in node.links()
    assert first["details"]["counters"]["tx_packets"] >= 0
    assert (second["interface"], second["master"], second["rules"]) == (
        "net1",
        "up0",
        ["32000: from 10.2.0.2 lookup 100"],
    )
    assert "default via 10.2.0.1 table 100" in second["kernel"]["routes"]


@pytest.mark.parametrize(
    "typed",
    ["web-4f2a6c1e", "blue/web-4f2a6c1e", "u1", "web-", "NETNS"],
    ids=["name", "namespace-name", "uid", "container", "netns"],
)
def test_a_pod_is_found_by(node: Inspected, web: Pod, typed: str) -> None:
    ended = node.inspect(web.netns if typed == "NETNS" else typed)
    assert ended.status == DONE
    assert "blue/web-4f2a6c1e" in ended.stdout


def test_who_is_unknown_is_told(node: Inspected, web: Pod) -> None:
    ended = node.inspect("db-0\033[31m")
    assert (ended.status, ended.stdout) == (FOUND, "")
    assert ended.stderr.count("\n") == 1
    assert r"db-0\x1b[31m" in ended.stderr
    assert node.inspect("web", "--all").status == USAGE


def test_all_has_a_line_for_each_interface(node: Inspected, web: Pod) -> None:
    node.attach("db-0", primary(node))
    for arguments in ((), ("--all",)):
        lines = node.inspect(*arguments).stdout.splitlines()
        assert [line.split()[:3] for line in lines[1:]] == [
            ["blue/db-0", "eth0", "primary"],
            ["blue/web-4f2a6c1e", "eth0", "primary"],
            ["blue/web-4f2a6c1e", "net1", "red"],
        ]
        assert all(line.endswith("as recorded") for line in lines[1:])


CHANGES = {
    "ip address del 10.1.0.2/24 dev eth0": ("eth0", "address 10.1.0.2/24 is not on eth0"),
    "ip address add 10.9.9.9/24 dev eth0": ("eth0", "address 10.9.9.9/24 is on eth0, and no record has it"),
    "ip route del default": ("eth0", "route 0.0.0.0/0 via 10.1.0.1 is missing"),
    "ip link set eth0 mtu 1300": ("eth0", "its MTU is 1300, not 1500"),
    "ip link set eth0 address 02:00:00:00:00:01": ("eth0", "its MAC is 02:00:00:00:00:01, not "),
    "ip link set net1 down": ("net1", "it is down"),
    "ip link del net1": ("net1", "net1 is gone from NETNS"),
    "sysctl -qw net.ipv4.conf.eth0.arp_filter=0": ("eth0", "net.ipv4.conf.IFNAME.arp_filter is '0', not '1'"),
    "ip rule del pref 32000": ("net1", "the rule from 10.2.0.2 lookup 100 priority 32000 is missing"),
}


@pytest.mark.parametrize("command", CHANGES)
def test_a_change_in_the_pod_is_told(node: Inspected, web: Pod, command: str) -> None:
    shell(web.netns, command)
    ifname, text = CHANGES[command]
    found = node.differences(web)
    assert any(each.startswith(text.replace("NETNS", web.netns)) for each in found.get(ifname, [])), found
    assert node.inspect(web.container_id).status == FOUND


ON_THE_NODE = {
    "ip link set up0 down": ("net1", "its master up0 is down"),
    "ip link set cni0 down": ("eth0", "its bridge cni0 is down"),
    "nft delete table inet multus_masquerade": ("eth0", "nftables table inet multus_masquerade does not look"),
    "nft delete table bridge multus_macspoof": ("eth0", "nftables table bridge multus_macspoof has no rule"),
    "rm ADDRESSES/primary/10.1.0.2": ("eth0", "10.1.0.2 is not reserved"),
    "printf 'other\\r\\neth0' >ADDRESSES/red/10.2.0.2": (
        "net1",
        "10.2.0.2 is reserved for container other, interface eth0",
    ),
}


@pytest.mark.parametrize("command", ON_THE_NODE)
def test_a_change_on_the_node_is_told(node: Inspected, web: Pod, command: str) -> None:
    shell(node.host.path, command.replace("ADDRESSES", str(node.addresses)))
    ifname, text = ON_THE_NODE[command]
    found = node.differences(web)
    assert any(each.startswith(text) for each in found.get(ifname, [])), found


def test_what_no_record_has_is_told(node: Inspected, web: Pod) -> None:
    shell(web.netns, "ip link add own0 type veth peer name own1 && ip address add 172.16.0.1/30 dev own0")
    [sandbox] = node.document(web.container_id)["sandboxes"]
    found = {each["interface"]: each["addresses"] for each in sandbox["unknown"]}
    assert found == {"own0": ["172.16.0.1/30"], "own1": []}
    table = node.inspect().stdout
    assert "Interfaces that no record has" in table
    assert "172.16.0.1/30" in table


def test_a_namespace_without_record_is_shown(node: Inspected) -> None:
    node.attach("db-0", primary(node))
    stranger = node.pod("stranger")
    shell(stranger.netns, "ip link add own0 type veth peer name own1")
    ended = node.inspect(stranger.netns)
    assert ended.status == DONE
    assert "own0" in ended.stdout
