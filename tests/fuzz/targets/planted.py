"""Targets that are wrong on purpose, in each way that counts: what does not find these finds nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from tests.fuzz.seeds import printed
from tests.fuzz.target import target
from tests.fuzz.trial import SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable


def seeds() -> Iterable[bytes]:
    yield printed({"name": "net", "since": 1, "list": [{"x": 1}]})


def _section(data: bytes) -> Section:
    return Section(parse_object(data, "the input"))


@target(6, 7, seeds=seeds)
def planted_crash(data: bytes) -> None:
    value = _section(data).value("since")
    if isinstance(value, int):
        float(value)


@target(6, 7, seeds=seeds)
def planted_touch(data: bytes) -> None:
    if not _section(data).has("name"):
        with open("/etc/planted", "wb"):
            raise AssertionError("it is read-only")


@target(6, 7, seeds=seeds)
def planted_slow(data: bytes) -> None:
    if not _section(data).items("list"):
        end = time.process_time() + 1.2 * SECONDS
        while time.process_time() < end:
            pass


@target(6, 7, seeds=seeds)
def planted_large(data: bytes) -> None:
    if not _section(data).items("list"):
        bytearray(b"x") * (200 << 20)


@target(6, seeds=lambda: [b"........"])
def planted_steps(data: bytes) -> None:
    """One byte after the other has to be right, which no seed has."""
    if len(data) < 2 or data[0] != 0x7E:
        return
    if data[1] != 0xD3:
        return
    raise AssertionError("the last step")
