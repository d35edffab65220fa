"""Results: what each version shows of one, from every version to every other, and what must never get lost."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_multus.cni.config import Section
from cni_multus.cni.document import print_compact
from cni_multus.cni.errors import CniError, DecodingFailure, IncompatibleVersion, InvalidNetworkConfig
from cni_multus.cni.result import Result
from cni_multus.cni.versions import SUPPORTED

FAMILIES = {"0.1.0": 2, "0.2.0": 2, "0.3.0": 4, "0.3.1": 4, "0.4.0": 4, "1.0.0": 1, "1.1.0": 1}
PAIRS = list(product(SUPPORTED, SUPPORTED))

# Everything that any version can say, in the words of the newest.
FULL: dict[str, Any] = {
    "cniVersion": "1.1.0",
    "interfaces": [
        {"name": "cni0", "mac": "0a:58:0a:01:02:01", "mtu": 1450},
        {
            "name": "eth0",
            "mac": "0a:58:0a:01:02:03",
            "sandbox": "/run/netns/pod",
            "mtu": 1450,
            "socketPath": "/run/vhost.sock",
            "pciID": "0000:00:1f.6",
        },
    ],
    "ips": [
        {"interface": 1, "address": "10.1.2.3/24", "gateway": "10.1.2.1"},
        {"interface": 1, "address": "10.1.2.4/24"},
        {"interface": 0, "address": "fd00::3/64", "gateway": "fd00::1"},
    ],
    "routes": [
        {"dst": "0.0.0.0/0", "gw": "10.1.2.1", "mtu": 1400, "advmss": 1360, "priority": 10, "table": 0, "scope": 0},
        {"dst": "::/0", "gw": "fd00::1"},
        {"dst": "10.9.8.7/16", "table": 100, "scope": 253},
    ],
    "dns": {
        "nameservers": ["10.1.0.1"],
        "domain": "example.org",
        "search": ["example.org", "org"],
        "options": ["ndots:5"],
    },
}


def without(members: list[dict[str, Any]], *keys: str) -> list[dict[str, Any]]:
    return [{key: value for key, value in member.items() if key not in keys} for member in members]


def shown(version: str) -> dict[str, Any]:
    """FULL in the shape of `version`, written out by the tables of the specification."""
    interfaces, ips, routes = FULL["interfaces"], FULL["ips"], FULL["routes"]
    plain_routes = without(routes, "mtu", "advmss", "priority", "table", "scope")
    if FAMILIES[version] == 2:
        return {
            "cniVersion": version,
            "ip4": {
                "ip": "10.1.2.3/24",
                "gateway": "10.1.2.1",
                "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.2.1"}, {"dst": "10.9.8.7/16"}],
            },
            "ip6": {"ip": "fd00::3/64", "gateway": "fd00::1", "routes": [{"dst": "::/0", "gw": "fd00::1"}]},
            "dns": FULL["dns"],
        }
    if FAMILIES[version] == 4:
        interfaces = without(interfaces, "mtu", "socketPath", "pciID")
        ips = [{"version": "6" if ":" in ip["address"] else "4", **ip} for ip in ips]
        routes = plain_routes
    elif version == "1.0.0":
        interfaces = without(interfaces, "mtu")
        routes = plain_routes
    return {"cniVersion": version, "interfaces": interfaces, "ips": ips, "routes": routes, "dns": FULL["dns"]}


def narrowed(document: dict[str, Any]) -> dict[str, Any]:
    """What is left of FULL, in the newest version's words, after it went through `document`'s version."""
    version = document["cniVersion"]
    if FAMILIES[version] == 2:
        ips = [{"address": entry["ip"], "gateway": entry["gateway"]} for entry in (document["ip4"], document["ip6"])]
        routes = document["ip4"]["routes"] + document["ip6"]["routes"]
        return {"cniVersion": "1.1.0", "ips": ips, "routes": routes, "dns": document["dns"]}
    return {**document, "cniVersion": "1.1.0", "ips": without(document["ips"], "version")}


def expected(first: str, second: str) -> dict[str, Any]:
    """FULL after it was printed in `first`, read, and printed in `second`."""
    left = narrowed(shown(first))
    if FAMILIES[second] == 2:
        return shown(second)
    if FAMILIES[first] == 2:
        ips, routes = left["ips"], left["routes"]
        if FAMILIES[second] == 4:
            ips = [{"version": number, **ip} for number, ip in zip("46", ips, strict=True)]
        return {"cniVersion": second, "ips": ips, "routes": routes, "dns": FULL["dns"]}
    narrower = min(first, second)
    return {**shown(narrower), "cniVersion": second, "ips": shown(second)["ips"]}


def parsed(document: dict[str, Any], version: str = "1.1.0") -> Result:
    return Result.parse(Section(document), version)


def printed(result: Result, version: str) -> dict[str, Any]:
    """What goes to standard output, as the runtime reads it."""
    document = json.loads(print_compact(result.to_json(version)))
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("version", SUPPORTED)
def test_each_version_shows_its_own_fields_and_no_others(version: str) -> None:
    assert printed(parsed(FULL), version) == shown(version)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_result_goes_from_every_version_to_every_other(first: str, second: str) -> None:
    assert printed(parsed(printed(parsed(FULL), first)), second) == expected(first, second)


@pytest.mark.parametrize("version", SUPPORTED)
def test_the_keys_stand_in_the_order_of_the_specification(version: str) -> None:
    def order(value: object) -> object:
        if isinstance(value, dict):
            return [(key, order(member)) for key, member in value.items()]
        return [order(member) for member in value] if isinstance(value, list) else None

    if FAMILIES[version] == 4:
        assert order(printed(parsed(FULL), version)) == order(shown(version))


def test_an_address_of_the_first_interface_keeps_its_index() -> None:
    one = {"interfaces": [{"name": "eth0"}], "ips": [{"address": "10.0.0.1/8", "interface": 0}]}
    assert printed(parsed(one), "1.1.0")["ips"] == [{"interface": 0, "address": "10.0.0.1/8"}]
    assert printed(parsed(one), "0.4.0")["ips"] == [{"version": "4", "interface": 0, "address": "10.0.0.1/8"}]


def test_an_address_of_no_interface_has_no_index() -> None:
    one = {"interfaces": [{"name": "eth0"}], "ips": [{"address": "10.0.0.1/8"}]}
    assert "interface" not in printed(parsed(one), "1.1.0")["ips"][0]


@pytest.mark.parametrize("version", SUPPORTED)
def test_an_empty_dns_is_shown_by_the_old_versions_only(version: str) -> None:
    bare = {"ips": [{"address": "10.0.0.1/8"}]}
    assert printed(parsed(bare), version).get("dns") == ({} if FAMILIES[version] in (2, 4) else None)


@pytest.mark.parametrize("version", ["0.3.0", "0.4.0", "1.0.0", "1.1.0"])
def test_what_is_empty_is_left_out(version: str) -> None:
    dns: dict[str, Any] = {"dns": {}} if FAMILIES[version] == 4 else {}
    empty: dict[str, Any] = {"interfaces": [], "ips": [], "routes": None, "dns": {"nameservers": [], "domain": ""}}
    assert printed(parsed(empty), version) == {"cniVersion": version, **dns}


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ("1.1.0", "1.1.0", {"table": 0, "scope": 0}),
        ("1.1.0", "1.0.0", {}),
        ("1.0.0", "1.1.0", {"table": 0, "scope": 0}),
    ],
)
def test_zero_means_something_for_table_and_scope_only(first: str, second: str, kept: dict[str, int]) -> None:
    route = {"dst": "10.0.0.0/8", "mtu": 0, "advmss": 0, "priority": 0, "table": 0, "scope": 0}
    result = parsed({"cniVersion": first, "routes": [route]})
    assert printed(result, second)["routes"] == [{"dst": "10.0.0.0/8", **kept}]


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
@pytest.mark.parametrize("result", [{}, {"interfaces": [{"name": "eth0"}]}, {"routes": [{"dst": "0.0.0.0/0"}]}])
def test_a_result_without_addresses_cannot_be_told_before_0_3_0(version: str, result: dict[str, Any]) -> None:
    with pytest.raises(IncompatibleVersion, match="no valid IP addresses"):
        parsed(result).to_json(version)


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_routes_of_a_family_without_address_are_dropped_before_0_3_0(version: str) -> None:
    result = {"ips": [{"address": "fd00::1/64"}], "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}
    assert printed(parsed(result), version) == {
        "cniVersion": version,
        "ip6": {"ip": "fd00::1/64", "routes": [{"dst": "::/0"}]},
        "dns": {},
    }


@pytest.mark.parametrize("key", ["ip4", "ip6"])
def test_an_address_in_the_other_familys_place_is_refused(key: str) -> None:
    address = {"ip4": "fd00::1/64", "ip6": "10.0.0.1/8"}[key]
    with pytest.raises(InvalidNetworkConfig, match=rf"{key}\.ip: .* is not an IPv{key[-1]} address"):
        parsed({"cniVersion": "0.2.0", key: {"ip": address}})


@pytest.mark.parametrize("own", ["", None])
def test_a_result_without_version_is_of_the_callers(own: str | None) -> None:
    legacy = {"cniVersion": own, "ip4": {"ip": "10.0.0.1/8"}}
    assert [str(ip.address) for ip in parsed(legacy, "0.2.0").ips] == ["10.0.0.1/8"]
    assert parsed(legacy, "0.4.0").ips == []


@pytest.mark.parametrize("version", ["1.2.0", "2.0.0", "0.9.0", "1.1"])
def test_a_result_of_an_unknown_version_is_refused(version: str) -> None:
    with pytest.raises(IncompatibleVersion, match="is not supported"):
        parsed({"cniVersion": version})


def test_a_result_of_a_malformed_version_is_refused() -> None:
    with pytest.raises(DecodingFailure, match="is not a version"):
        parsed({"cniVersion": "latest"})


# Keys that the specification does not have: they pass through, at whatever level they stand.

STRANGE: dict[str, Any] = {
    "cniVersion": "1.1.0",
    "interfaces": [{"name": "eth0", "x-queues": 4}],
    "ips": [{"address": "10.0.0.2/24", "interface": 0, "x-lease": {"until": 7}}],
    "routes": [{"dst": "0.0.0.0/0", "x-table": "blue"}],
    "dns": {"x-hosts": ["a", "b"]},
    "x-vendor": {"deep": [1, {"er": None}]},
}


@pytest.mark.parametrize(("first", "second"), [(a, b) for a, b in PAIRS if 2 not in (FAMILIES[a], FAMILIES[b])])
def test_unknown_keys_pass_through_at_every_level(first: str, second: str) -> None:
    through = printed(parsed(printed(parsed(STRANGE), first)), second)
    assert through["x-vendor"] == STRANGE["x-vendor"]
    assert through["interfaces"][0]["x-queues"] == 4
    assert through["ips"][0]["x-lease"] == {"until": 7}
    assert through["routes"][0]["x-table"] == "blue"
    assert through["dns"]["x-hosts"] == ["a", "b"]


@pytest.mark.parametrize("first", ["0.1.0", "0.2.0"])
@pytest.mark.parametrize("second", SUPPORTED)
def test_unknown_keys_pass_through_the_old_shape_too(first: str, second: str) -> None:
    old = printed(parsed(STRANGE), first)
    assert old["ip4"] == {
        "ip": "10.0.0.2/24",
        "routes": [{"dst": "0.0.0.0/0", "x-table": "blue"}],
        "x-lease": {"until": 7},
    }
    through = printed(parsed(old), second)
    assert through["x-vendor"] == STRANGE["x-vendor"]
    assert through["dns"] == {"x-hosts": ["a", "b"]}
    if FAMILIES[second] != 2:
        assert through["ips"][0]["x-lease"] == {"until": 7}
        assert through["routes"] == [{"dst": "0.0.0.0/0", "x-table": "blue"}]


# What another version knows is not unknown, and must not slip through as if it were.

FOREIGN: dict[str, Any] = {
    "interfaces": [{"name": "eth0", "MTU": 1500, "SocketPath": "/s", "PciId": "0000:00:00.0"}],
    "ips": [
        {"version": "4", "Version": "4", "address": "10.0.0.2/24", "ip": "10.9.9.9/24", "routes": [{"dst": "::/0"}]}
    ],
    "routes": [{"dst": "0.0.0.0/0", "Scope": 253, "TABLE": 7, "MTU": 1400}],
    "ip4": {"ip": "192.0.2.1/24"},
    "IP6": {"ip": "2001:db8::1/64"},
    "CNIVERSION": "0.4.0",
}


@pytest.mark.parametrize("version", SUPPORTED)
def test_a_key_of_another_version_does_not_slip_through(version: str) -> None:
    through = printed(parsed(FOREIGN), version)
    route = {"mtu": 1400, "table": 7, "scope": 253} if version == "1.1.0" else {}
    ports = {"socketPath": "/s", "pciID": "0000:00:00.0"} if FAMILIES[version] == 1 else {}
    mtu = {"mtu": 1500} if version == "1.1.0" else {}
    dns: dict[str, Any] = {} if FAMILIES[version] == 1 else {"dns": {}}
    if FAMILIES[version] == 2:
        ip4 = {"ip": "10.0.0.2/24", "routes": [{"dst": "0.0.0.0/0"}]}
        assert through == {"cniVersion": version, "ip4": ip4, **dns}
    else:
        named = {"version": "4"} if FAMILIES[version] == 4 else {}
        assert through == {
            "cniVersion": version,
            "interfaces": [{"name": "eth0", **mtu, **ports}],
            "ips": [{**named, "address": "10.0.0.2/24"}],
            "routes": [{"dst": "0.0.0.0/0", **route}],
            **dns,
        }


@pytest.mark.parametrize("second", SUPPORTED)
def test_the_old_shape_takes_no_key_of_a_later_one(second: str) -> None:
    old = {
        "cniVersion": "0.2.0",
        "ip4": {"ip": "10.0.0.2/24", "version": "6", "address": "10.9.9.9/24", "interface": 3},
        "interfaces": [{"name": "eth9"}],
        "ips": [],
        "routes": [{"dst": "::/0"}],
    }
    through = printed(parsed(old), second)
    if FAMILIES[second] == 2:
        assert through == {"cniVersion": second, "ip4": {"ip": "10.0.0.2/24"}, "dns": {}}
    else:
        named = {"version": "4"} if FAMILIES[second] == 4 else {}
        assert through["ips"] == [{**named, "address": "10.0.0.2/24"}]
        assert {"interfaces", "routes"}.isdisjoint(through)


@pytest.mark.parametrize(
    ("result", "path"),
    [
        ({"interfaces": {}}, "interfaces"),
        ({"interfaces": ["eth0"]}, r"interfaces\[0\]"),
        ({"interfaces": [{"name": 5}]}, r"interfaces\[0\]\.name"),
        ({"interfaces": [{"mtu": "1500"}]}, r"interfaces\[0\]\.mtu"),
        ({"ips": [{"address": "10.0.0.1"}]}, r"ips\[0\]\.address"),
        ({"ips": [{}]}, r"ips\[0\]\.address"),
        ({"ips": [{"address": "10.0.0.1/33"}]}, r"ips\[0\]\.address"),
        ({"ips": [{"address": "10.0.0.1/8", "gateway": "x"}]}, r"ips\[0\]\.gateway"),
        ({"ips": [{"address": "10.0.0.1/8", "interface": -1}]}, r"ips\[0\]\.interface"),
        ({"ips": [{"address": "10.0.0.1/8", "interface": True}]}, r"ips\[0\]\.interface"),
        (
            {"interfaces": [{"name": "a"}], "ips": [{"address": "10.0.0.1/8"}, {"address": "::/0", "interface": 1}]},
            r"ips\[1\]\.interface",
        ),
        ({"routes": [{"dst": "default"}]}, r"routes\[0\]\.dst"),
        ({"routes": [{"dst": "::/0", "gw": "10.0.0.1"}]}, r"routes\[0\]\.gw"),
        ({"routes": [{"dst": "::/0", "scope": 256}]}, r"routes\[0\]\.scope"),
        ({"routes": [{"dst": "::/0", "mtu": 1.5}]}, r"routes\[0\]\.mtu"),
        ({"dns": []}, "dns"),
        ({"dns": {"nameservers": [1]}}, r"dns\.nameservers\[0\]"),
        ({"cniVersion": 1}, "cniVersion"),
        ({"cniVersion": "0.2.0", "ip4": {"ip": ""}}, r"ip4\.ip"),
        ({"cniVersion": "0.2.0", "ip4": {"ip": "10.0.0.1/8", "routes": [{}]}}, r"ip4\.routes\[0\]\.dst"),
    ],
)
def test_what_is_wrong_with_a_result_is_told_with_its_path(result: dict[str, Any], path: str) -> None:
    with pytest.raises((DecodingFailure, InvalidNetworkConfig), match=rf"^{path}(?!\w)"):
        parsed(result)


def test_an_ipv4_address_written_as_ipv6_is_printed_as_ipv4() -> None:
    result = parsed({"ips": [{"address": "::ffff:10.0.0.1/120", "gateway": "::ffff:10.0.0.9"}]})
    assert printed(result, "0.4.0")["ips"] == [{"version": "4", "address": "10.0.0.1/24", "gateway": "10.0.0.9"}]


def test_host_bits_are_kept() -> None:
    result = {"ips": [{"address": "10.0.0.7/8"}], "routes": [{"dst": "10.1.2.3/16"}]}
    assert printed(parsed(result), "1.1.0")["routes"] == [{"dst": "10.1.2.3/16"}]


def test_the_containers_interface_is_found_by_name_and_sandbox() -> None:
    result = parsed(FULL)
    found = result.of_interface("eth0", "/run/netns/pod")
    assert found is not None
    assert found == (1, result.interfaces[1])
    assert result.of_interface("eth0", "") is None
    assert result.of_interface("cni0", "/run/netns/pod") is None


ADDRESSES = st.sampled_from(["10.0.0.1/8", "0.0.0.0/0", "::/0", "fd00::9/64", "::ffff:10.0.0.1/104"])
GATEWAYS = st.sampled_from(["", "10.0.0.9", "fd00::1", "::ffff:10.0.0.9"]) | st.none()
EXTRA = st.dictionaries(st.sampled_from(["x", "y", "Mtu", "VERSION", "ip", "ip4", "interfaces", "routes"]), st.none())
NUMBERS = st.integers(0, 255) | st.none()


def objects(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    known: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries({}, optional=members)
    return st.tuples(EXTRA, known).map(lambda pair: {**pair[0], **pair[1]})


ROUTES = st.lists(objects(dst=ADDRESSES, gw=GATEWAYS, mtu=NUMBERS, table=NUMBERS, scope=NUMBERS), max_size=3)
LEGACY = objects(ip=ADDRESSES, gateway=GATEWAYS, routes=ROUTES)
RESULTS = objects(
    interfaces=st.lists(objects(name=st.text(max_size=3), mac=st.text(max_size=3), mtu=NUMBERS), max_size=3),
    ips=st.lists(objects(address=ADDRESSES, gateway=GATEWAYS, interface=NUMBERS), max_size=4),
    routes=ROUTES,
    dns=objects(domain=st.text(max_size=3), search=st.lists(st.text(max_size=3), max_size=2)),
    ip4=LEGACY,
    ip6=LEGACY,
)


@given(RESULTS, st.sampled_from(SUPPORTED), st.sampled_from(SUPPORTED))
def test_whatever_is_read_is_printed_so_that_it_reads_the_same(
    document: dict[str, Any], first: str, second: str
) -> None:
    try:
        once = printed(parsed(document, first), second)
    except CniError:
        return
    assert once["cniVersion"] == second
    assert printed(parsed(once), second) == once
