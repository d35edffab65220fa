"""host-local on a disk that is full, read-only or gone, and after a reboot, in a mount namespace of the test's own."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.request import VALID_ATTACHMENTS
from tests.ipam.runtime import leftovers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ipam.conftest import Mounts
    from tests.ipam.runtime import Ipam

SMALL = [{"subnet": "10.0.0.0/29"}]  # five addresses, .2 to .6
BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Reboot:
    """The same mounts with another boot id each time."""

    def __init__(self, mounts: Mounts, directory: Path) -> None:
        self._mounts = mounts
        self._directory = directory
        self._count = 0

    def __call__(self) -> None:
        self._count += 1
        path = self._directory / f"boot{self._count}"
        path.write_text(f"0000000{self._count}-1111-4222-8333-444444444444\n")
        self._mounts.run("mount", "--bind", str(path), BOOT_ID)


@pytest.fixture
def reboot(mounts: Mounts, tmp_path: Path) -> Reboot:
    boots = Reboot(mounts, tmp_path)
    boots()
    return boots


@pytest.fixture
def make(host_local: Callable[..., Ipam], mounts: Mounts) -> Callable[..., Ipam]:
    """Make a host-local that runs among the mounts."""
    return lambda *sets, **more: replace(host_local(*sets, **more), before=mounts.enter)


# After a reboot


def test_reservations_of_an_earlier_boot_are_reclaimed_when_the_pool_is_exhausted(
    make: Callable[..., Ipam], reboot: Reboot
) -> None:
    ipam = make(SMALL)
    for at in range(3):
        ipam.run("ADD", f"old{at}").succeeded()
    reboot()
    assert [ipam.run("ADD", f"new{at}").ip for at in range(2)] == ["10.0.0.5", "10.0.0.6"]
    assert len(ipam.addresses()) == 5  # there was no need yet
    assert ipam.run("ADD", "new2").ip == "10.0.0.2"
    assert set(ipam.addresses().values()) == {f"new{at}\r\neth0" for at in range(3)}
    ipam.run("ADD", "new3").succeeded()
    ipam.run("ADD", "new4").succeeded()
    ipam.run("ADD", "new5").failed(11, "all 5 are reserved")


def test_status_counts_what_an_add_would_reclaim(make: Callable[..., Ipam], reboot: Reboot) -> None:
    ipam = make(SMALL)
    for at in range(5):
        ipam.run("ADD", f"old{at}").succeeded()
    ipam.run("STATUS").failed(50)
    reboot()
    ipam.run("STATUS").succeeded()


def test_a_reservation_without_a_known_boot_is_of_the_one_that_sees_it_first(
    make: Callable[..., Ipam], reboot: Reboot
) -> None:
    ipam = make(SMALL)
    ipam.network.mkdir(parents=True)
    for at in range(2, 7):
        (ipam.network / f"10.0.0.{at}").write_text(f"go{at}\r\neth0")
    ipam.run("ADD", "new").failed(11)
    ipam.run("ADD", "new").failed(11)
    reboot()
    ipam.run("ADD", "new").succeeded()
    assert len(ipam.addresses()) == 1


def test_gc_spares_a_valid_attachment_of_an_earlier_boot(make: Callable[..., Ipam], reboot: Reboot) -> None:
    ipam = make(SMALL)
    ipam.run("ADD", "a").succeeded()
    ipam.run("ADD", "b").succeeded()
    reboot()
    ipam.with_keys(**{VALID_ATTACHMENTS: [{"containerID": "a", "ifname": "eth0"}]}).run("GC").succeeded()
    assert list(ipam.addresses()) == ["10.0.0.2"]


def test_a_container_that_comes_back_after_a_reboot_gets_an_address(make: Callable[..., Ipam], reboot: Reboot) -> None:
    ipam = make(SMALL)
    ipam.run("ADD", "a").succeeded()
    ipam.run("ADD", "a").failed(4)
    reboot()
    assert ipam.run("ADD", "a").ip == "10.0.0.3"
    assert list(ipam.addresses()) == ["10.0.0.3"]
    ipam.run("ADD", "a").failed(4)


def test_an_address_of_an_earlier_boot_can_be_asked_for(make: Callable[..., Ipam], reboot: Reboot) -> None:
    ipam = make(SMALL)
    ipam.run("ADD", "a").succeeded()
    wanted = ipam.with_keys(runtimeConfig={"ips": ["10.0.0.2"]})
    wanted.run("ADD", "b").failed(11, "container a")
    reboot()
    assert wanted.run("ADD", "b").ip == "10.0.0.2"
    assert ipam.addresses() == {"10.0.0.2": "b\r\neth0"}


def test_a_file_that_another_program_wrote_again_in_this_boot_is_not_of_the_earlier_one(
    make: Callable[..., Ipam], reboot: Reboot
) -> None:
    """The same container, interface and address: only the file's own times tell the two reservations apart."""
    ipam = make([{"subnet": "10.0.0.0/32"}])
    ipam.run("ADD", "a").succeeded()
    reboot()
    path = ipam.network / "10.0.0.0"
    path.unlink()
    path.write_bytes(b"a\r\neth0")
    ipam.run("ADD", "b").failed(11)
    ipam.run("ADD", "a").failed(4)
    assert ipam.addresses() == {"10.0.0.0": "a\r\neth0"}


def test_deletes_of_an_earlier_boot_s_containers_work(make: Callable[..., Ipam], reboot: Reboot) -> None:
    ipam = make(SMALL)
    ipam.run("ADD", "a").succeeded()
    reboot()
    ipam.run("DEL", "a").succeeded()
    assert ipam.addresses() == {}


# Disks


def test_an_add_on_a_read_only_disk_says_so_and_status_knew(make: Callable[..., Ipam], mounts: Mounts) -> None:
    ipam = make(SMALL)
    ipam.run("ADD", "a").succeeded()
    mounts.run("mount", "--bind", "-o", "ro", str(ipam.data_dir), str(ipam.data_dir))
    ipam.run("ADD", "b").failed(5, str(ipam.data_dir), "read-only file system", "mounted read-only")
    ipam.run("STATUS").failed(50, "not writable")
    ipam.run("DEL", "unknown").succeeded()
    ipam.run("DEL", "a").failed(5, "10.0.0.2", "read-only file system")
    mounts.run("umount", str(ipam.data_dir))
    ipam.run("DEL", "a").succeeded()
    assert ipam.addresses() == {}


def test_a_disk_that_is_read_only_from_the_start_says_so(make: Callable[..., Ipam], mounts: Mounts) -> None:
    ipam = make(SMALL)
    ipam.data_dir.mkdir()
    mounts.run("mount", "--bind", "-o", "ro", str(ipam.data_dir), str(ipam.data_dir))
    ipam.run("ADD", "a").failed(5, f"cannot make the directory {ipam.network}", "read-only")
    ipam.run("STATUS").failed(50, "not writable")
    ipam.run("DEL", "a").succeeded()


@pytest.fixture
def small_disk(host_local: Callable[..., Ipam], mounts: Mounts) -> Path:
    """A tmpfs of 32 pages where the networks are, as the test sees it."""
    data_dir = host_local(SMALL).data_dir
    data_dir.mkdir()
    mounts.run("mount", "-t", "tmpfs", "-o", "size=128k,mode=755", "tmpfs", str(data_dir))
    return mounts.see(data_dir)


def fill(disk: Path) -> Path:
    path = disk / "filler"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(fd, b"x" * 4096)
    except OSError:
        return path
    finally:
        os.close(fd)


def there(disk: Path) -> list[str]:
    return sorted(path.name for path in (disk / "mynet").iterdir() if path.name.startswith("10."))


@pytest.mark.parametrize("indexed", [True, False], ids=["indexed", "index-lost"])
def test_an_add_on_a_full_disk_leaves_nothing_and_a_delete_works(
    make: Callable[..., Ipam], small_disk: Path, indexed: bool
) -> None:
    ipam = make(SMALL)
    for container in "abcd":
        ipam.run("ADD", container).succeeded()
    filler = fill(small_disk)
    if not indexed:
        (small_disk / ".multus" / "mynet" / "stamp").write_bytes(b"")
        with filler.open("ab"):
            fill(small_disk)
    before = there(small_disk)
    ipam.run("ADD", "e").failed(5, "no space left on device", "full")
    ipam.run("STATUS").failed(50, "full")
    assert there(small_disk) == before
    assert leftovers(small_disk) == []
    for container in "abcd":
        ipam.run("DEL", container).succeeded()
        fill(small_disk)
    assert there(small_disk) == []
    filler.unlink()
    ipam.run("ADD", "e").succeeded()
    ipam.run("STATUS").succeeded()


def test_gc_works_on_a_full_disk(make: Callable[..., Ipam], small_disk: Path) -> None:
    ipam = make(SMALL)
    ipam.run("ADD", "a").succeeded()
    fill(small_disk)
    ipam.with_keys(**{VALID_ATTACHMENTS: []}).run("GC").succeeded()
    assert there(small_disk) == []


def test_what_cannot_be_removed_is_an_error_and_does_not_stop_the_rest(
    make: Callable[..., Ipam], mounts: Mounts
) -> None:
    ipam = make(SMALL, [{"subnet": "10.0.1.0/29"}])
    ipam.run("ADD", "a").succeeded()
    stuck = ipam.network / "10.0.0.2"
    mounts.run("mount", "--bind", str(stuck), str(stuck))  # a mount point cannot be unlinked
    ipam.run("DEL", "a").failed(5, f"cannot remove {stuck}", "busy")
    assert list(ipam.addresses()) == ["10.0.0.2"]
    ipam.with_keys(**{VALID_ATTACHMENTS: []}).run("GC").failed(5, "10.0.0.2")
    mounts.run("umount", str(stuck))
    ipam.run("DEL", "a").succeeded()
    assert ipam.addresses() == {}
