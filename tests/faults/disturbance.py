"""What can happen to a program, and what is seen of it: values only."""

from __future__ import annotations

KILL = "KILL"
"""A fault: the process is killed before its call does anything. Others are named as their errno."""

NETLINK = "netlink"
"""In the place of a call's name: the kernel refuses what this sendto asks for."""


class Call:
    """A system call, and the file that it names or the descriptor that it is about."""

    __slots__ = ("about", "arguments", "name", "number", "of")

    def __init__(self, name: str, of: int, number: int, arguments: tuple[int, ...], about: str) -> None:
        self.name = name
        self.of = of
        self.number = number
        self.arguments = arguments
        self.about = about


class Ended:
    """How a run ended: its status as a shell tells it (negative: the signal), what it printed, and what was seen."""

    def __init__(self) -> None:
        self.status = 0
        self.stdout = b""
        self.stderr = b""
        self.hit = False
        self.calls: list[Call] = []


class Fault:
    """What happens to the call `number` (from 1, of its name) of the program's process `of` (0 is the first)."""

    __slots__ = ("kind", "name", "number", "of")

    def __init__(self, name: str, number: int, kind: str, of: int = 0) -> None:
        self.name = name
        self.number = number
        self.kind = kind
        self.of = of

    @property
    def call(self) -> str:
        """The system call that it is about."""
        return "sendto" if self.name == NETLINK else self.name
