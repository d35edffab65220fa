"""What time it is: on the wall, for people, and since the boot, which nobody can set back."""

from __future__ import annotations

import time

from cni_multus.cni.errors import IoFailure
from cni_multus.state import files

BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Moment:
    """`wall` is seconds since 1970, `uptime` seconds since the boot `boot`, sleep included."""

    __slots__ = ("boot", "uptime", "wall")

    def __init__(self, wall: float, uptime: float, boot: str) -> None:
        self.wall = wall
        self.uptime = uptime
        self.boot = boot


class Clock:
    """The node's clocks."""

    __slots__ = ()

    def now(self) -> Moment:
        """This moment."""
        return Moment(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), running_boot())


def running_boot() -> str:
    """The kernel's name for the time since it was started, shortened to 16 hexadecimal digits."""
    data = files.read(BOOT_ID)
    if not data:
        raise IoFailure(f"cannot read {BOOT_ID}: there is none; is /proc mounted?")
    return data.decode("ascii", "replace").strip().replace("-", "")[:16]
