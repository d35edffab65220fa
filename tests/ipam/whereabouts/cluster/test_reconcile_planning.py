"""What a reconciliation decides about records as values; nothing is asked of anybody."""

from __future__ import annotations

import pytest

from cni_multus.cni.addressing import Ip
from ipam.whereabouts.cluster.evidence import Pod, World
from ipam.whereabouts.cluster.ledger import Ledger, SeenSlices, read_seen
from ipam.whereabouts.cluster.observing import claims_named, read_node, seconds, shown_addresses, uids_of
from ipam.whereabouts.cluster.planning import plan
from ipam.whereabouts.cluster.reservations import Reservation
from ipam.whereabouts.cluster.slicing import Entry, Slicing

MANY = 20_000


def pool(name: str, range_: str, allocations: dict[str, object]) -> dict[str, object]:
    return {"metadata": {"name": name}, "spec": {"range": range_, "allocations": allocations}}


def test_thousands_of_addresses_and_pods_are_compared_once() -> None:
    """Each address with each pod would be 400 million comparisons."""
    ledger, world = Ledger(), World()
    world.pods = {f"ns/p{number}": Pod([str(number)]) for number in range(0, MANY, 2)}
    entries: dict[str, object] = {
        str(number): {"id": "c", "podref": f"ns/p{number}", "ifname": "net1"} for number in range(MANY)
    }
    ledger.pools = [read_seen(pool("10.0.0.0-8", "10.0.0.0/8", entries), ())]
    for number in range(MANY):
        name = str(Ip(4, (10 << 24) + number))
        spec = {"podref": f"ns/p{number}"}
        ledger.reservations[name] = Reservation.parse({"metadata": {"name": name, "uid": name}, "spec": spec})
    ledger.pair()
    steps = plan(ledger, world)
    assert [step.to_json()["pod"] for step in steps] == [f"ns/p{number}" for number in range(1, MANY, 2)]
    assert ledger.lonely == []


@pytest.mark.parametrize(
    ("name", "range_", "reservation", "network_name", "node"),
    [
        ("10.0.0.0-24", "10.0.0.0/24", "10.0.0.5", "", ""),
        ("blue-10.0.0.0-24", "10.0.0.0/24", "blue-10.0.0.5", "blue", ""),
        ("a-b.c-1-10.0.0.0-24", "10.0.0.0/24", "a-b.c-1-10.0.0.5", "a-b.c-1", ""),
        ("node-1-10.0.0.0-25", "10.0.0.0/25", "10.0.0.5", "", "node-1"),
        ("blue-node-1-10.0.0.0-25", "10.0.0.0/25", "blue-10.0.0.5", "blue", "node-1"),
        ("node-2-10.0.0.0-25", "10.0.0.0/25", "node-2-10.0.0.5", "node-2", ""),
        ("fd00---64", "fd00::/64", "fd00--5", "", ""),
        ("blue-fd00---64", "fd00::/64", "blue-fd00--5", "blue", ""),
    ],
)
def test_a_reservation_is_found_by_what_the_pools_name_tells(
    name: str, range_: str, reservation: str, network_name: str, node: str
) -> None:
    slices = [SeenSlices("any", Slicing([Entry("node-1", "10.0.0.0/25")], "10.0.0.0/24", "/25"))]
    ledger = Ledger()
    entries: dict[str, object] = {"5": {"id": "c", "podref": "ns/p"}}
    ledger.pools = [read_seen(pool(name, range_, entries), slices)]
    made = Reservation.parse({"metadata": {"name": reservation}, "spec": {"podref": "ns/p"}})
    ledger.reservations = {reservation: made}
    ledger.pair()
    [seen] = ledger.pools
    assert (seen.network_name, seen.node) == (network_name, node)
    assert seen.allocations[0].reservation is made


@pytest.mark.parametrize(
    ("name", "range_"),
    [("something-else", "10.0.0.0/24"), ("10.0.0.0-24", "nonsense"), ("x10.0.0.0-24", "10.0.0.0/24")],
)
def test_a_pool_whose_name_says_nothing_has_no_reservations(name: str, range_: str) -> None:
    seen = read_seen(pool(name, range_, {"5": {"id": "c", "podref": "ns/p"}}), ())
    assert (seen.prefixes, seen.network_name, seen.node) == ((), None, "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", {}),
        ("none", {}),
        ("{}", {}),
        ("[]", {}),
        ('[1, {"interface": "net1"}]', {"net1": set()}),
        ('[{"name": "a", "interface": "net1", "ips": ["10.0.0.1"]}]', {"net1": {"10.0.0.1"}}),
        ('[{"name": "a", "ips": ["10.0.0.1"], "default": true}]', {"": {"10.0.0.1"}}),
        (
            '[{"interface": "net1", "ips": ["10.0.0.1/24", "FD00:0::1", 7, "x"]}, {"interface": "net2", "ips": null}]',
            {"net1": {"10.0.0.1", "fd00::1"}, "net2": set()},
        ),
    ],
)
def test_a_network_status_is_read_in_every_form(text: str, shown: dict[str, set[str]]) -> None:
    assert {name: {str(ip) for ip in found} for name, found in shown_addresses(text).items()} == shown


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("ns/a@net1, b", []),
        ('[{"name": "a", "ipam-claim-reference": "vm.a"}, {"name": "b"}]', ["vm.a"]),
        ('[{"name": "a", "ipam-claim-reference": ""}, {"ipam-claim-reference": 7}]', []),
        ("[ipam-claim-reference", []),
    ],
)
def test_claims_are_found_in_a_selection_of_networks(text: str, claims: list[str]) -> None:
    assert claims_named(text) == claims


def test_a_node_is_ready_unless_it_says_otherwise() -> None:
    def lost(status: str) -> float:
        condition = {"type": "Ready", "status": status, "lastTransitionTime": "2026-02-28T23:59:59Z"}
        return read_node({"status": {"conditions": [{"type": "DiskPressure", "status": "True"}, condition]}}).lost

    assert lost("True") == 0
    assert lost("False") == lost("Unknown") == 1772323199
    assert read_node({}).lost == 0


@pytest.mark.parametrize(
    ("text", "number"),
    [("1970-01-01T00:00:00Z", 0), ("2000-02-29T12:00:00Z", 951825600), ("2026-11-21T17:51:49Z", 1795283509)],
)
def test_times_of_the_api_are_read(text: str, number: int) -> None:
    assert seconds(text) == number


def test_what_is_no_time_is_now() -> None:
    assert seconds("soon") > 1_700_000_000


def test_the_kubelets_own_uid_of_a_pod_from_a_file_comes_last() -> None:
    annotations = {"kubernetes.io/config.hash": "file", "other": "x"}
    assert uids_of({"metadata": {"uid": "mirror", "annotations": annotations}}) == ["mirror", "file"]
    assert uids_of({"metadata": {"uid": "only"}}) == ["only"]
    assert uids_of({}) == []
