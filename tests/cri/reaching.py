"""A node's own processes, as clients of what pods serve."""

from __future__ import annotations

import socket
import time

from tests.conftest import entered

PATIENCE = 20
"""Seconds until a server that was just started has to listen."""


def fetch(netns: str, address: str, port: int) -> bytes:
    """What the server there sends first."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with entered(netns), socket.create_connection((address, port), timeout=PATIENCE) as connection:
                return connection.recv(100)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def refuses(netns: str, address: str, port: int) -> bool:
    """Whether nobody listens there."""
    with entered(netns), socket.socket() as client:
        client.settimeout(PATIENCE)
        try:
            client.connect((address, port))
        except ConnectionRefusedError:
            return True
        return False
