"""The files of the store: what they look like, what becomes of damaged ones, and on which disks they can be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import CniError, IoFailure, TryAgainLater
from cni_multus.cni.request import Attachment
from cni_multus.state.leases.audit import findings
from cni_multus.state.leases.byhand import adopt, release, release_address
from cni_multus.state.leases.disk import Disk, _kind
from cni_multus.state.leases.layout import Layout, domain_name, parse_address, parse_attachment
from cni_multus.state.leases.lease import RELEASED, Holder, Lease
from cni_multus.state.leases.listing import Listing
from cni_multus.state.leases.record import Damaged, Record
from cni_multus.state.leases.store import Store
from ipam.whereabouts.onnode import NodeEngine
from tests.leases import NETWORK, SetClock, config, files, holder, leftovers, require_exactly, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def engine() -> Iterator[NodeEngine]:
    """In memory: nothing here is about a disk."""
    with TemporaryDirectory(dir="/dev/shm") as directory:
        yield NodeEngine(f"{directory}/leases", SetClock())


def add(engine: NodeEngine, pod: str, *pools: str, **keys: Any) -> list[Cidr]:
    asked = config(*(pools or ("10.0.0.0/24", "2001:db8::/64")), data_dir=Path(engine.store.layout.root), **keys)
    return engine.acquire(asked, holder(pod))


def link_of(engine: NodeEngine, address: str, domain: str = "_default") -> Path:
    return Path(engine.store.layout.address((domain, Ip.parse(address))))


def lease_of(engine: NodeEngine, pod: str) -> Path:
    return Path(engine.store.layout.lease(holder(pod).key))


def attachment_of(engine: NodeEngine, pod: str) -> Path:
    return Path(engine.store.layout.attachment(holder(pod).attachment))


# What it looks like


def test_everything_can_be_read_with_ls_and_cat(engine: NodeEngine) -> None:
    add(engine, "a")
    root = Path(engine.store.layout.root)
    links = {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_symlink()}
    assert sorted(links) == [
        "address/_default/00/4-0a000001",
        "address/_default/00/6-20010db8000000000000000000000001",
        next(name for name in links if name.startswith("attachment/blue/") and name.endswith("/a-1@net1")),
    ]
    (said,) = set(links.values())
    assert '"pod":"default/a"' in said
    assert '"addresses":["10.0.0.1/24","2001:db8::1/64"]' in said
    assert said == lease_of(engine, "a").read_text()
    assert all(len(os.readlink(path)) < 60 for path in root.rglob("*") if path.is_symlink())


def test_a_lease_takes_a_file_and_a_link_for_each_address_and_for_its_attachment(engine: NodeEngine) -> None:
    add(engine, "a")
    before = files(Path(engine.store.layout.root))
    add(engine, "b")
    assert files(Path(engine.store.layout.root)) - before == 4


@pytest.mark.parametrize(
    ("network_name", "pool", "name"),
    [
        ("", None, "_default"),
        ("blue", None, "blue"),
        ("", "10.0.0.7/24", "_default+10.0.0.0_24"),
        ("blue", "2001:db8::/64", "blue+2001:db8::_64"),
    ],
)
def test_domains_have_readable_names(network_name: str, pool: str | None, name: str) -> None:
    assert domain_name(network_name, Cidr.parse(pool) if pool else None) == name


@pytest.mark.parametrize("network_name", ["..", "a/b", "_default", "x" * 200, "\n", "blue+10.0.0.0_24", ".hidden", "é"])
def test_other_domains_have_safe_ones(network_name: str) -> None:
    name = domain_name(network_name)
    assert name.startswith("_")
    assert name != "_default"
    assert len(name) == 41
    assert "/" not in name


@pytest.mark.parametrize("text", ["10.0.0.1", "255.255.255.255", "2001:db8::1", "::2"])
def test_the_names_of_addresses_are_read_back(text: str) -> None:
    path = Layout("/x").address(("d", Ip.parse(text)))
    assert parse_address(os.path.basename(path)) == Ip.parse(text)


@pytest.mark.parametrize("name", ["", "4-", "5-0a000001", "4-0A000001", "4-a000001", "lock", "6-0a000001", ".multus-1"])
def test_other_names_are_no_addresses(name: str) -> None:
    assert parse_address(name) is None


def test_an_interface_with_an_at_sign_is_read_back() -> None:
    layout = Layout("/x")
    path = layout.attachment(Attachment("net", "c.1", "a@b"))
    found = parse_attachment("net", os.path.basename(path))
    assert found is not None
    assert (found.container_id, found.ifname) == ("c.1", "a@b")


@pytest.mark.parametrize(
    ("network", "container", "ifname"),
    [
        ("../x", "c", "eth0"),
        ("net", "../c", "eth0"),
        ("net", "c", "../e"),
        ("net", "c", ""),
        ("", "c", "e"),
        ("n", "", "e"),
    ],
)
def test_names_that_are_none_never_become_paths(network: str, container: str, ifname: str) -> None:
    with pytest.raises(CniError, match=r"is not|cannot name"):
        Layout("/x").attachment(Attachment(network, container, ifname))


def test_a_record_is_read_as_it_was_written() -> None:
    who = holder("a", claim="default/vm", node="n1", boot="b")
    lease = Lease(who, [Cidr.parse("10.0.0.1/24"), Cidr.parse("2001:db8::1/64")], 12.5, RELEASED, 99.0)
    record = Record(who.key, lease, ["x", "y"], cool_down=3.0, uptime=4.5, leaving=[("z", Ip.parse("10.0.0.9"))])
    again = Record.parse(who.key, record.print(), "path")
    assert again.print() == record.print()
    assert again.slots == record.slots
    assert (again.cool_down, again.uptime, again.leaving) == (3.0, 4.5, record.leaving)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:-20],
        lambda data: data.replace(b"10.0.0.1", b"10.0.0.2"),
        lambda data: b"\0" * len(data),
        lambda data: data[9:],
        lambda data: b"\xff" + data,
    ],
)
def test_a_record_that_was_changed_is_damaged(change: Callable[[bytes], bytes]) -> None:
    who = holder("a")
    data = Record(who.key, Lease(who, [Cidr.parse("10.0.0.1/24")], 1.0), ["d"]).print()
    with pytest.raises(Damaged, match="the lease /x/y"):
        Record.parse(who.key, change(data), "/x/y")


# Damage


@pytest.mark.parametrize("content", ["", "garbage", '00000000 {"addresses":[]}\n'])
def test_what_a_damaged_lease_has_is_never_given_away(engine: NodeEngine, content: str) -> None:
    add(engine, "a")
    lease_of(engine, "a").write_text(content)
    assert texts(add(engine, "b")) == ["10.0.0.2/24", "2001:db8::2/64"]
    (told,) = engine.verify(config(data_dir=Path("/x")), holder("a"), [])
    assert "the lease" in told
    (found,) = findings(engine.store)
    assert (found.kind, found.mendable) == ("damaged lease", True)
    assert found.mend()
    assert not found.mend()
    assert leftovers(engine.store) == []
    assert texts(add(engine, "a")) == ["10.0.0.1/24", "2001:db8::1/64"]


def test_the_delete_of_a_damaged_lease_gives_back_what_it_had(engine: NodeEngine) -> None:
    add(engine, "a")
    given = add(engine, "b")
    lease_of(engine, "a").write_text("")
    assert engine.release(holder("a").attachment)
    require_exactly(engine, {holder("b").attachment: given})


def test_a_damaged_lease_that_another_container_leads_to_is_left_to_it(engine: NodeEngine) -> None:
    """Killed between the new container's attachment and the lease; then the disk took the lease."""
    add(engine, "a")
    target = os.readlink(attachment_of(engine, "a"))
    later = Path(engine.store.layout.attachment(holder("a", "a-2").attachment))
    later.parent.mkdir(exist_ok=True)
    later.symlink_to(target)
    lease_of(engine, "a").write_text("")
    assert engine.release(holder("a").attachment)
    assert link_of(engine, "10.0.0.1").is_symlink()
    assert engine.release(holder("a", "a-2").attachment)
    assert not link_of(engine, "10.0.0.1").is_symlink()
    assert leftovers(engine.store) == []


def test_a_damaged_lease_that_nothing_leads_to_is_for_a_person_to_decide(engine: NodeEngine) -> None:
    add(engine, "a", "10.0.0.0/24")
    lease_of(engine, "a").write_text("")
    attachment_of(engine, "a").unlink()
    (found,) = findings(engine.store)
    assert (found.kind, found.mendable) == ("damaged lease", False)
    assert not found.mend()
    key = holder("a").key
    assert not release_address(engine.store, "_default", Ip.parse("10.0.0.1"), "0" * 40)
    assert release_address(engine.store, "_default", Ip.parse("10.0.0.1"), key)
    assert not release_address(engine.store, "_default", Ip.parse("10.0.0.1"), key)
    assert texts(add(engine, "b", "10.0.0.0/24")) == ["10.0.0.1/24"]


def test_something_else_in_the_place_of_an_address_is_left_alone(engine: NodeEngine) -> None:
    add(engine, "a", "10.0.0.0/24")
    link_of(engine, "10.0.0.2").write_text("keep out")
    link_of(engine, "10.0.0.3").mkdir()
    assert texts(add(engine, "b", "10.0.0.0/24")) == ["10.0.0.4/24"]
    found = list(findings(engine.store))
    assert [(one.kind, one.mendable) for one in found] == [("address not of its lease", False)] * 2


def find(engine: NodeEngine, kind: str) -> None:
    """Exactly this is wrong, it can be mended, and then nothing is."""
    found = list(findings(engine.store))
    assert [(one.kind, one.mendable) for one in found] == [(kind, True)], [(one.kind, one.message) for one in found]
    assert found[0].mend()
    assert not found[0].mend()
    assert leftovers(engine.store) == []


def test_fsck_links_an_address_again_that_its_lease_has(engine: NodeEngine) -> None:
    given = add(engine, "a")
    link_of(engine, "10.0.0.1").unlink()
    told = list(findings(engine.store))
    assert [one.kind for one in told] == ["lease without address", "wrong hint"]
    assert [one.mend() for one in told] == [True, False]  # the hint is right again
    require_exactly(engine, {holder("a").attachment: given})


def test_fsck_takes_an_address_out_of_the_lease_that_lost_it(engine: NodeEngine) -> None:
    add(engine, "a")
    link = link_of(engine, "10.0.0.1")
    link.unlink()
    (Path(engine.store.layout.hints("_default")) / "4-a00").unlink()
    given = add(engine, "b")
    assert texts(given) == ["10.0.0.1/24", "2001:db8::2/64"]
    find(engine, "lease without address")
    require_exactly(engine, {holder("a").attachment: [Cidr.parse("2001:db8::1/64")], holder("b").attachment: given})


def test_fsck_makes_a_lease_again_that_an_attachment_leads_to(engine: NodeEngine) -> None:
    add(engine, "a")
    lease_of(engine, "a").unlink()
    found = list(findings(engine.store))
    assert {one.kind for one in found} <= {"address without lease", "attachment without lease"}
    assert found[0].mend()
    assert leftovers(engine.store) == []
    assert engine.release(holder("a").attachment)
    assert list(Listing(engine.store).addresses("_default")) == []


def test_fsck_frees_an_address_that_nothing_leads_to(engine: NodeEngine) -> None:
    add(engine, "a", "10.0.0.0/24")
    lease_of(engine, "a").unlink()
    attachment_of(engine, "a").unlink()
    find(engine, "address without lease")
    assert texts(add(engine, "b", "10.0.0.0/24")) == ["10.0.0.1/24"]


def test_fsck_frees_an_address_that_its_lease_does_not_have(engine: NodeEngine) -> None:
    given = add(engine, "a")
    link_of(engine, "10.0.0.9").symlink_to(engine.store.layout.target(holder("a").key))
    find(engine, "address not of its lease")
    require_exactly(engine, {holder("a").attachment: given})


def test_fsck_makes_the_way_to_a_lease_again(engine: NodeEngine) -> None:
    given = add(engine, "a")
    attachment_of(engine, "a").unlink()
    find(engine, "lease without attachment")
    require_exactly(engine, {holder("a").attachment: given})


def test_fsck_removes_attachments_that_lead_to_nothing_or_to_another_container(engine: NodeEngine) -> None:
    add(engine, "a")
    for container, key in (("gone", "0" * 40), ("former", holder("a").key)):
        path = Path(engine.store.layout.attachment(Attachment(NETWORK, container, "net1")))
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(engine.store.layout.target(key))
    found = list(findings(engine.store))
    assert sorted(one.kind for one in found) == ["attachment of another container", "attachment without lease"]
    assert all(one.mend() for one in found)
    assert leftovers(engine.store) == []


def test_fsck_removes_what_was_never_renamed(engine: NodeEngine) -> None:
    add(engine, "a")
    Path(engine.store.layout.new_lease).write_text("begun")
    find(engine, "temporary file")


def test_fsck_finds_a_bitmap_that_hides_an_address(engine: NodeEngine) -> None:
    add(engine, "a", "10.0.0.0/24")
    for path in (link_of(engine, "10.0.0.1"), lease_of(engine, "a"), attachment_of(engine, "a")):
        path.unlink()
    find(engine, "wrong hint")
    assert texts(add(engine, "b", "10.0.0.0/24")) == ["10.0.0.1/24"]


def test_fsck_lets_a_released_lease_wait_again(engine: NodeEngine) -> None:
    add(engine, "a", "10.0.0.0/24", cool_down=10.0)
    engine.release(holder("a").attachment)
    next(path for path in (Path(engine.store.layout.root) / "released").rglob("*") if path.is_symlink()).unlink()
    find(engine, "lost release")


def test_a_bitmap_that_is_gone_or_nonsense_costs_time_only(engine: NodeEngine) -> None:
    for at in range(5):
        add(engine, f"p{at}", "10.0.0.0/28")
    (hint,) = Path(engine.store.layout.hints("_default")).iterdir()
    hint.unlink()
    assert texts(add(engine, "a", "10.0.0.0/28")) == ["10.0.0.6/28"]
    hint.write_bytes(b"\xff" * 8192)
    assert texts(add(engine, "b", "10.0.0.0/28")) == ["10.0.0.7/28"]
    assert leftovers(engine.store) == []


def test_a_pool_that_stays_full_is_not_listed_each_time(engine: NodeEngine) -> None:
    """What is removed by hand is found within half a minute."""
    clock = engine.store.clock
    assert isinstance(clock, SetClock)
    for at in range(6):
        add(engine, f"p{at}", "10.0.0.0/29")
    with pytest.raises(TryAgainLater):
        add(engine, "a", "10.0.0.0/29")
    link_of(engine, "10.0.0.3").unlink()
    with pytest.raises(TryAgainLater):
        add(engine, "a", "10.0.0.0/29")
    clock.pass_by(30)
    assert texts(add(engine, "a", "10.0.0.0/29")) == ["10.0.0.3/29"]


# By hand


def test_leases_of_another_program_are_taken_over_all_or_none(engine: NodeEngine) -> None:
    add(engine, "a", "10.0.0.0/24")
    both = [("_default", Cidr.parse(text)) for text in ("10.0.0.5/24", "2001:db8::5/64")]
    who = Holder(Attachment("old", "c1", "eth0"))
    record = adopt(engine.store, who, both, since=1000.0)
    assert record.lease.since == 1000.0
    assert adopt(engine.store, who, both).lease.since == 1000.0
    other = Holder(Attachment("old", "c2", "eth0"))
    with pytest.raises(TryAgainLater, match=r"10\.0\.0\.5 is taken by container c1, eth0"):
        adopt(engine.store, other, [("_default", Cidr.parse("10.0.0.6/24")), both[0]])
    with pytest.raises(TryAgainLater, match="has other addresses already"):
        adopt(engine.store, who, [("_default", Cidr.parse("10.0.0.6/24"))])
    assert Listing(engine.store).count("_default") == 3
    assert leftovers(engine.store) == []
    assert texts(add(engine, "b", "10.0.0.0/24")) == ["10.0.0.2/24"]
    assert engine.release(who.attachment)
    assert Listing(engine.store).count("_default") == 2


def test_a_lease_is_released_by_hand_only_as_it_was_seen(engine: NodeEngine) -> None:
    add(engine, "a")
    seen = engine.store.lease(holder("a").key)
    assert seen is not None
    asked = config("10.0.0.0/24", "2001:db8::/64", data_dir=Path(engine.store.layout.root))
    engine.acquire(asked, holder("a", "a-2"))
    assert not release(engine.store, seen)
    seen = engine.store.lease(seen.key)
    assert seen is not None
    assert not release_address(engine.store, "_default", Ip.parse("10.0.0.1"), seen.key)
    assert release(engine.store, seen)
    assert not release(engine.store, seen)
    assert list(Listing(engine.store).addresses("_default")) == []
    assert leftovers(engine.store) == []


def test_the_listing_tells_what_is_there(engine: NodeEngine) -> None:
    for at in range(300):
        add(engine, f"p{at}", "10.0.0.0/16")
    add(engine, "x", "10.0.0.0/24", network_name="other")
    listing = Listing(engine.store)
    assert [domain.name for domain in listing.domains()] == ["_default", "other"]
    assert listing.networks() == [NETWORK]
    assert (listing.count("_default"), listing.count("other"), listing.count("none")) == (300, 1, 0)
    first, last = Ip.parse("10.0.0.255").number, Ip.parse("10.0.1.1").number
    assert listing.count("_default", first, last) == 3
    assert listing.count("_default", first, last, 6) == 0
    assert len(list(listing.leases())) == 301
    assert [record.lease.holder.pod for record in listing.leases("other")] == ["default/x"]
    addresses = [str(ip) for ip, _ in listing.addresses("_default")]
    assert (addresses[0], addresses[-1]) == ("10.0.0.1", "10.0.1.44")
    assert len(list(listing.attachments(NETWORK))) == 301
    assert engine.store.has_attachments(NETWORK)
    assert not engine.store.has_attachments("none")
    record = next(listing.leases("other"))
    assert listing.is_held(record)
    link_of(engine, "10.0.0.1", "other").unlink()
    assert not listing.is_held(record)


# File systems

MOUNTS = """\
22 27 0:21 / /proc rw - proc proc rw
27 1 254:0 / / rw - ext4 /dev/vda rw
30 27 0:40 / /var/lib/cni rw - nfs4 server:/export rw
31 27 0:41 / /var/lib/cni\\040two rw master:1 - btrfs /dev/sdb rw
32 27 0:42 / /mnt rw - ext4 /dev/sdc rw
33 27 0:43 / /mnt rw - cifs //server/share rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/var/lib/cni/whereabouts", "nfs4"),
        ("/var/lib/cni two/x", "btrfs"),
        ("/var/lib/cnix", "ext4"),
        ("/mnt", "cifs"),
        ("/proc/self", "proc"),
    ],
)
def test_the_file_system_of_a_path_is_that_of_the_last_mount_above_it(path: str, kind: str) -> None:
    assert _kind(path, MOUNTS) == kind


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "ceph", "fuse.sshfs"])
def test_a_disk_that_several_nodes_see_is_refused(kind: str) -> None:
    with pytest.raises(IoFailure, match=f"it is on {kind}, which several nodes can see"):
        Disk(kind, 1, ordered=False).require_own("/srv/x")


def test_the_kind_of_the_disk_is_the_one_that_stat_tells(tmp_path: Path) -> None:
    told = subprocess.run(["stat", "-f", "-c", "%T", tmp_path], check=True, capture_output=True, text=True).stdout
    assert Disk.of(str(tmp_path)).kind in (told.strip(), "ext4" if told.startswith("ext2/ext3") else "")
    shm = Disk.of("/dev/shm")
    assert (shm.kind, shm.ordered) == ("tmpfs", False)


def test_reading_imports_nothing_of_what_writes() -> None:
    """What CHECK and the operators' commands pay for."""
    program = "import sys, cni_multus.state.leases.store; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    ours = {name for name in loaded if name.startswith(("cni_multus.state", "ipam"))}
    assert ours == {
        "cni_multus.state",
        "cni_multus.state.files",
        "cni_multus.state.leases",
        *(f"cni_multus.state.leases.{name}" for name in ("clock", "layout", "lease", "links", "record", "store")),
    }


def test_a_store_that_is_not_there_tells_nothing() -> None:
    store = Store("/nonexistent")
    listing = Listing(store)
    assert not store.exists()
    assert (listing.domains(), listing.networks(), list(listing.leases())) == ([], [], [])
    assert store.lease_of(holder("a").attachment) is None
    assert list(findings(store)) == []
