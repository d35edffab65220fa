"""How a call of the kubelet ends where it neither answers nor breaks off (that is an OSError)."""

from __future__ import annotations


class Malformed(Exception):
    """What came is not what a gRPC server sends; the text says what it is."""


class Refused(Exception):
    """The server answered that it does not do it: gRPC's status code, and its own words."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"status {status}{': ' if said else ''}{said}")
        self.status = status
