"""Addresses that somebody names, and whom they are for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.errors import CniError
from ipam.whereabouts.holder import parse_holder
from tests.ipam.whereabouts.parsed import given, parsed, refused, request

if TYPE_CHECKING:
    from cni_multus.state.leases.lease import Holder

RANGE = {"range": "10.0.0.0/24", "range_start": "10.0.0.10", "range_end": "10.0.0.99", "gateway": "10.0.0.20"}
BOTH = {"ipRanges": [RANGE, {"range": "fd00::/64"}]}


def asked(ipam: dict[str, Any], arguments: str = "", **keys: Any) -> list[str]:
    """The pools and what is wanted of them: `10.0.0.0/24 > 10.0.0.12!`, the mark where nothing else will do."""
    config = parsed(ipam, arguments, **keys)
    return [
        f"{pool.cidr}" + (f" > {one.ip}{'!' if one.firmly else ''}" if one else "")
        for pool, one in zip(config.pools, config.wanted, strict=True)
    ]


@pytest.mark.parametrize("text", ["10.0.0.12", "10.0.0.12/24", "10.0.0.12/32"])
def test_an_address_in_a_range_is_given_instead_of_any(text: str) -> None:
    expected = ["10.0.0.0/24 > 10.0.0.12!", "fd00::/64"]
    assert asked(BOTH, f"IP={text}") == expected
    assert asked(BOTH, args={"cni": {"ips": [text]}}) == expected
    assert asked(BOTH, runtimeConfig={"ips": [text]}) == expected
    assert asked(BOTH, f"IP={text}", args={"cni": {"ips": [text]}}, runtimeConfig={"ips": [text]}) == expected


def test_addresses_of_several_families_and_sources_are_asked_for_at_once() -> None:
    assert asked(BOTH, "IP=fd00::7, 10.0.0.12/24") == ["10.0.0.0/24 > 10.0.0.12!", "fd00::/64 > fd00::7!"]
    assert asked(BOTH, "IP=fd00::7", runtimeConfig={"ips": ["10.0.0.12"]}) == [
        "10.0.0.0/24 > 10.0.0.12!",
        "fd00::/64 > fd00::7!",
    ]


def test_an_address_outside_the_ranges_is_given_besides_and_to_one_at_a_time() -> None:
    config = parsed(RANGE, "IP=192.0.2.7/26", args={"cni": {"ips": ["10.0.0.200"]}})
    assert [list(given(pool)) for pool in config.pools[1:]] == [["192.0.2.7"], ["10.0.0.200"]]
    assert [str(pool.cidr) for pool in config.pools[1:]] == ["192.0.2.0/26", "10.0.0.0/24"]
    assert [str(pool.gateway) for pool in config.pools[1:]] == ["None", "10.0.0.20"]
    assert [one.source for one in config.wanted if one] == ["CNI_ARGS: IP", "args.cni.ips[0]"]


def test_a_second_address_of_a_range_is_given_besides() -> None:
    assert asked(RANGE, "IP=10.0.0.12,10.0.0.13") == ["10.0.0.0/24 > 10.0.0.12!", "10.0.0.0/24 > 10.0.0.13!"]


def test_an_address_may_be_all_there_is() -> None:
    assert asked({}, "IP=192.0.2.7/26") == ["192.0.2.0/26 > 192.0.2.7!"]


def test_gateways_of_arguments_go_to_the_addresses_beside_them_that_somebody_named() -> None:
    config = parsed(
        {**BOTH, "addresses": [{"address": "172.16.0.9/24"}]},
        "IP=10.0.0.12,192.0.2.7/26;GATEWAY=10.0.0.33,192.0.2.1,172.16.0.1,203.0.113.1",
    )
    assert [str(pool.gateway) for pool in config.pools] == ["10.0.0.33", "None", "192.0.2.1"]
    assert [str(one.gateway) for one in config.static] == ["172.16.0.1"]


@pytest.mark.parametrize(
    ("arguments", "keys", "code", "words"),
    [
        ("IP=nonsense", {}, 4, ["CNI_ARGS: IP", "nonsense"]),
        ("IP=10.0.0.12/99", {}, 4, ["CNI_ARGS: IP"]),
        ("IP=192.0.2.7", {}, 4, ["CNI_ARGS: IP", "192.0.2.7 is in no range", "192.0.2.7/24"]),
        ("IP=10.0.0.20", {}, 4, ["CNI_ARGS: IP: 10.0.0.20", "gateway"]),
        ("GATEWAY=x", {}, 4, ["CNI_ARGS: GATEWAY"]),
        ("", {"runtimeConfig": {"ips": ["10.0.0.50"]}}, 7, ["runtimeConfig.ips[0]: 10.0.0.50 is excluded"]),
        ("", {"runtimeConfig": {"ips": ["10.0.0.250"]}}, 7, ["runtimeConfig.ips[0]: 10.0.0.250 is excluded"]),
        ("", {"runtimeConfig": {"ips": ["10.0.0.12", "x"]}}, 7, ["runtimeConfig.ips[1]"]),
        ("", {"runtimeConfig": {"ips": "10.0.0.12"}}, 6, ["runtimeConfig.ips must be a list"]),
        ("", {"args": {"cni": {"ips": ["192.0.2.7"]}}}, 7, ["args.cni.ips[0]", "prefix length"]),
        ("", {"args": {"cni": {"preferred-ip": "x"}}}, 7, ["args.cni.preferred-ip"]),
    ],
    ids=str,
)
def test_what_is_never_given_cannot_be_asked_for(
    arguments: str, keys: dict[str, Any], code: int, words: list[str]
) -> None:
    refused({**RANGE, "exclude": ["10.0.0.48/29", "10.0.0.250"]}, code, *words, arguments=arguments, **keys)


@pytest.mark.parametrize("key", ["preferred-ip", "whereabouts.cni.cncf.io/preferred-ip"])
def test_a_preferred_address_is_a_wish(key: str) -> None:
    assert asked(BOTH, args={"cni": {key: "10.0.0.12"}}) == ["10.0.0.0/24 > 10.0.0.12", "fd00::/64"]
    assert asked(BOTH, args={"cni": {key: "fd00::7, 10.0.0.12"}}) == [
        "10.0.0.0/24 > 10.0.0.12",
        "fd00::/64 > fd00::7",
    ]
    assert asked(BOTH, args={"cni": {key: ["10.0.0.20", "10.9.9.9"]}}) == ["10.0.0.0/24", "fd00::/64"]
    assert asked(BOTH, "IP=10.0.0.13", args={"cni": {key: "10.0.0.12"}})[0] == "10.0.0.0/24 > 10.0.0.13!"


# Whom they are for

POD = "IgnoreUnknown=1;K8S_POD_NAMESPACE=blue;K8S_POD_NAME=web-0;K8S_POD_UID=u1"


def holder(arguments: str = "", **keys: Any) -> Holder:
    asking = request(RANGE, arguments, **keys)
    return parse_holder(asking, parsed(RANGE, arguments, **keys))


def test_a_holder_is_the_pod_where_one_is_told_and_else_the_container() -> None:
    found = holder(POD)
    assert (found.pod, found.uid, found.claim, found.netns) == ("blue/web-0", "u1", "", "/some/where")
    assert found.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert found.node == os.uname().nodename.lower()
    assert (found.attachment.network, found.attachment.container_id, found.attachment.ifname) == ("mynet", "c1", "net1")
    bare = holder()
    assert (bare.pod, bare.uid) == ("", "")
    assert (holder("K8S_POD_NAME=x").pod, holder("K8S_POD_UID=x").uid) == ("", "")
    assert found.key != bare.key


def test_a_holder_may_be_a_claim_of_the_pods_namespace() -> None:
    found = holder(POD, args={"cni": {"ipam-claim-reference": "vm-a.mynet"}})
    assert found.claim == "blue/vm-a.mynet"
    other = holder(POD.replace("web-0", "web-1"), args={"cni": {"ipam-claim-reference": "vm-a.mynet"}})
    assert found.key == other.key


@pytest.mark.parametrize(
    ("arguments", "keys", "code", "words"),
    [
        (POD, {"args": {"cni": {"ipam-claim-reference": "Bad_Name"}}}, 7, ["args.cni.ipam-claim-reference"]),
        (POD, {"args": {"cni": {"ipam-claim-reference": 7}}}, 6, ["args.cni.ipam-claim-reference must be a string"]),
        ("", {"args": {"cni": {"ipam-claim-reference": "a"}}}, 4, ["K8S_POD_NAMESPACE is missing"]),
        (POD, {"args": {"cni": {"ipam-claim-reference": "a", "ips": ["10.0.0.12"]}}}, 7, ["ips must not stand"]),
        (
            POD,
            {"args": {"cni": {"ipam-claim-reference": "a"}}, "runtimeConfig": {"ips": ["10.0.0.12"]}},
            7,
            ["ips must not stand"],
        ),
    ],
    ids=str,
)
def test_a_claim_that_cannot_be_is_refused(arguments: str, keys: dict[str, Any], code: int, words: list[str]) -> None:
    with pytest.raises(CniError) as caught:
        holder(arguments, **keys)
    assert caught.value.code == code
    assert all(word in caught.value.message for word in words), json.dumps(caught.value.message)
