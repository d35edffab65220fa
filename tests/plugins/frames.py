"""Frames that a test sends by one link and looks for at another."""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING

from tests.conftest import entered

if TYPE_CHECKING:
    from types import TracebackType

EVERYTHING = 3
BROADCAST = "ff:ff:ff:ff:ff:ff"
PATIENCE = 30
"""Seconds after which a frame is taken for lost; one that passes is there at once."""

_SOL_PACKET = 263
_PACKET_AUXDATA = 8
_AUXDATA = struct.Struct("=IIIHHHH")  # status, lengths, offsets, VLAN, its protocol
_STATUS_VLAN_VALID = 0x10
_EXPERIMENTAL = 0x88B5  # IEEE's ethertype for what is nobody's business
_TAGGED = 0x8100


class Wire:
    """A link of a namespace; what is sent here leaves by it, what comes in by it is heard."""

    def __init__(self, netns: str, ifname: str = "eth0") -> None:
        with entered(netns):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERYTHING))
        self._socket.bind((ifname, EVERYTHING))
        self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self.mac = self._socket.getsockname()[4].hex(":")

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, words: str, *, source: str = "", target: str = BROADCAST, vlan: int = 0) -> None:
        """A frame with these words, in a VLAN with a tag, else without; `source` "" is the link's own MAC."""
        tag = struct.pack("!HH", _TAGGED, vlan) if vlan else b""
        self.send_raw(target, source, tag + struct.pack("!H", _EXPERIMENTAL) + words.encode().ljust(46, b"\0"))

    def send_raw(self, target: str, source: str, rest: bytes) -> None:
        """A frame with whatever follows its MACs."""
        macs = [bytes.fromhex(mac.replace(":", "")) for mac in (target, source or self.mac)]
        self._socket.send(b"".join(macs) + rest)

    def heard(self, last: str, *others: int) -> list[str]:
        """The words of the frames that came in since the last time, up to `last`, each in front of its VLAN's tag.

        Of other ethertypes, where some are asked for, their number stands for what they say.

        Frames do not overtake each other: what was sent before `last` and is not heard did not get through.
        """
        deadline = time.monotonic() + PATIENCE
        found: list[str] = []
        while not found or found[-1].partition("@")[0] != last:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                frame, auxiliary, _, sender = self._socket.recvmsg(2000, 64)
            except TimeoutError:
                raise AssertionError(f"{last!r} was not heard, but {found}") from None
            if sender[2] == socket.PACKET_OUTGOING:
                continue
            ethertype = int.from_bytes(frame[12:14], "big")
            if ethertype == _EXPERIMENTAL:
                found.append(frame[14:].rstrip(b"\0").decode() + _tag(auxiliary))
            elif ethertype in others:
                found.append(f"{ethertype:#06x}")
        return found


def _tag(auxiliary: list[tuple[int, int, bytes]]) -> str:
    for _, _, data in auxiliary:
        status, *_, vlan, _ = _AUXDATA.unpack_from(data)
        if status & _STATUS_VLAN_VALID:
            return f"@{vlan & 0xFFF}"
    return ""
