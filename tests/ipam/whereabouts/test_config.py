"""The configuration of whereabouts: what each key means, what is refused, and where a value may come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given as everything
from hypothesis import strategies as st

from cni_multus.cni.addressing import Ip
from cni_multus.cni.errors import CniError
from cni_multus.cni.result import Dns
from ipam.whereabouts.engine import DATA_DIR
from tests.ipam.whereabouts.parsed import parsed, refused, window

if TYPE_CHECKING:
    from pathlib import Path

    from ipam.whereabouts.config import WhereaboutsConfig

RANGE = {"range": "10.0.0.0/24"}
KUBECONFIG = "/etc/cni/net.d/whereabouts.d/whereabouts.kubeconfig"
OVER_THE_API = {**RANGE, "kubernetes": {"kubeconfig": KUBECONFIG}}


def test_a_range_is_all_that_is_needed() -> None:
    config = parsed(RANGE)
    assert (config.network, config.network_name, config.exclusive) == ("mynet", "", True)
    assert (config.policy, config.cool_down, config.cluster, config.data_dir) == ("lowest", 0.0, None, DATA_DIR)
    assert (config.static, config.routes, config.dns.to_json(), config.wanted) == ([], [], Dns().to_json(), [None])


def test_a_range_comes_before_those_of_the_list() -> None:
    ranges = [{"range": "192.168.10.1/24"}, {"range": "176.168.10.1/16"}]
    config = parsed({"ipRanges": ranges, "range": "abcd::1/64"})
    assert [str(pool.cidr) for pool in config.pools] == ["abcd::/64", "192.168.10.0/24", "176.168.0.0/16"]
    assert [pool.path for pool in config.pools] == ["ipam.range", "ipam.ipRanges[0].range", "ipam.ipRanges[1].range"]


def test_routes_dns_and_static_addresses_are_read() -> None:
    config = parsed(
        {
            **RANGE,
            "routes": [{"dst": "0.0.0.0/0"}, {"dst": "192.168.0.0/16", "gw": "10.10.5.1"}, {"dst": "fd00::/8"}],
            "dns": {"nameservers": ["10.0.0.53"], "domain": "d", "search": ["s"], "options": ["o"]},
            "addresses": [
                {"address": "10.10.0.1/24", "gateway": "10.10.0.254"},
                {"address": "3ffe:ffff:0:1ff::1/64", "gateway": "3ffe:ffff::1"},
            ],
        }
    )
    assert [str(route.dst) for route in config.routes] == ["0.0.0.0/0", "192.168.0.0/16", "fd00::/8"]
    assert config.dns.to_json() == {"nameservers": ["10.0.0.53"], "domain": "d", "search": ["s"], "options": ["o"]}
    assert [(str(one.address), str(one.gateway)) for one in config.static] == [
        ("10.10.0.1/24", "10.10.0.254"),
        ("3ffe:ffff:0:1ff::1/64", "3ffe:ffff::1"),
    ]


def test_keys_are_read_in_any_case_and_those_that_nobody_knows_are_passed_over() -> None:
    config = parsed({"Range": "10.0.0.0/24", "RANGE_START": "10.0.0.9", "vendor": {"x": 1}, "ipranges": None})
    assert window(config.pools[0]) == ("10.0.0.9", "10.0.0.254")


def test_what_only_whereabouts_itself_needs_is_passed_over_whatever_it_says() -> None:
    useless = {
        "leader_lease_duration": 1,
        "leader_renew_deadline": 99999,
        "leader_retry_period": -5,
        "sleep_for_race": "long",
        "optimistic_ipam": True,
        "log_file": "/nowhere/x",
        "log_level": "shout",
        "reconciler_cron_expression": "never",
        "etcd_host": "etcd:2379",
        "etcd_ca_cert_file": 7,
    }
    assert window(parsed({**RANGE, **useless}).pools[0]) == ("10.0.0.1", "10.0.0.254")


@pytest.mark.parametrize(
    ("ipam", "code", "words"),
    [
        ({}, 7, ["ipam.range", "no addresses"]),
        ({"ipRanges": []}, 7, ["no addresses"]),
        ({**RANGE, "policy": "random"}, 7, ["ipam.policy", "lowest, next, spread"]),
        ({**RANGE, "cool_down": -1}, 7, ["ipam.cool_down"]),
        ({**RANGE, "cool_down": 1e9}, 7, ["ipam.cool_down"]),
        ({**RANGE, "cool_down": "1m"}, 6, ["ipam.cool_down must be a number"]),
        ({**RANGE, "cool_down": True}, 6, ["ipam.cool_down must be a number"]),
        ({**RANGE, "network_name": "Net"}, 7, ["ipam.network_name", "lower-case"]),
        ({**RANGE, "network_name": "net_a"}, 7, ["ipam.network_name"]),
        ({**RANGE, "network_name": "-net"}, 7, ["ipam.network_name"]),
        ({**RANGE, "network_name": "net..a"}, 7, ["ipam.network_name"]),
        ({**RANGE, "network_name": "../x"}, 7, ["ipam.network_name"]),
        ({**RANGE, "network_name": "n" * 201}, 7, ["ipam.network_name", "200"]),
        ({**RANGE, "enable_overlapping_ranges": "false"}, 6, ["ipam.enable_overlapping_ranges must be a boolean"]),
        ({**RANGE, "datastore": "etcd"}, 7, ["ipam.datastore", "etcd"]),
        ({**RANGE, "datastore": "kubernetes"}, 7, ["ipam.kubernetes.kubeconfig", "missing"]),
        ({**RANGE, "kubernetes": {"kubeconfig": "kubeconfig"}}, 7, ["ipam.kubernetes.kubeconfig", "absolute"]),
        ({**RANGE, "kubernetes": "x"}, 6, ["ipam.kubernetes must be an object"]),
        ({**RANGE, "dataDir": "leases"}, 7, ["ipam.dataDir", "absolute"]),
        ({**RANGE, "node_slice_size": "/26"}, 7, ["ipam.node_slice_size", "not with files"]),
        ({**RANGE, "routes": [{"dst": "10.0.0.0"}]}, 7, ["ipam.routes[0].dst"]),
        ({**RANGE, "routes": [{"dst": "10.0.0.0/8", "gw": "fd00::1"}]}, 7, ["ipam.routes[0].gw"]),
        ({**RANGE, "addresses": [{"address": "10.1.0.1"}]}, 7, ["ipam.addresses[0].address"]),
        ({**RANGE, "addresses": [{"address": "10.1.0.1/24"}] * 2}, 7, ["ipam.addresses[1].address", "twice"]),
        ({**RANGE, "addresses": [{"address": "10.1.0.1/24", "gateway": "fd00::1"}]}, 7, ["ipam.addresses[0].gateway"]),
    ],
    ids=str,
)
def test_what_cannot_be_is_told_with_its_path(ipam: dict[str, Any], code: int, words: list[str]) -> None:
    refused(ipam, code, *words)


def test_ipam_itself_must_be_an_object_that_is_there() -> None:
    refused(None, 7, "ipam: it is missing")
    refused("nonsense", 6, "ipam must be an object")


def test_static_addresses_alone_need_no_range() -> None:
    assert parsed({"addresses": [{"address": "10.1.0.1/24"}]}).pools == []


def test_the_policy_next_lets_addresses_cool_down() -> None:
    assert parsed({**RANGE, "policy": "next"}).cool_down == 60
    assert parsed({**RANGE, "policy": "next", "cool_down": 0}).cool_down == 0
    assert parsed({**RANGE, "policy": "spread", "cool_down": 2.5}).cool_down == 2.5


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_old_versions_can_tell_one_address_of_a_family_wherever_it_comes_from(version: str) -> None:
    both = {**RANGE, "ipRanges": [{"range": "fd00::/64"}]}
    assert len(parsed(both, cniVersion=version).pools) == 2
    words = f"cniVersion {version} can tell one IPv4 address", "there are 2"
    refused({**RANGE, "ipRanges": [{"range": "10.0.1.0/24"}]}, 7, *words, cniVersion=version)
    refused({**RANGE, "addresses": [{"address": "10.1.0.1/24"}]}, 7, *words, cniVersion=version)
    refused(RANGE, 7, *words, cniVersion=version, arguments="IP=10.9.0.1/24")


# Where the addresses are kept


def test_the_store_is_the_api_where_a_kubeconfig_is_named_unless_files_are_meant() -> None:
    assert parsed(RANGE).cluster is None
    config = parsed(OVER_THE_API)
    assert config.cluster is not None
    assert (config.cluster.kubeconfig, config.datastore_told) == (KUBECONFIG, False)
    config = parsed({**OVER_THE_API, "datastore": "kubernetes"})
    assert (config.cluster is not None, config.datastore_told) == (True, True)
    config = parsed({**OVER_THE_API, "datastore": "file"})
    assert (config.cluster, config.datastore_told) == (None, True)


@pytest.mark.parametrize("text", ["::/64", "::1/128", "0:0:1::/48", "::/0"])
def test_names_that_the_api_would_refuse_are_refused_here(text: str) -> None:
    refused({**OVER_THE_API, "range": text}, 7, "ipam.range", "network_name")
    assert parsed({**OVER_THE_API, "range": text, "network_name": "net"}).cluster is not None
    assert parsed({"range": text}).cluster is None


def test_names_that_nobody_makes_may_be_anything() -> None:
    """Without protection against overlaps addresses have no objects; a slice's begins with the node."""
    apart = {**OVER_THE_API, "enable_overlapping_ranges": False}
    assert parsed({**apart, "range": "0:0:1::/48"}).cluster is not None
    assert parsed({**apart, "range": "::/64", "node_slice_size": "/80"}).cluster is not None
    refused({**apart, "range": "::/64"}, 7, "ipam.range", "network_name")


@pytest.mark.parametrize(
    ("size", "expected"), [("/26", 26), ("26", 26), (26, 26), ("/24", 24), ("/32", 32), ("", 0), (0, 0), (None, 0)]
)
def test_the_size_of_slices_is_a_prefix_length(size: object, expected: int) -> None:
    config = parsed({**OVER_THE_API, "node_slice_size": size})
    assert [pool.slice_size for pool in config.pools] == [expected]
    assert config.cluster is not None
    assert config.cluster.slice_size == expected


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ("/23", ["/23 is no part of 10.0.0.0/24", "/24 to /32"]),
        ("/33", ["/33 is no part of"]),
        ("/40", ["/40 is no part of"]),
        ("/0", ["between 1 and 128"]),
        ("/129", ["between 1 and 128"]),
        ("x", ["is not a prefix length"]),
        ("/", ["is not a prefix length"]),
        ("/ 26", ["is not a prefix length"]),
        ("²", ["is not a prefix length"]),
    ],
)
def test_a_size_that_no_slice_can_have_is_refused(size: str, words: list[str]) -> None:
    refused({**OVER_THE_API, "node_slice_size": size}, 7, "ipam.node_slice_size", *words)


def test_slices_of_two_families_have_a_size_each() -> None:
    ranges = [{"range": "10.1.0.0/16"}, {"range": "fd00::/64", "node_slice_size": "/80"}]
    ipam: dict[str, Any] = {"kubernetes": {"kubeconfig": KUBECONFIG}, "node_slice_size": "/24", "ipRanges": ranges}
    assert [pool.slice_size for pool in parsed(ipam).pools] == [24, 80]
    del ranges[1]["node_slice_size"]
    refused(ipam, 7, "/24 is no part of fd00::/64 (ipam.ipRanges[1].range)")


def test_addresses_that_somebody_names_are_not_sliced() -> None:
    config = parsed({**OVER_THE_API, "node_slice_size": "/26"}, "IP=10.9.0.1/24")
    assert [pool.slice_size for pool in config.pools] == [26, 0]


def test_the_nodes_name_comes_from_the_environment_the_installers_file_the_configuration_or_the_host(
    tmp_path: Path,
) -> None:
    (tmp_path / "nodename").write_text("of-the-file\n")
    installed = {**OVER_THE_API, "node_name": "of-the-key", "configuration_path": str(tmp_path)}

    def node(ipam: dict[str, Any], **environment: str) -> tuple[str, bool]:
        cluster = parsed(ipam, environment=environment).cluster
        assert cluster is not None
        return cluster.node, cluster.node_told

    assert node(installed, NODENAME=" of-the-environment ") == ("of-the-environment", True)
    assert node(installed) == ("of-the-file", True)
    assert node({**OVER_THE_API, "node_name": "of-the-key"}) == ("of-the-key", True)
    assert node(OVER_THE_API)[1] is False
    refused(OVER_THE_API, 4, "NODENAME", "Bad", environment={"NODENAME": "Bad Name"})
    refused({**OVER_THE_API, "node_name": "Bad Name"}, 7, "ipam.node_name")
    (tmp_path / "nodename").write_bytes(b"\xff")
    refused(installed, 7, str(tmp_path / "nodename"))


# Anything at all

KEYS = [
    *("range", "range_start", "range_end", "ipRanges", "exclude", "gateway", "routes", "dns", "addresses"),
    *("enable_overlapping_ranges", "network_name", "node_slice_size", "kubernetes", "configuration_path", "datastore"),
    *("policy", "cool_down", "dataDir", "node_name", "compat", "enable_l3", "exclude_gateway"),
]
ADDRESSES = ["10.0.0.0/24", "10.0.0.5-10.0.0.9/24", "fd00::/64", "10.0.0.1", "fd00::1", "::/0", "0.0.0.0/0", "/26", ""]
TEXTS = st.one_of(st.sampled_from(ADDRESSES), st.text(max_size=12))
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from([*KEYS, "kubeconfig", "dst", "gw"]), inner)
    ),
    max_leaves=8,
)


def outcome(ipam: object, arguments: str = "", **keys: Any) -> WhereaboutsConfig | CniError:
    """What becomes of a configuration."""
    try:
        return parsed(ipam, arguments, **keys)
    except CniError as error:
        return error


@everything(
    ipam=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8),
    arguments=st.sampled_from(["", "IP=10.0.0.7", "IP=10.9.0.1/24,fd00::9", "GATEWAY=10.0.0.1", "IP=x"]),
    cni=st.dictionaries(st.sampled_from(["ips", "preferred-ip", "ipam-claim-reference"]), VALUES),
)
def test_whatever_the_configuration_is_there_is_a_meaning_or_one_error(
    ipam: dict[str, Any], arguments: str, cni: dict[str, Any]
) -> None:
    config = outcome(ipam, arguments, args={"cni": cni})
    if isinstance(config, CniError):
        assert config.code in (4, 5, 6, 7)
        assert config.message
        return
    assert len(config.wanted) == len(config.pools)
    for pool, wanted in zip(config.pools, config.wanted, strict=True):
        assert pool.cidr.first <= pool.spans[0][0] <= pool.spans[-1][1] <= pool.cidr.last
        assert wanted is None or pool.may_give(wanted.ip)
        assert pool.gateway is None or pool.gateway.family == pool.family
        assert ipam.get("exclude_gateway") is False or pool.gateway is None or not pool.may_give(pool.gateway)
        assert str(Ip(pool.family, pool.first))


@everything(raw=st.text(max_size=40))
def test_any_text_is_a_range_or_refused(raw: str) -> None:
    config = outcome({"range": raw, "gateway": raw, "exclude": [raw], "range_start": raw})
    assert not isinstance(config, CniError) or config.code in (6, 7)


@pytest.mark.parametrize("key", ["configuration_path", "dataDir", "network_name", "range", "node_name", "kubernetes"])
def test_half_a_character_is_refused(key: str) -> None:
    half = "/\ud800"
    refused({**OVER_THE_API, key: {"kubeconfig": half} if key == "kubernetes" else half}, 7, f"ipam.{key}")
