"""The addresses that one node has given to its containers: a directory of files that the Go host-local shares.

    <dataDir>/<network>/                   as the Go program makes it, byte for byte
        10.1.2.3                           one file per reserved address: `<containerID>\\r\\n<ifname>`
        last_reserved_ip.<set>             the address that the range set gave out last
        lock                               flock: every change of the directory is made under it
    <dataDir>/.multus/<network>/           ours, outside the tree that the Go program walks (see `addressindex`)

The address files are the truth, and the only one: an address is taken exactly while a file of its name exists. A file
that does not read `<containerID>[\\r\\n<ifname>]` is what a killed writer or a power cut left, as good as none; one
without an interface is the format of old releases. A directory or a symbolic link of an address's name is left alone.

Every step of a change leaves a state that the next one, ours or the Go program's, can work from:

- Reserve: the owner's entry is written, then the address files appear, each with its content, then last_reserved_ip.
  Killed in between, the DEL that follows finds what is there; temporary files are removed when the index is rebuilt.
- Release: the address files go, then the owner's entry. Killed in between, another DEL finds the rest.

No file is synced: a container does not outlive the boot, so nor need its reservation. The directory must be one
node's own: two kernels that share it would take each other's containers for dead.
"""

from __future__ import annotations

import os
import time

from cni_multus.cni.addressing import Ip
from cni_multus.cni.errors import IoFailure, TryAgainLater
from cni_multus.state import files
from cni_multus.state.addressindex import AddressIndex, running_boot
from cni_multus.state.lock import Lock
from cni_multus.state.ownerindex import Reservation
from cni_multus.state.owners import GARBAGE, NOT_A_RESERVATION, Owner, read_owner
from cni_multus.undo import Undo, do_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

INDEX = ".multus"
LAST_RESERVED = "last_reserved_ip."


class Reservations:
    """`with Reservations(dataDir, network, attempt) as reservations:` one network's, under its lock.

    Raises TryAgainLater where the lock cannot be had; `attempt` says what for. Made for a release (`giving_back`), it
    works on where nothing can be written any more.
    """

    __slots__ = ("_boot", "_changed", "_directory", "_giving_back", "_index", "_indexed", "_lock")

    def __init__(self, data_dir: str, network: str, attempt: str, *, giving_back: bool = False) -> None:
        self._directory = f"{data_dir}/{network}"
        self._index = AddressIndex(f"{data_dir}/{INDEX}/{network}", self._directory)
        self._lock = Lock(f"{self._directory}/lock", attempt, mode=0o750)
        self._giving_back = giving_back
        self._boot = ""
        self._indexed = False
        self._changed = False

    @staticmethod
    def exist(data_dir: str, network: str) -> bool:
        """Whether the network has a directory at all."""
        return files.is_directory(f"{data_dir}/{network}")

    @staticmethod
    def look_up(data_dir: str, network: str, ip: Ip) -> Owner | None:
        """Who holds `ip`, None where it is free; without the lock, and without touching anything."""
        owner = read_owner(f"{data_dir}/{network}/{ip}")
        return None if owner is GARBAGE else owner

    def __enter__(self) -> Reservations:
        if not files.is_directory(self._directory):
            files.make_directory(self._directory)
        self._lock.enter(self._load)
        return self

    def _load(self) -> None:
        self._boot = running_boot()
        self._indexed = self._index.load(self._boot)
        if not self._indexed:
            self._rebuild()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._changed and self._indexed and error is None:
                self._index.sign(self._boot)
        except IoFailure:
            return  # what was reserved or released is so all the same; an index without its stamp is rebuilt
        finally:
            self._lock.__exit__(kind, error, trace)

    def holder(self, ip: Ip) -> Owner | None:
        """Who holds `ip`, None where it is free; a file that names nobody is removed."""
        try:
            owner = read_owner(self._path(ip))
            if owner is GARBAGE:
                self._remove(ip)
                return None
        except IoFailure:
            return NOT_A_RESERVATION
        return owner

    def held_by(self, owner: Owner) -> list[Ip]:
        """The addresses whose files name exactly this owner, with or without an interface; and those that did."""
        owned = self._owned(owner)
        if owned is None and self._indexed:
            self._rebuild()
            owned = self._owned(owner)
        if owned is None:
            return [ip for ip, _, other in self._scan() if other.key == owner.key]
        listed = {reservation.ip: reservation for reservation in owned}
        return [ip for ip, reservation in listed.items() if self._names(owner, reservation)]

    def _owned(self, owner: Owner) -> list[Reservation] | None:
        return self._index.owners.owned(owner.key) if self._indexed else None

    def _names(self, owner: Owner, reservation: Reservation) -> bool:
        """Whether a file names the owner, or is the one that did, of which the end is missing."""
        path = self._path(reservation.ip)
        found = read_owner(path)
        if found is None or found is NOT_A_RESERVATION or found.key == owner.key:
            return found is not None and found.key == owner.key
        content = (files.read(path) or b"").rstrip(b"\0")
        return owner.content.startswith(content) and reservation.mtime_ns == _mtime_ns(path)

    def is_dead(self, owner: Owner, ip: Ip) -> bool:
        """Whether the owner got `ip` in an earlier boot, so that no namespace can have it any more."""
        return any(
            item.ip == ip and item.boot != self._boot and item.mtime_ns == _mtime_ns(self._path(ip))
            for item in self._index.owners.owned(owner.key) or ()
        )

    def find_free(self, family: int, first: int, last: int) -> Ip | None:
        """The lowest free address from `first` to `last`."""
        while (number := self._index.blocks.find_free(family, first, last)) is not None:
            ip = Ip(family, number)
            if self.holder(ip) is None:
                return ip
            self._index.blocks.mark(ip)
            self._changed = True
            first = number + 1
        return None

    def last_reserved(self, at: int) -> Ip | None:
        """What the range set number `at` gave out last."""
        content = files.read(f"{self._directory}/{LAST_RESERVED}{at}") or b""
        try:
            return Ip.parse(content.decode().strip())
        except ValueError:
            return None

    def reserve(self, owner: Owner, ips: Sequence[Ip], *, remember: bool = False) -> None:
        """Reserve all of `ips` or none; `remember` makes the n-th of them what set n gave out last."""
        mtime_ns = time.time_ns()
        self._index.owners.add(owner.key, [Reservation(ip, mtime_ns, self._boot) for ip in ips])
        with Undo() as undo:
            self._touch()
            for ip in ips:
                if not files.create_exclusively(self._path(ip), owner.content, durable=False, mtime_ns=mtime_ns):
                    raise TryAgainLater(f"cannot reserve {ip}: another program has just taken it, without the lock")
                undo.callback(self._remove, ip)
                self._index.blocks.mark(ip)
            for at, ip in enumerate(ips if remember else ()):
                files.overwrite(f"{self._directory}/{LAST_RESERVED}{at}", str(ip).encode())
            undo.keep()

    def release(self, owner: Owner) -> None:
        """Give back what the owner holds; a container's old reservations without an interface if it holds nothing."""
        if not (held := self.held_by(owner)):
            owner = Owner(owner.container_id)
            held = self.held_by(owner)
        if held:
            self.give_back(owner, held)

    def give_back(self, owner: Owner, ips: Sequence[Ip]) -> None:
        """Remove these reservations of `owner`, all that can be; raises the first failure afterwards."""
        do_all(self._remove, ips)
        if self._indexed:
            self._index.owners.remove(owner.key, ips)

    def reclaim_dead(self) -> bool:
        """Free what earlier boots left and count again; False where that cannot change anything."""
        if self._index.fresh and not self._index.earlier_boots:
            return False
        if self._index.earlier_boots:
            do_all(self._remove, (ip for ip, _, owner in self._scan() if self.is_dead(owner, ip)))
        self._rebuild()
        return True

    def collect(self, is_valid: Callable[[Owner], bool]) -> None:
        """Free what belongs to no valid owner, all that can be; raises the first failure afterwards."""
        try:
            found = ((ip, owner) for ip, _, owner in self._scan() if owner is not NOT_A_RESERVATION)
            do_all(self._remove, (ip for ip, owner in found if not is_valid(owner)))
        finally:
            self._rebuild()

    def _rebuild(self) -> None:
        """Index the directory as it is. Where that cannot be written, a release does without."""
        try:
            self._index.rebuild(((ip, mtime_ns, owner.key) for ip, mtime_ns, owner in self._scan()), self._boot)
            self._indexed, self._changed = True, False
        except IoFailure:
            if not self._giving_back:
                raise
            self._indexed = False

    def _scan(self) -> Iterator[tuple[Ip, int, Owner]]:
        """Every address with a file, and the file's modification time; removes what killed writers left."""
        for name in files.names(self._directory):
            path = f"{self._directory}/{name}"
            if name.startswith(files.TEMPORARY):
                files.remove(path)
            ip = _address(name)
            if ip is None:
                continue
            mtime_ns = _mtime_ns(path)
            owner = self.holder(ip)
            if owner is not None:
                yield ip, mtime_ns, owner

    def _remove(self, ip: Ip) -> None:
        files.remove(self._path(ip))
        self._index.blocks.clear(ip)
        self._touch()

    def _touch(self) -> None:
        self._index.fresh = False
        self._changed = True

    def _path(self, ip: Ip) -> str:
        return f"{self._directory}/{ip}"


def _mtime_ns(path: str) -> int:
    try:
        return os.lstat(path).st_mtime_ns
    except OSError:
        return 0


def _address(name: str) -> Ip | None:
    """The address that a file name spells, in the one form that is used."""
    try:
        ip = Ip.parse(name)
    except ValueError:
        return None
    return ip if str(ip) == name else None
