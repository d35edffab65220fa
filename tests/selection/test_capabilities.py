"""Ports and rates: they become the capabilities portMappings and bandwidth, as plugins want them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.selection.asked import element, refused_element

NO_NUMBER = "must be a whole number, and is a string"
PORT = {"hostPort": 8080, "containerPort": 80}
READ = {**PORT, "protocol": "tcp"}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ([PORT], [READ]),
        ([{**PORT, "protocol": "", "hostIP": ""}], [READ]),
        ([{**PORT, "protocol": None, "hostIP": None}], [READ]),
        ([{**PORT, "protocol": "TcP", "name": "web"}], [READ]),
        ([{**PORT, "protocol": "SCTP"}], [{**PORT, "protocol": "sctp"}]),
        ([{**PORT, "hostIP": "FD00::0:1"}], [{**READ, "hostIP": "fd00::1"}]),
        ([{"containerPort": 80}, {**PORT, "hostPort": 0}, {**PORT, "hostPort": None}], []),
        ([PORT, {**PORT, "protocol": "udp"}], [READ, {**PORT, "protocol": "udp"}]),
        (
            [{**PORT, "hostIP": "0.0.0.0"}, {**PORT, "hostIP": "::"}],
            [{**READ, "hostIP": "0.0.0.0"}, {**READ, "hostIP": "::"}],
        ),
        (
            [{"hostPort": 65535, "containerPort": 65535}],
            [{"hostPort": 65535, "containerPort": 65535, "protocol": "tcp"}],
        ),
    ],
)
def test_ports_are_read(given: list[object], found: list[object]) -> None:
    assert element(portMappings=given).port_mappings == found


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        (PORT, 6, " must be a list, and is an object: put it into [ and ]"),
        ([80], 6, "[0] must be an object, and is a number"),
        ([{"hostPort": 1}], 7, "[0]: containerPort is missing"),
        ([{"containerPort": 0}], 7, "[0].containerPort: 0 is not between 1 and 65535"),
        ([{"containerPort": 65536}], 7, "[0].containerPort: 65536 is not between 1 and 65535"),
        ([{"containerPort": True}], 6, "[0].containerPort must be a whole number, and is a boolean"),
        ([{"containerPort": 80.0}], 6, "[0].containerPort must be a whole number, written as one, and is 80.0"),
        (
            [{"containerPort": "80"}],
            6,
            f"[0].containerPort {NO_NUMBER}: write 80 without quotation marks",
        ),
        ([{"containerPort": "\u0968"}], 6, "[0].containerPort must be a whole number, and is a string"),
        ([{"containerPort": 10**30}], 7, "[0].containerPort: a number of 31 digits is not between 1 and 65535"),
        ([{"containerPort": 80, "hostPort": -1}], 7, "[0].hostPort: -1 is not between 0 and 65535"),
        ([{"containerPort": 80, "protocol": "icmp"}], 7, "[0].protocol: 'icmp' is not one of tcp, udp, sctp"),
        ([{"containerPort": 80, "hostIP": "x"}], 7, "[0].hostIP: 'x' is not an IP address"),
        ([PORT, {**PORT, "containerPort": 81}], 7, "[1].hostPort: 8080/tcp is mapped already"),
    ],
)
def test_bad_ports_are_refused(given: object, code: int, message: str) -> None:
    assert refused_element(portMappings=given) == (code, "portMappings" + message)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"ingressRate": 8, "ingressBurst": 8}, None),
        ({"egressRate": 10**12, "egressBurst": 8 * 0xFFFFFFFF - 1}, None),
        ({"ingressRate": 8000, "ingressBurst": 9000, "egressRate": 8001, "egressBurst": 9001}, None),
        (
            {"ingressRate": 8000, "ingressBurst": 9000, "egressRate": 0, "egressBurst": None},
            {"ingressRate": 8000, "ingressBurst": 9000},
        ),
        ({"ingressRate": 0, "unknown": "x"}, {}),
    ],
)
def test_rates_are_read(given: dict[str, Any], found: dict[str, int] | None) -> None:
    assert element(bandwidth=given).bandwidth == (given if found is None else found)


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ([], 6, " must be an object, and is a list"),
        ({"ingressRate": 5000}, 7, ".ingressRate: 5000 bits without ingressBurst, which must be given too"),
        ({"egressBurst": 5000}, 7, ".egressBurst: 5000 bits without egressRate, which must be given too"),
        ({"egressRate": 7, "egressBurst": 8}, 7, ".egressRate: it is less than 8 bits, and the kernel counts bytes"),
        ({"egressRate": 8, "egressBurst": 7}, 7, ".egressBurst: it is less than 8 bits, and the kernel counts bytes"),
        ({"egressRate": -8}, 7, ".egressRate: -8 is not between 0 and 9223372036854775807"),
        ({"egressBurst": 8 * 0xFFFFFFFF}, 7, ".egressBurst: 34359738360 is not between 0 and 34359738359"),
        ({"egressRate": "1M"}, 6, ".egressRate must be a whole number, and is a string"),
    ],
)
def test_bad_rates_are_refused(given: object, code: int, message: str) -> None:
    assert refused_element(bandwidth=given) == (code, "bandwidth" + message)
