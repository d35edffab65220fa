"""Network namespaces: opened by path, entered for the length of a `with`, and talked to through a socket inside."""

from __future__ import annotations

import _socket
import errno
import fcntl
import os
import sys

from cni_multus.cni.errors import InvalidNetns, IoFailure
from cni_multus.linux.netlink import NETFILTER, Socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_CLONE_NEWNET = 0x40000000  # <linux/sched.h>
_NS_GET_NSTYPE = 0xB703  # <linux/nsfs.h>
_SO_NETNS_COOKIE = 71  # <asm-generic/socket.h>
_OWN = "/proc/thread-self/ns/net"
_PASSING = (errno.EIO, errno.ENOMEM, errno.EINTR)
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ESRCH, errno.ENXIO)


class Namespace:
    """An open network namespace; it belongs to one thread at a time, apart from `inside()`."""

    __slots__ = ("_home", "_netfilter", "_netlink", "fd", "path")

    def __init__(self, path: str, fd: int, home: bool = False) -> None:
        self.path = path
        self.fd = fd
        self._home = home
        self._netlink: Socket | None = None
        self._netfilter: Socket | None = None

    @classmethod
    def host(cls) -> Namespace:
        """The namespace that the calling thread is in."""
        return cls(_OWN, _open(_OWN), home=True)

    @classmethod
    def open(cls, path: str) -> Namespace:
        """The namespace at `path`; InvalidNetns when there is none."""
        fd = _open(path)
        try:
            kind = fcntl.ioctl(fd, _NS_GET_NSTYPE)
        except OSError as error:
            kind = 0
            if error.errno in _PASSING:  # whoever took it for gone would leave what is in it
                os.close(fd)
                raise IoFailure(f"cannot look at the network namespace {path}: {error.strerror}") from error
        if kind != _CLONE_NEWNET:
            os.close(fd)
            raise InvalidNetns(f"cannot use {path} as the container's network namespace: not a network namespace")
        return cls(path, fd)

    @classmethod
    def find(cls, path: str) -> Namespace | None:
        """The namespace at `path`, or None when it is gone: no path, nothing there, or a stale file."""
        try:
            return cls.open(path) if path else None
        except InvalidNetns:
            return None

    @property
    def netlink(self) -> Socket:
        """A netlink socket inside the namespace, opened when first asked for."""
        if self._netlink is None:
            with self.inside():
                self._netlink = Socket()
        return self._netlink

    @property
    def netfilter(self) -> Socket:
        """The same for the kernel's packet filter."""
        if self._netfilter is None:
            with self.inside():
                self._netfilter = Socket(NETFILTER)
        return self._netfilter

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode: equal for two paths to one namespace, unique among those that live."""
        status = os.fstat(self.fd)
        return status.st_dev, status.st_ino

    @property
    def cookie(self) -> int:
        """The kernel's number of it, which no other namespace gets until the next boot; 0 before Linux 5.14."""
        try:
            with self.inside():
                asking = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
            try:
                return int.from_bytes(asking.getsockopt(_socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), sys.byteorder)
            finally:
                asking.close()
        except OSError as error:
            if error.errno == errno.ENOPROTOOPT:
                return 0
            raise IoFailure(f"cannot tell {self} from other network namespaces: {error.strerror}") from error

    def inside(self) -> Inside:
        """`with namespace.inside():` runs the body, in the calling thread only, in this namespace."""
        return Inside(self.path, self.fd, self._home)

    def close(self) -> None:
        """Give the descriptors back; the namespace itself lives on."""
        for socket in (self._netlink, self._netfilter):
            if socket is not None:
                socket.close()
        self._netlink = self._netfilter = None
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Namespace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __str__(self) -> str:
        return "the host namespace" if self._home else self.path


class Inside:
    """Moves the calling thread into a namespace and back to where it was; with `stay` it does not move."""

    __slots__ = ("_fd", "_path", "_stay", "_way_back")

    def __init__(self, path: str, fd: int, stay: bool) -> None:
        self._path = path
        self._fd = fd
        self._stay = stay
        self._way_back = -1

    def __enter__(self) -> None:
        if self._stay:
            return
        self._way_back = _open(_OWN)
        try:
            setns(self._fd)
        except OSError as error:
            os.close(self._way_back)
            raise InvalidNetns(f"cannot enter the network namespace {self._path}: {error.strerror}") from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stay:
            return
        try:
            setns(self._way_back)
        except OSError as stranded:
            # Going on would configure the node's network in a container's place, or the reverse.
            _end_here(f"cannot leave the network namespace {self._path}: {stranded.strerror}")
        os.close(self._way_back)


def _end_here(problem: str) -> None:
    """End the process with the one document that a runtime waits for: nothing may run here, no undoing either."""
    from cni_multus.cni.document import print_indented
    from cni_multus.cni.versions import NEWEST

    os.write(1, print_indented({"cniVersion": NEWEST, "code": 999, "msg": problem}))
    os._exit(1)


def same_namespace(path: str) -> bool:
    """Whether `path` is the namespace that the calling thread is in; False when there is nothing at `path`."""
    try:
        there, here = os.stat(path), os.stat(_OWN)
    except (OSError, ValueError):
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def _open(path: str) -> int:
    try:
        # O_NONBLOCK: a stale path may be a FIFO, and nobody will ever write to it.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except ValueError:
        raise InvalidNetns("cannot open a network namespace: the path contains a NUL") from None
    except OSError as error:
        reason = "no such file" if error.errno == errno.ENOENT else error.strerror
        problem = f"cannot open the network namespace {path}: {reason}"
        raise (InvalidNetns if error.errno in _GONE else IoFailure)(problem) from error


def setns(fd: int) -> None:
    """Move the calling thread into the network namespace behind `fd`; OSError. Everybody else uses `inside()`."""
    if hasattr(os, "setns"):  # Python 3.12
        os.setns(fd, _CLONE_NEWNET)
        return
    import _ctypes

    if not _libc:
        _libc.append(_find_setns())
    if _libc[0](fd, _CLONE_NEWNET) != 0:
        code = _ctypes.get_errno()
        raise OSError(code, os.strerror(code))


# The C library's setns() where Python has none, found once per process: `ctypes` itself costs milliseconds.
_libc: list[Callable[[int, int], int]] = []


def _find_setns() -> Callable[[int, int], int]:
    import _ctypes

    class Number(_ctypes._SimpleCData):  # type: ignore[type-arg]  # noqa: SLF001
        _type_ = "i"

    class Function(_ctypes.CFuncPtr):
        _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
        _restype_ = Number

    return Function(_ctypes.dlsym(_ctypes.dlopen(None, 0), "setns"))  # type: ignore[arg-type]
