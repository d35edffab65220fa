"""TAP devices, which rtnetlink cannot make: an ioctl on /dev/net/tun does, where that file was opened.

Numbers are those of the kernel's <linux/if_tun.h>.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.codec import string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

TYPE_TAP = 2

_DEVICE = "/dev/net/tun"
_IFREQ = struct.Struct("=16sH22x")
_IFF_TAP = 0x0002
_IFF_MULTI_QUEUE = 0x0100
_IFF_NO_PI = 0x1000
_IFF_TUN_EXCL = 0x8000
_TUNSETIFF = 0x400454CA
_TUNSETPERSIST = 0x400454CB
_TUNSETOWNER = 0x400454CC
_TUNSETGROUP = 0x400454CE


def add_tap(
    ns: Namespace, name: str, *, owner: int | None = None, group: int | None = None, multi_queue: bool = False
) -> None:
    """Make a TAP device that stays when nobody has it open; user `owner` and group `group` may open it."""
    attempt = f"cannot add tap {name}"
    flags = _IFF_TAP | _IFF_NO_PI | _IFF_TUN_EXCL | (_IFF_MULTI_QUEUE if multi_queue else 0)
    with ns.inside():
        try:
            device = os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            why = "the kernel has no tun" if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO) else ""
            raise _refused(f"{attempt}: cannot open {_DEVICE}", error, why) from error
    try:
        fcntl.ioctl(device, _TUNSETIFF, _IFREQ.pack(string(name), flags))
        if owner is not None:
            fcntl.ioctl(device, _TUNSETOWNER, _as_int(owner))
        if group is not None:
            fcntl.ioctl(device, _TUNSETGROUP, _as_int(group))
        # Last: until then the device goes with the file.
        fcntl.ioctl(device, _TUNSETPERSIST, 1)
    except OSError as error:
        raise _refused(attempt, error) from error
    finally:
        os.close(device)


def _refused(attempt: str, error: OSError, why: str = "") -> NetlinkFailure:
    reason = f"{error.strerror}; {why}" if why else error.strerror
    return NetlinkFailure(f"{attempt}: {reason}", errno=error.errno or errno.EIO)


def _as_int(number: int) -> int:
    # Python wants a C int where the kernel takes an unsigned one.
    return number - (1 << 32) if number >= 1 << 31 else number
