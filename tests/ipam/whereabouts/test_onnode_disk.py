"""Leases on a disk that is full, read-only, shared or gone, in a mount namespace of the test's own, by the plugin."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.request import VALID_ATTACHMENTS
from cni_multus.state.leases.listing import Listing
from cni_multus.state.leases.store import Store
from tests.leases import leftovers

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ipam.conftest import Mounts
    from tests.ipam.runtime import Ipam

BOOT_ID = "/proc/sys/kernel/random/boot_id"
BOTH = {"ipRanges": [{"range": "10.0.0.0/29"}, {"range": "2001:db8::/125"}]}


@pytest.fixture
def ipam(whereabouts: Callable[..., Ipam], mounts: Mounts) -> Ipam:
    """Dual stack, six addresses of each family, among the mounts."""
    return replace(whereabouts(**BOTH), before=mounts.enter)


def taken(directory: Path) -> list[str]:
    listing = Listing(Store(str(directory)))
    return [str(ip) for domain in listing.domains() for ip, _ in listing.addresses(domain.name)]


def collect(ipam: Ipam, *valid: str) -> None:
    members = [{"containerID": container, "ifname": "eth0"} for container in valid]
    ipam.with_keys(**{VALID_ATTACHMENTS: members}).run("GC").succeeded()


def test_on_a_read_only_disk_an_add_says_so_and_status_knew(ipam: Ipam, mounts: Mounts) -> None:
    ipam.run("ADD", "a").succeeded()
    mounts.run("mount", "--bind", "-o", "ro", str(ipam.data_dir), str(ipam.data_dir))
    ipam.run("ADD", "b").failed(5, str(ipam.data_dir), "read-only file system", "mounted read-only")
    ipam.run("STATUS").failed(50, "not writable")
    ipam.run("DEL", "unknown").succeeded()
    ipam.run("DEL", "a").failed(5, "read-only file system")
    mounts.run("umount", str(ipam.data_dir))
    assert len(taken(ipam.data_dir)) == 2
    ipam.run("DEL", "a").succeeded()
    assert taken(ipam.data_dir) == []
    assert leftovers(Store(str(ipam.data_dir))) == []


def test_a_disk_that_is_read_only_from_the_start_says_so(ipam: Ipam, mounts: Mounts) -> None:
    ipam.data_dir.mkdir()
    mounts.run("mount", "--bind", "-o", "ro", str(ipam.data_dir), str(ipam.data_dir))
    ipam.run("ADD", "a").failed(5, "read-only")
    ipam.run("STATUS").failed(50, "not writable")
    ipam.run("DEL", "a").succeeded()
    collect(ipam)


@pytest.fixture
def small_disk(ipam: Ipam, mounts: Mounts) -> Path:
    """A tmpfs of 256 KiB where the leases are, as the test sees it."""
    ipam.data_dir.mkdir()
    mounts.run("mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs", str(ipam.data_dir))
    return mounts.see(ipam.data_dir)


def fill(disk: Path) -> Path:
    path = disk / "filler"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        while True:
            os.write(fd, b"x" * 4096)
    except OSError:
        return path
    finally:
        os.close(fd)


@pytest.mark.parametrize("keys", [{}, {"policy": "next", "cool_down": 60}], ids=["lowest", "cool-down"])
def test_on_a_full_disk_an_add_leaves_nothing_and_a_delete_works(
    ipam: Ipam, small_disk: Path, keys: dict[str, object]
) -> None:
    ipam = ipam.changed(**keys)
    for container in "abcd":
        ipam.run("ADD", container).succeeded()
    before = taken(small_disk)
    filler = fill(small_disk)
    ipam.run("ADD", "e").failed(5, "no space left on device", "full")
    ipam.run("STATUS").failed(50, "full")
    assert taken(small_disk) == before
    assert leftovers(Store(str(small_disk))) == []
    for container in "abcd":
        fill(small_disk)
        ipam.run("DEL", container).succeeded()
    if not keys:
        assert taken(small_disk) == []
    filler.unlink()
    ipam.run("ADD", "e").succeeded()
    ipam.run("STATUS").succeeded()
    assert leftovers(Store(str(small_disk))) == []


@pytest.mark.parametrize("room", range(1, 12))
def test_a_disk_that_becomes_full_in_the_middle_of_an_add_keeps_nothing_of_it(
    ipam: Ipam, mounts: Mounts, room: int
) -> None:
    """Room for so many inodes more: each step of the ADD is once the one that finds none."""
    ipam.data_dir.mkdir()
    mounts.run("mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", str(ipam.data_dir))
    disk = mounts.see(ipam.data_dir)
    ipam.run("ADD", "a").succeeded()
    before = taken(disk)
    used = os.statvfs(disk).f_files - os.statvfs(disk).f_ffree
    mounts.run("mount", "-o", f"remount,nr_inodes={used + room}", str(ipam.data_dir))
    answer = ipam.run("ADD", "b")
    if answer.status:
        answer.failed(5, "no space left on device", "out of inodes")
        assert taken(disk) == before
    else:
        assert len(taken(disk)) == 4
    assert leftovers(Store(str(disk))) == []
    ipam.run("DEL", "b").succeeded()
    assert taken(disk) == before


def test_garbage_is_collected_on_a_full_disk(ipam: Ipam, small_disk: Path) -> None:
    ipam.run("ADD", "a").succeeded()
    fill(small_disk)
    collect(ipam)
    assert taken(small_disk) == []


def test_what_cannot_be_removed_is_an_error_and_does_not_stop_the_rest(ipam: Ipam, mounts: Mounts) -> None:
    for container in "ab":
        ipam.run("ADD", container).succeeded()
    (link,) = ipam.data_dir.rglob("a@eth0")
    stuck = link.parent
    mounts.run("mount", "--bind", str(stuck), str(stuck))
    mounts.run("mount", "-o", "remount,bind,ro", str(stuck))
    ipam.run("DEL", "a").failed(5, f"cannot remove {link}", "read-only file system")
    ipam.with_keys(**{VALID_ATTACHMENTS: []}).run("GC").failed(5, str(link))
    assert taken(ipam.data_dir) == []
    mounts.run("umount", str(stuck))
    ipam.run("DEL", "a").succeeded()
    assert leftovers(Store(str(ipam.data_dir))) == []


@pytest.mark.parametrize("kind", ["nfs4", "cifs"])
def test_a_disk_that_several_nodes_see_is_refused_before_anything_is_written(
    ipam: Ipam, mounts: Mounts, kind: str
) -> None:
    """The table of mounts says so: a server cannot be had here. It is a file in a /proc of the test's own."""
    own = ipam.data_dir.parent / "proc"
    (own / "self").mkdir(parents=True)
    (own / "self" / "mountinfo").write_text(f"30 27 0:40 / {ipam.data_dir.parent} rw - {kind} server:/export rw\n")
    boot = own / BOOT_ID.removeprefix("/proc/")
    boot.parent.mkdir(parents=True)
    boot.write_bytes(Path(BOOT_ID).read_bytes())
    mounts.run("mount", "--bind", str(own), "/proc")
    ipam.run("ADD", "a").failed(5, f"it is on {kind}, which several nodes can see", "dataDir")
    assert not ipam.data_dir.exists()
    ipam.data_dir.mkdir()
    ipam.run("ADD", "a").failed(5, f"it is on {kind}")
    ipam.run("STATUS").failed(50, f"it is on {kind}")
    ipam.run("DEL", "a").succeeded()
    assert list(ipam.data_dir.iterdir()) == []


def test_after_a_reboot_the_pod_gets_the_same_and_what_the_disk_is_is_looked_at_again(
    ipam: Ipam, mounts: Mounts, tmp_path: Path
) -> None:
    first = ipam.run("ADD", "a").ips
    known = json.loads((ipam.data_dir / "meta").read_text())
    boot = tmp_path / "boot"
    boot.write_text("00000001-1111-4222-8333-444444444444\n")
    mounts.run("mount", "--bind", str(boot), BOOT_ID)
    ipam.run("ADD", "b").succeeded()
    assert json.loads((ipam.data_dir / "meta").read_text()) == {**known, "boot": "0000000111114222"}
    assert ipam.run("ADD", "a").ips == first
    ipam.run("DEL", "a").succeeded()
    ipam.run("DEL", "b").succeeded()
    assert taken(ipam.data_dir) == []
