"""sbr: what DEL, GC and a failing or killed ADD leave, and what CHECK finds."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.request import VALID_ATTACHMENTS
from tests.plugins.routed import Routed

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown
    from tests.pods import MakePod

SENDS = 14
"""More than an ADD sends to the kernel."""


@pytest.fixture
def routed(node: Runtime, pod: Pod, inside: Shown) -> Routed:
    made = Routed(node, pod, inside, "sbr")
    made.address("10.2.0.2/24", "10.2.0.1")
    made.address("2001:db8:2::2/64", "2001:db8:2::1")
    inside.run("ip route add 10.9.0.0/16 via 10.2.0.9 mtu 1400")
    return made


@pytest.fixture
def before(routed: Routed) -> dict[str, Any]:
    return routed.everything()


# DEL.


@pytest.mark.parametrize("previous", [True, False])
def test_delete_twice_leaves_what_was_there_before(routed: Routed, before: dict[str, Any], previous: bool) -> None:
    routed.add()
    routed.delete(previous=previous)
    assert routed.everything() == before
    routed.delete(previous=previous)
    assert routed.everything() == before


@pytest.mark.parametrize("config", [{"table": "x"}, {"gateway": 7}, {"table": 0}])
def test_delete_needs_no_valid_configuration(routed: Routed, before: dict[str, Any], config: dict[str, Any]) -> None:
    routed.add()
    routed.config.update(config)
    routed.delete()
    assert routed.everything() == before


def test_delete_without_namespace_makes_no_file_of_its_name(routed: Routed) -> None:
    """BUG of the reference: it makes one, which no plugin takes for a namespace from then on."""
    routed.add()
    gone = str(routed.node.root / "gone")
    routed.delete(CNI_NETNS=gone)
    assert not Path(gone).exists()
    assert routed.files() == {}


@pytest.mark.parametrize("path", ["", "stale"])
def test_delete_with_no_namespace_or_a_stale_file_succeeds(routed: Routed, path: str) -> None:
    """BUG of the reference: both are errors."""
    routed.add()
    stale = routed.node.root / "stale"
    stale.touch()
    routed.delete(CNI_NETNS=str(stale) if path else "")
    assert routed.files() == {}


def test_delete_without_the_link_removes_the_rules(routed: Routed) -> None:
    """BUG of the reference: they stay when the link has gone."""
    routed.add()
    routed.inside.run("ip link del net1")
    routed.delete(previous=False)
    assert (routed.rules(), routed.files()) == ([], {})


def test_delete_without_the_address_removes_the_rules(routed: Routed) -> None:
    """BUG of the reference: it looks for rules of the addresses that the link has now."""
    routed.add()
    routed.inside.run("ip addr flush dev net1")
    routed.delete()
    assert (routed.rules(), routed.files()) == ([], {})


def test_delete_leaves_another_link_of_the_name_alone(routed: Routed) -> None:
    routed.add()
    routed.inside.run("ip link del net1; ip link add net1 up type veth peer name peer2; ip link set peer2 up")
    routed.inside.run("ip addr add 10.2.0.7/24 dev net1")
    routes = routed.table()
    routed.delete()
    assert (routed.rules(), routed.table()) == ([], routes)


def test_delete_leaves_rules_of_others(routed: Routed) -> None:
    routed.add()
    routed.inside.run("ip rule add from 10.2.0.2 lookup 100 priority 7; ip rule add from 10.2.0.2 lookup 200")
    routed.delete()
    assert sorted(routed.rules()) == ["from 10.2.0.2 lookup 100", "from 10.2.0.2 lookup 200"]


def test_delete_of_what_was_never_added_succeeds(routed: Routed, before: dict[str, Any]) -> None:
    routed.delete()
    assert routed.everything() == before


def test_delete_without_record_removes_the_rules_of_the_addresses(routed: Routed) -> None:
    """What the Go sbr made has no record."""
    routed.inside.run("ip rule add from 10.2.0.2 lookup 100; ip rule add from 10.1.0.2 lookup 100")
    routed.inside.run("ip rule add from 10.2.0.0/24 lookup 100; ip rule add from 10.2.0.2 iif lo lookup 100")
    routed.ips.append({"address": "10.1.0.2/24"})
    routed.delete()
    assert sorted(routed.rules()) == [
        "from 10.1.0.2 lookup 100",  # eth0 has it
        "from 10.2.0.0/24 lookup 100",
        "from 10.2.0.2 iif lo lookup 100",
    ]


def test_delete_without_record_keeps_to_the_configured_table(routed: Routed) -> None:
    routed.inside.run("ip rule add from 10.2.0.2 lookup 100; ip rule add from 10.2.0.2 lookup 5000")
    routed.config["table"] = 5000
    routed.delete(previous=False)
    assert routed.rules() == ["from 10.2.0.2 lookup 100"]


def test_delete_for_another_network_touches_nothing(routed: Routed) -> None:
    routed.add()
    record = routed.files()
    routed.node.delete({**routed.config, "name": "red"}, routed.pod, CNI_IFNAME="net1")
    assert routed.files() == record


# A failing ADD.


def test_a_route_that_the_kernel_refuses_leaves_what_was_there(routed: Routed) -> None:
    """BUG of the reference: rules, tables and an emptied main table stay."""
    routed.ips[1]["gateway"] = "ff02::1"
    assert "cannot add route ::/0 via ff02::1 on net1 to table 101" in routed.refused(100)


def test_a_refused_add_again_leaves_what_the_first_one_made(routed: Routed) -> None:
    routed.add()
    routed.address("10.3.0.2/24", "224.0.0.1")
    assert "224.0.0.1" in routed.refused(100)
    routed.ips.pop()
    routed.check()


def test_an_address_that_is_its_own_gateway_is_refused(routed: Routed) -> None:
    routed.ips[0]["gateway"] = "10.2.0.2"
    assert "10.2.0.2 is its own gateway" in routed.refused(7)


def test_a_record_that_cannot_be_written_leaves_what_was_there(routed: Routed) -> None:
    routed.data.write_text("a file")
    routed.config["dataDir"] = str(routed.data / "below")
    before = routed.rules(), routed.table(), routed.table("main", 6)
    routed.node.ask("ADD", routed.config, routed.pod, routed.previous, CNI_IFNAME="net1").failed(5)
    assert (routed.rules(), routed.table(), routed.table("main", 6)) == before


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"table": 0}, "table: "),
        ({"table": -1}, "table: "),
        ({"table": 1 << 32}, "table: "),
        ({"gateway": "10.2.0"}, "gateway: "),
        ({"dataDir": "somewhere"}, "dataDir: "),
    ],
)
def test_a_wrong_value_is_told_with_its_key(routed: Routed, keys: dict[str, object], says: str) -> None:
    assert routed.refused(7, **keys).startswith(says)


def test_without_an_address_there_is_nothing_to_route_by(routed: Routed) -> None:
    routed.ips = [{"address": "10.77.0.1/24", "interface": 0}]
    assert "net1 has no address" in routed.refused(7)


def test_a_link_that_is_down_or_not_there_is_refused(routed: Routed) -> None:
    routed.inside.run("ip link set net1 down")
    assert "is down" in routed.refused(4)
    routed.inside.run("ip link del net1")
    assert "is not there" in routed.refused(4)


# A killed ADD.


@pytest.mark.parametrize("then", ["add", "delete"])
def test_whoever_is_killed_in_an_add_leaves_what_the_next_one_completes(
    routed: Routed, before: dict[str, Any], then: str
) -> None:
    routed.add()
    whole = routed.everything()
    routed.delete()
    told = {**routed.config, "prevResult": routed.previous}
    kills = 0
    for at in range(1, SENDS + 1):
        strace = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"inject=sendto:signal=KILL:when={at}"]
        ended = routed.node.process("ADD", told, routed.pod, *strace, CNI_IFNAME="net1")
        kills += ended.status != 0
        if then == "add":
            routed.add()
            assert routed.everything() == whole, f"killed after {at}"
        routed.delete()
        assert routed.everything() == before, f"killed after {at}"
    assert 5 < kills < SENDS


def test_whatever_is_lost_on_its_way_to_the_kernel_leaves_what_was_there(
    routed: Routed, before: dict[str, Any]
) -> None:
    told = {**routed.config, "prevResult": routed.previous}
    failures = 0
    for at in range(1, SENDS + 1):
        strace = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"inject=sendto:error=EPERM:when={at}"]
        ended = routed.node.process("ADD", told, routed.pod, *strace, CNI_IFNAME="net1")
        failures += ended.status != 0
        if ended.status == 0:
            routed.delete()
        assert routed.everything() == before, f"lost {at}"
    assert 5 < failures < SENDS


# CHECK.


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("ip rule del from 10.2.0.2", "the rule from 10.2.0.2 lookup 100 priority 32000 is missing"),
        ("ip -6 rule del from 2001:db8:2::2", "the rule from 2001:db8:2::2 lookup 101 priority 32001 is missing"),
        ("ip route del default table 100", "route 0.0.0.0/0 via 10.2.0.1 is missing in table 100"),
        ("ip route del 10.2.0.0/24 table 100", "route 10.2.0.0/24 is missing in table 100"),
        ("ip -6 route del default table 101", "route ::/0 via 2001:db8:2::1 is missing in table 101"),
        ("ip link set net1 down; ip link set net1 up", "is missing in table 100"),
        ("ip link del net1", "net1 is gone"),
    ],
)
def test_check_finds_what_is_missing(routed: Routed, change: str, says: str) -> None:
    """BUG of the reference: its CHECK looks at nothing."""
    routed.add()
    routed.check()
    routed.inside.run(change)
    assert says in routed.difference()


def test_check_finds_an_address_that_has_no_rule(routed: Routed) -> None:
    routed.add()
    routed.ips.append({"address": "10.3.0.2/24", "interface": 1})
    assert "there is no rule for 10.3.0.2" in routed.difference()


def test_check_of_what_has_no_record_looks_for_rules(routed: Routed) -> None:
    assert "there is no rule for 10.2.0.2" in routed.difference()
    routed.inside.run("ip rule add from 10.2.0.2 lookup 100; ip -6 rule add from 2001:db8:2::2 lookup 101")
    routed.check()


def test_check_passes_over_what_others_add(routed: Routed) -> None:
    routed.add()
    routed.inside.run("ip rule add from 10.9.9.9 lookup 7; ip route add 10.77.0.0/16 via 10.2.0.77 table 100")
    routed.check()


def test_check_needs_the_result(routed: Routed) -> None:
    routed.add()
    assert "prevResult" in routed.node.ask("CHECK", routed.config, routed.pod, CNI_IFNAME="net1").failed(7)


# GC and STATUS.


def test_gc_removes_what_is_not_valid_and_keeps_what_is(
    routed: Routed, before: dict[str, Any], make_pod: MakePod
) -> None:
    routed.add()
    whole = routed.everything()
    sweep = {**routed.config, VALID_ATTACHMENTS: [{"containerID": "pod1", "ifname": "net1"}]}
    routed.node.ask("GC", {**sweep, VALID_ATTACHMENTS: [], "name": "red"}).succeeded()
    routed.node.ask("GC", sweep).succeeded()
    assert routed.everything() == whole
    routed.node.ask("GC", {**sweep, VALID_ATTACHMENTS: [{"containerID": "pod1", "ifname": "net2"}]}).succeeded()
    assert routed.everything() == before


@pytest.mark.parametrize("path", ["/nowhere", "", None, 7, "\0", ["/nowhere"]])
def test_gc_forgets_what_has_no_namespace_any_more(routed: Routed, path: object) -> None:
    routed.add()
    [file] = routed.data.iterdir()
    document = json.loads(file.read_text())
    file.write_text(json.dumps({**document, "path": path}))
    routed.node.ask("GC", {**routed.config, VALID_ATTACHMENTS: []}).succeeded()
    assert routed.files() == {}


def test_gc_leaves_another_namespace_at_the_path_alone(routed: Routed, make_pod: MakePod) -> None:
    routed.add()
    [path] = routed.data.iterdir()
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "path": make_pod("other").netns}))
    rules = routed.rules()
    routed.node.ask("GC", {**routed.config, VALID_ATTACHMENTS: []}).succeeded()
    assert (routed.rules(), routed.files()) == (rules, {})


def test_status_says_that_records_cannot_be_written(routed: Routed) -> None:
    routed.node.ask("STATUS", routed.config).succeeded()
    routed.data.write_text("a file")
    assert "dataDir" in routed.node.ask("STATUS", routed.config).failed(50)
    assert "table" in routed.node.ask("STATUS", {**routed.config, "table": "x"}).failed(6)
