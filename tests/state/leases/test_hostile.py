"""A lease whose checksum is right and whose content is not: damaged, and it leads to no file but its own."""

from __future__ import annotations

import json
from binascii import crc32
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.addressing import Ip
from cni_multus.state.leases.layout import Layout
from cni_multus.state.leases.record import Damaged, Record
from cni_multus.state.leases.store import Store
from ipam.whereabouts.cluster.reservations import Reservation

if TYPE_CHECKING:
    from pathlib import Path

KEY = "00112233445566778899aabbccddeeff00112233"
RIGHT: dict[str, Any] = {
    "addresses": ["10.0.0.5/24"],
    "network": "net",
    "containerID": "c1",
    "ifname": "net1",
    "since": 1.5,
    "domains": ["_default"],
    "leaving": ["blue+10.0.0.0_24 10.0.0.9"],
}
WRONG: dict[str, dict[str, Any]] = {
    "a domain that is a path": {"domains": ["../../../victim"]},
    "a domain that is the directory above": {"domains": [".."]},
    "a domain without a name": {"domains": [""]},
    "a path among those that are left": {"leaving": ["../../victim 10.0.0.9"]},
    "no network": {"network": ""},
    "a network that is a path": {"network": "../net"},
    "a container that is a path": {"containerID": "../c1"},
    "an interface that is none": {"ifname": "a/b"},
    "a time beyond all": {"since": 10**400},
    "a cool-down beyond all": {"coolDown": 10**400},
}


def line(document: dict[str, Any]) -> bytes:
    data = json.dumps(document).encode()
    return b"%08x %s\n" % (crc32(data), data)


def test_what_is_right_is_read() -> None:
    assert Record.parse(KEY, line(RIGHT), "x").domains == ("_default",)


@pytest.mark.parametrize("wrong", WRONG.values(), ids=list(WRONG))
def test_what_is_wrong_is_damage(tmp_path: Path, wrong: dict[str, Any]) -> None:
    path = Layout(str(tmp_path)).lease(KEY)
    (tmp_path / "lease" / KEY[:2]).mkdir(parents=True)
    with open(path, "wb") as file:
        file.write(line({**RIGHT, **wrong}))
    with pytest.raises(Damaged, match="cannot be understood"):
        Store(str(tmp_path)).lease(KEY)
    assert Store(str(tmp_path)).holder_of("_default", Ip.parse("10.0.0.5")) is None


@pytest.mark.parametrize("text", [json.dumps({**RIGHT, "since": 10**400}), "\ud800", "{", "[]"], ids=range(4))
def test_what_a_reservation_says_of_its_holder_may_be_anything(text: str) -> None:
    metadata = {"name": "10.0.0.5", "annotations": {"whereabouts.multus.cni/holder": text}}
    assert Reservation.parse({"metadata": metadata, "spec": {"podref": "a/b"}}).holder is None
