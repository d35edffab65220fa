"""IPAMClaims on a real API server: found, refused, and told which addresses they have."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import ApiFailure, InvalidNetworkConfig, TryAgainLater
from cni_multus.cni.request import Attachment
from cni_multus.state.leases.lease import Holder
from ipam.whereabouts.cluster.claims import Claim, find_claim, read_claim
from tests.cluster.cluster import rule
from tests.ipam.whereabouts.cluster.asking import client_of, config_of, range_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cluster.cluster import Cluster

ADDRESSES = [Cidr.parse("10.0.0.5/24"), Cidr.parse("fd00::5/64")]
TEXTS = ["10.0.0.5/24", "fd00::5/64"]


class Claims:
    """A client that looks for claims."""

    def __init__(self, cluster: Cluster, directory: Path, **who: Any) -> None:
        self.cluster = cluster
        self._directory = directory
        self.client = client_of(cluster.kubeconfig(**who))

    def add(self, name: str = "vm", **spec: str) -> str:
        made = self.cluster.create("ipamclaims", name, spec={"network": "net", "interface": "net1", **spec})
        return str(made["metadata"]["uid"])

    def find(self, name: str = "vm", **options: str) -> Claim:
        attachment = Attachment("net", "4f2a", "net1")
        holder = Holder(attachment, pod="ns/pod", claim=f"{self.cluster.namespace}/{name}")
        config = config_of(self._directory, self._directory, range_of("10.0.0.0/24"), **options)
        return find_claim(self.client, config, holder)

    def status(self, name: str = "vm") -> dict[str, Any]:
        found: dict[str, Any] = self.cluster.objects("ipamclaims")[name].get("status", {})
        return found


@pytest.fixture
def as_somebody(cluster: Cluster, tmp_path: Path) -> Iterator[Callable[..., Claims]]:
    """A client with these credentials."""
    with ExitStack() as stack:

        def made(**who: Any) -> Claims:
            claims = Claims(cluster, tmp_path, **who)
            stack.enter_context(claims.client)
            return claims

        yield made


@pytest.fixture
def claims(as_somebody: Callable[..., Claims]) -> Claims:
    return as_somebody()


def test_a_claims_addresses_are_written_and_read_again(claims: Claims) -> None:
    uid = claims.add()
    claim = claims.find()
    assert (claim.ref, claim.uid, claim.addresses) == (f"{claims.cluster.namespace}/vm", uid, [])
    claim.record(claims.client, ADDRESSES)
    assert claims.status() == {"ips": TEXTS}
    again = claims.find()
    assert again.addresses == ADDRESSES
    assert again.address_in(range_of("10.0.0.0/24")) == Ip.parse("10.0.0.5")
    assert again.address_in(range_of("fd00::/64")) == Ip.parse("fd00::5")
    assert again.address_in(range_of("10.9.0.0/24")) is None


def test_what_the_status_says_already_costs_no_call(claims: Claims) -> None:
    claims.add()
    claims.find().record(claims.client, ADDRESSES)
    claim, calls = claims.find(), claims.client.calls
    claim.record(claims.client, ADDRESSES)
    assert claims.client.calls == calls


def test_addresses_without_a_length_or_in_another_spelling_are_read(claims: Claims) -> None:
    claims.add()
    path = f"{claims.cluster.path('ipamclaims', 'vm')}/status"
    claims.cluster.api.merge_patch(path, {"status": {"ips": ["10.0.0.5", "FD00:0::0005/64", "later"]}}).expect(200)
    assert [str(address) for address in claims.find().addresses] == ["10.0.0.5/32", "fd00::5/64"]


def test_a_claim_that_does_not_exist_is_told(claims: Claims) -> None:
    with pytest.raises(TryAgainLater) as missing:
        claims.find()
    ref = f"{claims.cluster.namespace}/vm"
    assert missing.value.message == (
        f"there is no IPAMClaim {ref}, which args.cni.ipam-claim-reference of pod ns/pod names"
    )
    assert read_claim(claims.client, ref) is None


@pytest.mark.parametrize(
    ("spec", "why"),
    [({"network": "other"}, "is for network 'other'"), ({"interface": "net7"}, "is for interface 'net7'")],
)
def test_a_claim_for_something_else_is_refused(claims: Claims, spec: dict[str, str], why: str) -> None:
    claims.add(**spec)
    with pytest.raises(InvalidNetworkConfig, match=why):
        claims.find()


def test_a_claim_may_name_the_network_by_what_networks_share(claims: Claims) -> None:
    claims.add(network="blue")
    assert claims.find(network_name="blue").network == "blue"


def test_a_claim_that_is_being_deleted_gives_nothing(claims: Claims) -> None:
    claims.add()
    path = claims.cluster.path("ipamclaims", "vm")
    claims.cluster.api.merge_patch(path, {"metadata": {"finalizers": ["test/keep"]}}).expect(200)
    claims.cluster.api.delete(path).expect(200)
    with pytest.raises(TryAgainLater, match="is being deleted"):
        claims.find()
    claims.cluster.api.merge_patch(path, {"metadata": {"finalizers": []}}).expect(200)


def test_a_claim_that_was_made_anew_is_another_one(claims: Claims) -> None:
    claims.add()
    claim = claims.find()
    claims.cluster.api.delete(claims.cluster.path("ipamclaims", "vm")).expect(200)
    with pytest.raises(TryAgainLater, match="it was deleted meanwhile"):
        claim.record(claims.client, ADDRESSES)
    claims.add()
    with pytest.raises(TryAgainLater, match="it was deleted meanwhile"):
        claim.record(claims.client, ADDRESSES)
    assert claims.status() == {}


def test_of_two_sandboxes_at_once_the_slower_one_begins_again(claims: Claims) -> None:
    claims.add()
    slow, fast = claims.find(), claims.find()
    fast.record(claims.client, ADDRESSES)
    with pytest.raises(TryAgainLater, match="was given other addresses meanwhile, for another sandbox"):
        slow.record(claims.client, [Cidr.parse("10.0.0.6/24")])
    assert claims.status() == {"ips": TEXTS}
    assert claims.find().addresses == ADDRESSES


def test_a_change_of_something_else_is_no_obstacle(claims: Claims) -> None:
    claims.add()
    claim = claims.find()
    claims.cluster.api.merge_patch(
        claims.cluster.path("ipamclaims", "vm"), {"metadata": {"labels": {"a": "b"}}}
    ).expect(200)
    claim.record(claims.client, ADDRESSES)
    assert claims.status() == {"ips": TEXTS}


def test_an_answer_that_is_lost_is_no_failure(claims: Claims, as_somebody: Callable[..., Claims]) -> None:
    claims.add()
    road = claims.cluster.road()
    road.disturb("PATCH", "ipamclaims", lose=True)
    claims = as_somebody(server=road.url)
    claims.find().record(claims.client, ADDRESSES)
    assert claims.status() == {"ips": TEXTS}


@pytest.mark.parametrize(
    ("rules", "lacking"),
    [
        ([rule("ippools", "get")], "resources [ipamclaims], verbs [get]"),
        ([rule("ipamclaims", "get,patch")], "resources [ipamclaims/status], verbs [patch]"),
    ],
)
def test_an_account_that_may_not_is_told_what_it_lacks(
    as_somebody: Callable[..., Claims], cluster: Cluster, rules: list[Any], lacking: str
) -> None:
    claims = as_somebody(token=cluster.token(*rules))
    claims.add()

    def use() -> None:
        claims.find().record(claims.client, ADDRESSES)

    with pytest.raises(ApiFailure) as refused:
        use()
    assert lacking in refused.value.details


def test_two_rules_are_all_that_is_needed(as_somebody: Callable[..., Claims], cluster: Cluster) -> None:
    claims = as_somebody(token=cluster.token(rule("ipamclaims", "get"), rule("ipamclaims/status", "patch")))
    claims.add()
    claims.find().record(claims.client, ADDRESSES)
    assert claims.status() == {"ips": TEXTS}


@pytest.mark.parametrize("ref", ["ns/../x", "ns/", "/vm", "ns", "ns/.."])
def test_a_reference_that_is_no_name_reaches_no_path(claims: Claims, ref: str) -> None:
    with pytest.raises(InvalidNetworkConfig):
        read_claim(claims.client, ref)
    assert claims.client.calls == 0
