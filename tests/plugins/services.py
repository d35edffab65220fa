"""Services of TCP and UDP that tell who asked, and clients of them, each in a namespace of its own."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.conftest import entered

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
PATIENCE = 30.0
"""Seconds after which an answer is taken for lost."""

SHORT = 0.4
"""The same where none is expected."""

_TICK = 0.05


@contextmanager
def serving(netns: str, name: str, port: int = 80) -> Iterator[None]:
    """In a namespace, answer at a port of TCP and UDP, of IPv4 and IPv6, with `name` and the asker's address."""
    with bound(netns, port, "tcp") as stream, bound(netns, port, "udp") as datagrams:
        stream.listen()
        stop = threading.Event()
        threads = [
            threading.Thread(target=serve, args=(served, name, stop), daemon=True)
            for serve, served in ((_serve_streams, stream), (_serve_datagrams, datagrams))
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()


@contextmanager
def bound(netns: str, port: int, protocol: str, address: str = "::") -> Iterator[socket.socket]:
    """A socket at that port."""
    with entered(netns):
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, KINDS[protocol])
    with made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        yield made


def asked(netns: str, protocol: str, address: str, port: int, *, source: str = "", patience: float = PATIENCE) -> str:
    """What a service answers ("name address"); "" where nobody does.

    A datagram is sent again until it is answered; `source` is an address to ask from, with a port behind a space.
    """
    with entered(netns):
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, KINDS[protocol])
    with made:
        made.settimeout(patience)
        if source:
            host, _, number = source.partition(" ")
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((host, int(number or 0)))
        try:
            made.connect((address, port))
            return _answer(made, protocol, patience)
        except OSError:
            return ""


def _answer(made: socket.socket, protocol: str, patience: float) -> str:
    if protocol == "tcp":
        return made.recv(200).decode()
    deadline = time.monotonic() + patience
    made.settimeout(0.1)
    while time.monotonic() < deadline:
        try:
            made.send(b"who?")
            return made.recv(200).decode()
        except OSError:
            time.sleep(0.01)
    return ""


def _told(name: str, asker: tuple[str, int]) -> bytes:
    return f"{name} {asker[0].removeprefix('::ffff:')}".encode()


def _serve_streams(listening: socket.socket, name: str, stop: threading.Event) -> None:
    listening.settimeout(_TICK)
    while not stop.is_set():
        try:
            connection, asker = listening.accept()
        except TimeoutError:
            continue
        with connection:
            connection.sendall(_told(name, asker))


def _serve_datagrams(datagrams: socket.socket, name: str, stop: threading.Event) -> None:
    datagrams.settimeout(_TICK)
    while not stop.is_set():
        try:
            asker = datagrams.recvfrom(200)[1]
        except TimeoutError:
            continue
        datagrams.sendto(_told(name, asker), asker)
