"""STATUS and GC of host-local, and what it does with files that a crash or somebody else left."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.ipam.runtime import leftovers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ipam.runtime import Ipam

SMALL = [{"subnet": "10.0.0.0/29"}]  # five addresses, .2 to .6
POOL = [f"10.0.0.{last}" for last in range(2, 7)]


def broken(ipam: Ipam, **files: str | bytes) -> None:
    """Files as something else wrote them."""
    ipam.network.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (ipam.network / name.replace("_", ".")).write_bytes(data)


# STATUS


def test_status_is_well_before_the_first_add_and_makes_nothing(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local(SMALL)
    ipam.call("STATUS").succeeded()
    assert not ipam.data_dir.exists()


def test_status_tells_of_a_full_pool(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local(SMALL, [{"subnet": "2001:db8::/64"}])
    for at in range(5):
        ipam.call("STATUS").succeeded()
        ipam.add(f"c{at}").succeeded()
    ipam.call("STATUS").failed(50, "mynet", "range set 0", "all 5 are reserved")
    ipam.delete("c3").succeeded()
    ipam.call("STATUS").succeeded()


def test_status_tells_of_a_file_in_the_way(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local(SMALL)
    ipam.data_dir.write_text("")
    ipam.call("STATUS").failed(50, "not a directory")


def test_status_needs_the_ranges_that_an_add_would(host_local: Callable[..., Ipam]) -> None:
    host_local(routes=[]).call("STATUS").failed(7, "ipam.ranges")
    host_local(routes=[]).call("STATUS", capabilities={"ipRanges": True}).succeeded()


# GC


def test_gc_frees_what_no_valid_attachment_has(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local(SMALL, [{"subnet": "2001:db8::/64"}])
    for container, ifname in (("a", "eth0"), ("a", "eth1"), ("b", "eth0")):
        ipam.add(container, ifname).succeeded()
    ipam.collect(("a", "eth1"), ("never", "seen")).succeeded()
    assert ipam.addresses() == {"10.0.0.3": "a\r\neth1", "2001:db8::3": "a\r\neth1"}
    ipam.delete("a", "eth1").succeeded()
    assert ipam.addresses() == {}


def test_gc_keeps_a_reservation_of_old_releases_while_its_container_has_any_interface(
    host_local: Callable[..., Ipam],
) -> None:
    ipam = host_local(SMALL)
    broken(ipam, **{"10_0_0_2": "a", "10_0_0_3": "b"})
    ipam.collect(("a", "eth7")).succeeded()
    assert ipam.addresses() == {"10.0.0.2": "a"}


def test_gc_sweeps_what_a_killed_process_left(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local(SMALL)
    ipam.add("a").succeeded()
    broken(ipam, **{"10_0_0_5": "", ".multus-1f-2e": "b\r\neth0"})
    ipam.collect(("a", "eth0")).succeeded()
    assert ipam.addresses() == {"10.0.0.2": "a\r\neth0"}
    assert leftovers(ipam.data_dir) == []


def test_gc_needs_no_ranges_and_makes_nothing(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local("nonsense")
    ipam.collect().succeeded()
    assert not ipam.data_dir.exists()


def test_gc_without_a_list_touches_nothing(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local(SMALL)
    ipam.add().succeeded()
    ipam.call("GC").failed(7, "cni.dev/valid-attachments")
    assert list(ipam.addresses()) == ["10.0.0.2"]


def test_gc_leaves_other_networks_alone(host_local: Callable[..., Ipam]) -> None:
    blue, red = host_local(SMALL, name="blue"), host_local(SMALL, name="red")
    blue.add().succeeded()
    red.add().succeeded()
    blue.collect().succeeded()
    assert (blue.addresses(), list(red.addresses())) == ({}, ["10.0.0.2"])


# Files that name nobody

GARBAGE = [
    "",
    "\n",
    "\0\0\0\0",
    "a b",
    "-x",
    "dummy\neth0",
    "dummy\r\n../eth0",
    "dummy\r\nsixteen-is-too-long",
    b"\xff\xfe",
]


@pytest.mark.parametrize("content", GARBAGE, ids=repr)
def test_an_address_whose_file_names_nobody_is_free(host_local: Callable[..., Ipam], content: str | bytes) -> None:
    ipam = host_local(SMALL)
    broken(ipam, **{"10_0_0_2": content})
    assert ipam.add().ip == "10.0.0.2"
    assert ipam.addresses() == {"10.0.0.2": "dummy\r\neth0"}


def test_a_file_that_loses_its_content_is_reclaimed_before_the_pool_counts_as_exhausted(
    host_local: Callable[..., Ipam],
) -> None:
    ipam = host_local(SMALL)
    given = [ipam.add(f"c{at}").ip for at in range(5)]
    os.truncate(ipam.network / given[3], 0)
    assert ipam.add("later").ip == given[3]


def test_an_address_whose_file_names_nobody_can_be_asked_for(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local(SMALL)
    ipam.add("a").succeeded()
    broken(ipam, **{"10_0_0_5": ""})
    assert ipam.add("b", arguments="IP=10.0.0.5").ip == "10.0.0.5"


def test_a_reservation_of_an_unknown_owner_is_respected(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local(SMALL)
    broken(ipam, **{"10_0_0_2": "printer", "10_0_0_3": "other\r\neth%d"})
    assert ipam.add().ip == "10.0.0.4"


def test_directories_links_and_unknown_names_are_left_alone(host_local: Callable[..., Ipam], tmp_path: Path) -> None:
    ipam = host_local(SMALL)
    broken(ipam, README="dummy", **{"010_000_000_003": "dummy\r\neth0"})
    (ipam.network / "10.0.0.2").mkdir()
    (tmp_path / "victim").write_text("dummy\r\neth0")
    (ipam.network / "10.0.0.3").symlink_to(tmp_path / "victim")
    (ipam.network / "10.0.0.4").symlink_to("nowhere")
    os.mkfifo(ipam.network / "10.0.0.5")
    assert ipam.add("a").ip == "10.0.0.6"
    ipam.add("b").failed(11)
    ipam.add("c", arguments="IP=10.0.0.3").failed(11, "something that is not a reservation")
    ipam.delete("dummy").succeeded()
    ipam.collect(("a", "eth0")).succeeded()
    assert (tmp_path / "victim").read_bytes() == b"dummy\r\neth0"
    names = ["010.000.000.003", *POOL, "README", "last_reserved_ip.0", "lock"]
    assert sorted(os.listdir(ipam.network)) == names


def test_a_link_in_place_of_a_file_of_ours_is_not_followed(host_local: Callable[..., Ipam], tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("lock", "last_reserved_ip.0"):
        ipam = host_local(SMALL, name=name.replace("_", "-"))
        ipam.network.mkdir(parents=True)
        (ipam.network / name).symlink_to(victim)
        ipam.add().failed(5, str(ipam.network / name), "symbolic link")
        (ipam.network / name).unlink()
        assert ipam.addresses() == {}
        ipam.add().succeeded()
    assert victim.read_text() == "precious"


# The index is only a hint


@pytest.mark.parametrize("lost", ["stamp", "owners", "blocks", "."])
def test_a_lost_index_is_made_again(host_local: Callable[..., Ipam], lost: str) -> None:
    ipam = host_local(SMALL)
    for at in range(3):
        ipam.add(f"c{at}").succeeded()
    index = ipam.data_dir / ".multus" / "mynet"
    for path in [path for path in (index / lost).rglob("*") if path.is_file()] + [index / "stamp"]:
        path.unlink(missing_ok=True)
    ipam.add("c1").failed(4, "10.0.0.3 already")
    assert ipam.add("c3").ip == "10.0.0.5"
    for at in range(4):
        ipam.delete(f"c{at}").succeeded()
    assert ipam.addresses() == {}


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"nonsense", b"1 2 3 4 5\n", b"\n\n a b c d\n"])
def test_an_index_full_of_nonsense_is_made_again(host_local: Callable[..., Ipam], content: bytes) -> None:
    ipam = host_local(SMALL)
    ipam.add("a").succeeded()
    for path in (ipam.data_dir / ".multus").rglob("*"):
        if path.is_file():
            path.write_bytes(content)
    assert ipam.add("b").ip == "10.0.0.3"
    ipam.delete("a").succeeded()
    ipam.delete("b").succeeded()
    assert ipam.addresses() == {}


def test_bits_that_lie_do_no_harm(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local(SMALL)
    ipam.add("a").succeeded()
    (block,) = (ipam.data_dir / ".multus" / "mynet" / "blocks").iterdir()
    block.write_bytes(b"\0")
    (ipam.network / "last_reserved_ip.0").write_text("10.0.0.6")
    assert ipam.add("b").ip == "10.0.0.3"
    block.write_bytes(b"\xff")
    assert ipam.add("c").ip == "10.0.0.4"


def test_an_owner_s_line_that_lies_removes_nothing_of_another(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local(SMALL)
    ipam.add("a").succeeded()
    ipam.add("b").succeeded()
    for page in (ipam.data_dir / ".multus" / "mynet" / "owners").iterdir():
        page.write_text(page.read_text().replace("10.0.0.3", "10.0.0.2"))
    ipam.delete("b").succeeded()
    assert "10.0.0.2" in ipam.addresses()


def test_files_that_somebody_else_writes_and_removes_are_seen(host_local: Callable[..., Ipam]) -> None:
    """Directly after a change of ours, within the clock's tick, over and over."""
    ipam = host_local(SMALL)
    for _ in range(50):
        ipam.add("ours").succeeded()
        (ipam.network / "10.0.0.6").unlink(missing_ok=True)
        (ipam.network / "10.0.0.6").write_text("theirs\r\neth0")
        ipam.delete("theirs").succeeded()
        assert "10.0.0.6" not in ipam.addresses() or ipam.addresses()["10.0.0.6"].startswith("ours")
        ipam.delete("ours").succeeded()
    assert ipam.addresses() == {}


def test_a_directory_that_is_replaced_by_a_copy_is_indexed_again(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local(SMALL)
    ipam.add("a").succeeded()
    times = os.stat(ipam.network)
    ipam.network.rename(ipam.network.with_name("old"))
    broken(ipam, **{"10_0_0_3": "b\r\neth0"})
    os.utime(ipam.network, ns=(times.st_atime_ns, times.st_mtime_ns))
    ipam.delete("b").succeeded()
    assert ipam.addresses() == {}
