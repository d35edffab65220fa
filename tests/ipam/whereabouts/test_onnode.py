"""The engine of one node: who gets which address, keeps it, and gives it back."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.addressing import Ip
from cni_multus.cni.errors import TryAgainLater
from cni_multus.cni.request import Attachment
from cni_multus.state.leases.lease import Holder
from cni_multus.state.leases.listing import Listing
from ipam.whereabouts.config import Wanted
from ipam.whereabouts.onnode import NodeEngine
from tests.leases import NETWORK, SetClock, config, holder, leftovers, pool, require_exactly, texts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipam.whereabouts.config import WhereaboutsConfig


class Node:
    """A node with its store and clocks."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = SetClock()
        self.engine = NodeEngine(str(directory), self.clock)

    def config(self, *pools: Any, **keys: Any) -> WhereaboutsConfig:
        return config(*pools, data_dir=self.directory, **keys)

    def add(self, asked: WhereaboutsConfig, who: Holder | str) -> list[str]:
        return texts(self.engine.acquire(asked, holder(who) if isinstance(who, str) else who))

    def delete(self, who: Holder | str) -> bool:
        return self.engine.release((holder(who) if isinstance(who, str) else who).attachment)

    def collect(self, *valid: str) -> None:
        self.engine.collect(NETWORK, lambda attachment: attachment.container_id in valid)

    def taken(self) -> list[str]:
        listing = Listing(self.engine.store)
        return [str(ip) for domain in listing.domains() for ip, _ in listing.addresses(domain.name)]


@pytest.fixture
def node() -> Iterator[Node]:
    """In memory: nothing here is about a disk."""
    with TemporaryDirectory(dir="/dev/shm") as directory:
        yield Node(Path(directory) / "leases")


# Giving and giving back


def test_the_lowest_address_is_given_and_given_again_once_it_is_back(node: Node) -> None:
    small = node.config("10.0.0.0/29")
    assert [node.add(small, pod) for pod in "abc"] == [["10.0.0.1/29"], ["10.0.0.2/29"], ["10.0.0.3/29"]]
    assert node.delete("b")
    assert not node.delete("b")
    assert node.add(small, "d") == ["10.0.0.2/29"]
    held = {holder(pod).attachment: node.engine.acquire(small, holder(pod)) for pod in "acd"}
    require_exactly(node.engine, held)


def test_dual_stack_is_all_or_nothing(node: Node) -> None:
    both = node.config("10.0.0.0/30", "2001:db8::/64")
    assert node.add(both, "a") == ["10.0.0.1/30", "2001:db8::1/64"]
    assert node.add(both, "b") == ["10.0.0.2/30", "2001:db8::2/64"]
    with pytest.raises(TryAgainLater, match=r"no address of 10\.0\.0\.0/30 is free: all 2 of its addresses are held"):
        node.add(both, "c")
    assert node.taken() == ["10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2"]
    node.delete("a")
    assert node.taken() == ["10.0.0.2", "2001:db8::2"]


def test_two_ranges_of_one_network_give_two_addresses(node: Node) -> None:
    """The reference gives one address twice (2.2 of its specification)."""
    asked = node.config("10.0.0.0/24|10.0.0.5-10.0.0.9", "10.0.0.0/24|10.0.0.5-10.0.0.9")
    assert node.add(asked, "a") == ["10.0.0.5/24", "10.0.0.6/24"]
    assert node.add(asked, "a") == ["10.0.0.5/24", "10.0.0.6/24"]
    assert node.add(asked, "b") == ["10.0.0.7/24", "10.0.0.8/24"]
    with pytest.raises(TryAgainLater):
        node.add(asked, "c")
    assert len(node.taken()) == 4


def test_nothing_of_an_attachment_that_was_never_there(node: Node) -> None:
    assert not node.delete("a")
    assert not node.directory.exists()
    node.collect()
    assert not node.directory.exists()


@pytest.mark.parametrize(
    ("network", "count"),
    [("10.0.0.4/31", 2), ("10.0.0.4/32", 1), ("2001:db8::/127", 2), ("2001:db8::7/128", 1), ("10.0.0.0/30", 2)],
)
def test_a_pool_gives_exactly_what_it_has(node: Node, network: str, count: int) -> None:
    asked = node.config(network)
    given = {address for at in range(count) for address in node.add(asked, f"p{at}")}
    assert len(given) == count
    with pytest.raises(TryAgainLater):
        node.add(asked, "one-more")


def test_without_a_pod_it_is_the_container_that_holds(node: Node) -> None:
    """Podman and cnitool send no K8S_ arguments."""
    asked = node.config("10.0.0.0/24")
    one, two = (Holder(Attachment(NETWORK, container, "eth0")) for container in ("c1", "c2"))
    assert node.add(asked, one) == ["10.0.0.1/24"]
    assert node.add(asked, two) == ["10.0.0.2/24"]
    assert node.add(asked, one) == ["10.0.0.1/24"]
    assert node.delete(one)
    assert node.taken() == ["10.0.0.2"]


# Domains


def test_networks_of_one_name_share_their_addresses(node: Node) -> None:
    red = node.config("10.0.0.0/24", network="red")
    blue = node.config("10.0.0.0/16", network="blue")
    assert node.add(red, holder("a", network="red")) == ["10.0.0.1/24"]
    assert node.add(blue, "a") == ["10.0.0.2/16"]


def test_other_names_and_pools_without_protection_have_their_own(node: Node) -> None:
    asked = [
        node.config("10.0.0.0/24", network="a"),
        node.config("10.0.0.0/24", network="b", network_name="other"),
        node.config("10.0.0.0/24", network="c", exclusive=False),
        node.config("10.0.0.0/16", network="d", exclusive=False),
        node.config("10.0.0.0/24", network="e", exclusive=False, network_name="../../etc/passwd"),
    ]
    for one in asked:
        assert node.add(one, holder("pod", network=one.network))[0].startswith("10.0.0.1/")
    shared = node.config("10.0.0.0/24", network="f", exclusive=False)
    assert node.add(shared, holder("pod", network="f")) == ["10.0.0.2/24"]
    domains = {domain.name: (domain.network_name, domain.pool) for domain in Listing(node.engine.store).domains()}
    hashed = next(name for name in domains if domains[name][0].startswith(".."))
    assert domains == {
        "_default": ("", ""),
        "other": ("other", ""),
        "_default+10.0.0.0_24": ("", "10.0.0.0/24"),
        "_default+10.0.0.0_16": ("", "10.0.0.0/16"),
        hashed: ("../../etc/passwd", "10.0.0.0/24"),
    }
    assert leftovers(node.engine.store) == []


def test_pools_without_protection_are_one_transaction_too(node: Node) -> None:
    asked = node.config("10.0.0.0/30", "10.1.0.0/31", exclusive=False)
    given = {holder(pod).attachment: node.engine.acquire(asked, holder(pod)) for pod in "ab"}
    with pytest.raises(TryAgainLater):
        node.add(asked, "c")
    require_exactly(node.engine, given)
    node.delete("a")
    assert node.taken() == ["10.0.0.2", "10.1.0.1"]


# Sticky


def test_a_new_sandbox_of_the_pod_gets_the_same_and_the_late_delete_of_the_old_does_nothing(node: Node) -> None:
    asked = node.config("10.0.0.0/24", "2001:db8::/64")
    node.add(asked, "first")
    before = node.add(asked, holder("a", "a-1"))
    node.add(asked, "last")
    assert node.add(asked, holder("a", "a-2")) == before
    assert not node.delete(holder("a", "a-1"))
    assert node.engine.verify(asked, holder("a", "a-2"), node.engine.acquire(asked, holder("a", "a-2"))) == []
    assert node.delete(holder("a", "a-2"))
    assert len(node.taken()) == 4


def test_a_pod_of_the_same_name_with_another_uid_is_another(node: Node) -> None:
    asked = node.config("10.0.0.0/24")
    old = holder("a")
    new = Holder(Attachment(NETWORK, "a-2", "net1"), pod="default/a", uid="another")
    assert node.add(asked, old) != node.add(asked, new)
    assert node.delete(old)
    assert node.taken() == ["10.0.0.2"]


def test_two_interfaces_of_a_pod_on_one_network_have_an_address_each(node: Node) -> None:
    asked = node.config("10.0.0.0/24")
    one, two = holder("a", ifname="net1"), holder("a", ifname="net2")
    assert node.add(asked, one) != node.add(asked, two)
    assert node.delete(one)
    assert node.taken() == ["10.0.0.2"]


def test_an_attachment_that_is_another_pod_by_now_keeps_nothing_of_the_old(node: Node) -> None:
    asked = node.config("10.0.0.0/24")
    node.add(asked, Holder(Attachment(NETWORK, "c", "net1")))
    given = node.engine.acquire(asked, holder("a", "c"))
    require_exactly(node.engine, {holder("a", "c").attachment: given})
    assert node.delete(holder("a", "c"))
    assert node.taken() == []


def test_an_edited_range_gives_a_new_address_and_frees_the_old(node: Node) -> None:
    old = node.config("10.0.0.0/24", "10.9.0.0/24")
    assert node.add(old, "a") == ["10.0.0.1/24", "10.9.0.1/24"]
    new = node.config("10.1.0.0/24", "10.9.0.0/24")
    given = node.engine.acquire(new, holder("a", "a-2"))
    assert texts(given) == ["10.1.0.1/24", "10.9.0.1/24"]
    require_exactly(node.engine, {holder("a", "a-2").attachment: given})


def test_an_address_stays_while_the_pod_lives_if_the_range_still_contains_it(node: Node) -> None:
    node.add(node.config("10.0.0.0/24|10.0.0.50-10.0.0.60"), "a")
    narrower = node.config("10.0.0.0/24|10.0.0.100-10.0.0.110")
    assert node.add(narrower, holder("a", "a-2")) == ["10.0.0.50/24"]
    assert node.add(narrower, "b") == ["10.0.0.100/24"]
    assert node.add(node.config("10.0.0.0/16"), holder("a", "a-3")) == ["10.0.0.50/16"]


def test_the_gateway_is_not_kept_by_whoever_had_it_before_it_was_one(node: Node) -> None:
    node.add(node.config("10.0.0.0/24"), "a")
    routed = node.config(pool("10.0.0.0/24", gateway="10.0.0.1"))
    assert node.add(routed, holder("a", "a-2")) == ["10.0.0.2/24"]
    assert node.taken() == ["10.0.0.2"]


@pytest.mark.parametrize("change", [{"network_name": "other"}, {"exclusive": False}])
def test_a_network_that_changes_its_domain_loses_nothing(node: Node, change: dict[str, Any]) -> None:
    old, new = node.config("10.0.0.0/24", "2001:db8::/64"), node.config("10.0.0.0/24", "2001:db8::/64", **change)
    node.add(old, "a")
    given = node.engine.acquire(old, holder("b"))
    assert node.engine.acquire(new, holder("b", "b-2")) == given  # the same, as nobody has it there
    assert node.delete("a")
    require_exactly(node.engine, {holder("b", "b-2").attachment: given})
    assert node.delete(holder("b", "b-2"))
    assert node.taken() == []


# Asked for by name


def test_an_address_that_was_asked_for_is_given_or_refused(node: Node) -> None:
    wanted = Wanted(Ip.parse("10.0.0.9"), "runtimeConfig.ips[0]")
    asked = node.config("10.0.0.0/24", wanted=[wanted])
    assert node.add(asked, "a") == ["10.0.0.9/24"]
    assert node.add(asked, holder("a", "a-2")) == ["10.0.0.9/24"]
    with pytest.raises(TryAgainLater, match=r"runtimeConfig\.ips\[0\]: 10\.0\.0\.9 of .* is taken by pod default/a"):
        node.add(asked, "b")
    assert node.add(node.config("10.0.0.0/24"), "b") == ["10.0.0.1/24"]


def test_whoever_asks_for_another_address_than_it_has_gets_that(node: Node) -> None:
    plain = node.config("10.0.0.0/24")
    node.add(plain, "a")
    given = node.engine.acquire(
        node.config("10.0.0.0/24", wanted=[Wanted(Ip.parse("10.0.0.9"), "CNI_ARGS: IP")]), holder("a", "a-2")
    )
    assert texts(given) == ["10.0.0.9/24"]
    require_exactly(node.engine, {holder("a", "a-2").attachment: given})


def test_the_same_address_is_not_given_for_two_ranges(node: Node) -> None:
    wanted = [Wanted(Ip.parse("10.0.0.9"), f"runtimeConfig.ips[{at}]") for at in range(2)]
    with pytest.raises(TryAgainLater, match="another range of the same request"):
        node.add(node.config("10.0.0.0/24", "10.0.0.0/24", wanted=wanted), "a")
    assert node.taken() == []


def test_a_preferred_address_is_given_if_it_can_be(node: Node) -> None:
    asked = node.config("10.0.0.0/24", wanted=[Wanted(Ip.parse("10.0.0.9"), "preferred", firmly=False)])
    assert [node.add(asked, pod) for pod in "ab"] == [["10.0.0.9/24"], ["10.0.0.1/24"]]
    outside = node.config("10.0.0.0/24", wanted=[Wanted(Ip.parse("192.0.2.1"), "preferred", firmly=False)])
    assert node.add(outside, "c") == ["10.0.0.2/24"]


# Policies


def test_next_goes_round(node: Node) -> None:
    asked = node.config("10.0.0.0/29", policy="next")
    given = []
    for at in range(8):
        given += node.add(asked, f"p{at}")
        node.delete(f"p{at}")
    assert [text.partition("/")[0][-1] for text in given] == [*"123456", *"12"]


def test_spread_begins_somewhere_and_gives_all(node: Node) -> None:
    asked = node.config("10.0.0.0/26", policy="spread")
    given = [node.add(asked, f"p{at}")[0] for at in range(62)]
    assert len(set(given)) == 62
    assert given != sorted(given)
    with pytest.raises(TryAgainLater):
        node.add(asked, "one-more")


def test_spread_over_a_large_range_leaves_no_bitmaps_behind(node: Node) -> None:
    asked = node.config("2001:db8::/64", policy="spread")
    assert len({node.add(asked, f"p{at}")[0] for at in range(20)}) == 20
    assert not (node.directory / "hint").exists()


# Cool-down


def test_an_address_rests_before_another_gets_it(node: Node) -> None:
    asked = node.config("10.0.0.0/30", cool_down=100.0)
    node.add(asked, "a")
    node.delete("a")
    assert node.add(asked, "b") == ["10.0.0.2/30"]
    words = r"is free: all 2 .*1 were given back and are kept for whom they were, one until 2023-11-14 22:15:00 UTC"
    with pytest.raises(TryAgainLater, match=words):
        node.add(asked, "c")
    node.clock.pass_by(99)
    with pytest.raises(TryAgainLater):
        node.add(asked, "c")
    node.clock.pass_by(1)
    assert node.add(asked, "c") == ["10.0.0.1/30"]
    assert leftovers(node.engine.store) == []


def test_its_holder_gets_it_back_while_it_rests(node: Node) -> None:
    asked = node.config("10.0.0.0/29", cool_down=100.0)
    node.add(asked, "a")
    node.delete("a")
    assert not node.delete("a")
    node.add(asked, "b")
    assert node.add(asked, holder("a", "a-2")) == ["10.0.0.1/29"]
    node.clock.pass_by(1000)
    assert node.add(asked, "c") == ["10.0.0.3/29"]
    assert node.engine.store.lease(holder("a").key) is not None


def test_what_rests_is_freed_by_the_way_and_never_much_at_a_time(node: Node) -> None:
    asked = node.config("10.0.0.0/24", cool_down=10.0, policy="next")
    for at in range(20):
        node.add(asked, f"p{at}")
    for at in range(20):
        node.delete(f"p{at}")
    node.clock.pass_by(200)
    left = []
    for at in range(4):
        node.add(asked, f"q{at}")
        left.append(len(node.taken()) - at - 1)
    assert left == [12, 4, 0, 0]
    assert list((node.directory / "released").iterdir()) == []


@pytest.mark.parametrize("jump", [-3e8, 3e8], ids=["back", "forth"])
def test_a_clock_that_jumps_changes_nothing(node: Node, jump: float) -> None:
    asked = node.config("10.0.0.0/31", cool_down=100.0)
    node.add(asked, "a")
    node.add(asked, "b")
    node.delete("a")
    node.clock.wall += jump
    with pytest.raises(TryAgainLater):
        node.add(asked, "c")
    node.clock.pass_by(100)
    assert node.add(asked, "c") == ["10.0.0.0/31"]


def test_after_a_reboot_it_rests_as_long_again_at_most(node: Node) -> None:
    asked = node.config("10.0.0.0/31", cool_down=100.0)
    node.add(asked, "a")
    node.add(asked, "b")
    node.delete("a")
    node.clock.reboot(uptime=99)
    node.clock.wall = 0
    with pytest.raises(TryAgainLater):
        node.add(asked, "c")
    node.clock.uptime = 100
    assert node.add(asked, "c") == ["10.0.0.0/31"]


def test_an_address_that_rests_can_be_asked_for_once_it_is_over(node: Node) -> None:
    asked = node.config("10.0.0.0/24", cool_down=100.0, wanted=[Wanted(Ip.parse("10.0.0.9"), "ips")])
    node.add(asked, "a")
    node.delete("a")
    with pytest.raises(TryAgainLater, match="which gave it back a short while ago"):
        node.add(asked, "b")
    node.clock.pass_by(100)
    assert node.add(asked, "b") == ["10.0.0.9/24"]


# Claims


def test_a_claim_keeps_its_addresses_until_it_is_released_by_hand(node: Node) -> None:
    from cni_multus.state.leases.byhand import release

    asked = node.config("10.0.0.0/24")
    first, second = (holder("a", f"a-{at}", claim="default/vm") for at in range(2))
    node.add(asked, first)
    assert node.delete(first)
    node.clock.reboot(uptime=1e6)
    assert node.add(asked, "b") == ["10.0.0.2/24"]
    kept = node.engine.store.lease(first.key)
    assert kept is not None
    assert kept.lease.holder.attachment.container_id == ""
    assert leftovers(node.engine.store) == []
    assert node.add(asked, second) == ["10.0.0.1/24"]
    node.delete(second)
    kept = node.engine.store.lease(first.key)
    assert kept is not None
    assert release(node.engine.store, kept)
    assert node.taken() == ["10.0.0.2"]


# Boots


def test_after_a_reboot_the_pod_gets_the_same(node: Node) -> None:
    asked = node.config("10.0.0.0/24", "2001:db8::/64")
    given = [node.add(asked, pod) for pod in "abc"]
    node.clock.reboot()
    assert [node.add(asked, holder(pod, f"{pod}-2")) for pod in "cab"] == [given[2], given[0], given[1]]
    assert len(node.taken()) == 6


def test_leases_of_an_earlier_boot_are_taken_away_in_need_and_after_a_while(node: Node) -> None:
    asked = node.config("10.0.0.0/29")
    for pod in "abcd":
        node.add(asked, pod)
    node.clock.reboot(uptime=10)
    assert [node.add(asked, pod) for pod in "ef"] == [["10.0.0.5/29"], ["10.0.0.6/29"]]
    with pytest.raises(TryAgainLater):
        node.add(asked, "g")
    node.clock.uptime = 300
    assert node.add(asked, holder("b", "b-2")) == ["10.0.0.2/29"]
    assert [node.add(asked, pod) for pod in "ghi"] == [["10.0.0.1/29"], ["10.0.0.3/29"], ["10.0.0.4/29"]]
    with pytest.raises(TryAgainLater):
        node.add(asked, "j")
    assert not node.delete("a")
    assert leftovers(node.engine.store) == []


def test_a_lease_whose_namespace_is_there_is_not_taken_away(node: Node, tmp_path: Path) -> None:
    asked = node.config("10.0.0.4/31")
    here = holder("a")
    here.netns = str(tmp_path)
    node.add(asked, here)
    node.add(asked, "b")
    node.clock.reboot()
    assert node.add(asked, "c") == ["10.0.0.5/31"]
    with pytest.raises(TryAgainLater):
        node.add(asked, "d")


def test_status_counts_what_an_add_would_get(node: Node) -> None:
    asked = node.config("10.0.0.4/31", cool_down=100.0)
    assert node.engine.why_not_available(asked) == ""
    assert not node.directory.exists()
    node.add(asked, "a")
    assert node.engine.why_not_available(asked) == ""
    node.add(asked, "b")
    assert "all 2 of its addresses are held, 1 by default/a, 1 by default/b" in node.engine.why_not_available(asked)
    node.delete("a")
    assert "1 were given back" in node.engine.why_not_available(asked)
    node.clock.pass_by(100)
    assert node.engine.why_not_available(asked) == ""
    node.add(asked, "c")
    assert node.engine.why_not_available(asked) != ""
    node.clock.reboot()
    assert node.engine.why_not_available(asked) == ""


# Garbage


def test_garbage_is_what_is_not_valid_and_of_this_network(node: Node) -> None:
    asked = node.config("10.0.0.0/24", "2001:db8::/64")
    for at in range(70):
        node.add(asked, f"p{at}")
    other = node.config("10.0.0.0/24", network="other")
    node.add(other, holder("x", network="other"))
    node.collect("p7-1")
    assert node.taken() == ["10.0.0.8", "10.0.0.71", "2001:db8::8"]
    node.collect("p7-1")
    node.collect()
    assert node.taken() == ["10.0.0.71"]
    assert leftovers(node.engine.store) == []


# Checking


def test_check_names_each_difference(node: Node) -> None:
    asked = node.config("10.0.0.0/24", "2001:db8::/64")
    given = node.engine.acquire(asked, holder("a"))
    verify = node.engine.verify
    assert verify(asked, holder("a"), given) == []
    assert verify(asked, Holder(holder("a").attachment), given) == []  # a runtime that tells no pod
    (told,) = verify(asked, holder("a"), given[:1])
    assert told == "2001:db8::1 is leased to pod default/a (net1, container a-1) and not known"
    (told,) = verify(asked, holder("b"), given)
    assert "no lease of network blue leads to pod default/b" in told
    (told,) = verify(node.config("10.0.0.0/24", "2001:db8:1::/64"), holder("a"), given)
    assert told == "pod default/a (net1, container a-1) has no address of 2001:db8:1::/64"
    link = next(node.directory.rglob("4-0a000001"))
    os.unlink(link)
    (told,) = verify(asked, holder("a"), given)
    assert "10.0.0.1 is leased to pod default/a (net1, container a-1), and is not taken" in told
    assert node.add(node.config("10.0.0.0/24"), "c") == ["10.0.0.2/24"]  # the hint knows it


def test_a_failed_add_says_who_has_what(node: Node) -> None:
    asked = node.config("10.0.0.0/29")
    for at in range(4):
        node.add(asked, holder("greedy", ifname=f"net{at}"))
        node.clock.pass_by(60)
    node.add(asked, "b")
    node.add(asked, "c")
    with pytest.raises(TryAgainLater) as error:
        node.add(asked, "d")
    assert error.value.message == (
        "network blue: no address of 10.0.0.0/29 is free: all 6 of its addresses are held, 4 by default/greedy, "
        "1 by default/b, 1 by default/c; the oldest since 2023-11-14 22:13:20 UTC, "
        "by pod default/greedy (net0, container greedy-1)"
    )
    assert "multus ipam show" in error.value.details
    assert not node.delete("d")
