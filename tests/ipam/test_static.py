"""static: where its addresses and gateways come from, what it refuses, and who has which address on this node."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ipam.conftest import Mounts
    from tests.ipam.runtime import Answer, Ipam

VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
V4 = {"address": "10.10.0.1/24", "gateway": "10.10.0.254"}
V6 = {"address": "3ffe:ffff:0:01ff::1/64", "gateway": "3ffe:ffff:0::1"}


def given(answer: Answer) -> list[tuple[str, str | None]]:
    """The addresses with their gateways."""
    return [(ip["address"], ip.get("gateway")) for ip in answer.succeeded().document["ips"]]


@pytest.fixture
def sandbox(tmp_path: Path) -> Callable[[str], str]:
    """Make a path that stands for a living container's namespace."""

    def make(name: str) -> str:
        path = tmp_path / f"netns-{name}"
        path.touch()
        return str(path)

    return make


# What is given


@pytest.mark.parametrize("version", VERSIONS)
def test_an_add_gives_what_is_configured(static: Callable[..., Ipam], version: str) -> None:
    routes: list[dict[str, Any]] = [
        {"dst": "0.0.0.0/0"},
        {"dst": "192.168.0.0/16", "gw": "10.10.5.1", "table": 5, "scope": 253},
        {"dst": "3ffe:ffff:0:01ff::1/64"},
    ]
    dns = {"nameservers": ["8.8.8.8"], "domain": "example.com", "search": ["example.com"]}
    answer = static(V4, V6, version=version, routes=routes, dns=dns).add().succeeded().document
    assert answer["dns"] == dns
    if version < "0.3":
        plain = [{"dst": "0.0.0.0/0"}, {"dst": "192.168.0.0/16", "gw": "10.10.5.1"}]
        assert answer["ip4"] == {"ip": "10.10.0.1/24", "gateway": "10.10.0.254", "routes": plain}
        assert answer["ip6"]["ip"] == "3ffe:ffff:0:1ff::1/64"
    else:
        addresses = [(ip["address"], ip["gateway"]) for ip in answer["ips"]]
        assert addresses == [("10.10.0.1/24", "10.10.0.254"), ("3ffe:ffff:0:1ff::1/64", "3ffe:ffff::1")]
        assert len(answer["routes"]) == 3
        assert ("table" in answer["routes"][1]) is (version == "1.1.0")


def test_an_unknown_container_is_deleted_and_nothing_is_made(static: Callable[..., Ipam]) -> None:
    ipam = static(V4)
    ipam.delete().succeeded()
    assert not ipam.data_dir.exists()


def test_arguments_add_addresses_and_name_gateways(static: Callable[..., Ipam]) -> None:
    answer = static().add(arguments="IP=10.10.0.1/24;GATEWAY=10.10.0.254")
    assert given(answer) == [("10.10.0.1/24", "10.10.0.254")]


@pytest.mark.parametrize("version", VERSIONS)
def test_gateways_of_arguments_go_to_the_addresses_beside_them(static: Callable[..., Ipam], version: str) -> None:
    answer = static(version=version).add(arguments="IP=10.10.0.1/24,11.11.0.1/24;GATEWAY=10.10.0.254")
    if version < "0.3":
        answer.failed(7, "CNI_ARGS: IP", f"cniVersion {version}", "is the second")
    else:
        assert given(answer) == [("10.10.0.1/24", "10.10.0.254"), ("11.11.0.1/24", None)]


def test_gateways_of_arguments_go_to_configured_addresses_too(static: Callable[..., Ipam]) -> None:
    ipam = static("10.10.0.1/24", {"address": "11.11.0.1/24", "gateway": "11.11.0.9"})
    answer = ipam.add(arguments="GATEWAY=10.10.0.254,11.11.0.254")
    assert given(answer) == [("10.10.0.1/24", "10.10.0.254"), ("11.11.0.1/24", "11.11.0.254")]


def test_arguments_are_added_to_the_configured_addresses(static: Callable[..., Ipam]) -> None:
    answer = static(V4).add(arguments="IP=11.11.0.1/24")
    assert given(answer) == [("10.10.0.1/24", "10.10.0.254"), ("11.11.0.1/24", None)]


@pytest.mark.parametrize("source", ["args", "runtimeConfig", "CNI_ARGS"])
def test_an_address_that_is_asked_for_inherits_the_gateway_of_its_subnet(
    static: Callable[..., Ipam], source: str
) -> None:
    """Without it neither sbr nor a default route would have one."""
    wanted = ["10.10.0.77/24", "12.12.0.1/24"]
    sources: dict[str, dict[str, Any]] = {
        "args": {"args": {"cni": {"ips": wanted}}},
        "runtimeConfig": {"runtimeConfig": {"ips": wanted}},
        "CNI_ARGS": {"arguments": f"IP={','.join(wanted)}"},
    }
    answer = static(V4).add(**sources[source])
    assert given(answer)[-2:] == [("10.10.0.77/24", "10.10.0.254"), ("12.12.0.1/24", None)]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, ["10.10.0.1/24", "11.11.0.1/24"]),
        ({"args": {"cni": {"ips": ["12.12.0.1/24"]}}}, ["12.12.0.1/24"]),
        ({"runtimeConfig": {"ips": ["13.13.0.1/24"]}}, ["13.13.0.1/24"]),
        (
            {"args": {"cni": {"ips": ["12.12.0.1/24"]}}, "runtimeConfig": {"ips": ["13.13.0.1/24", "2001:db8::1/64"]}},
            ["13.13.0.1/24", "2001:db8::1/64"],
        ),
    ],
    ids=["configured", "args", "runtime", "all"],
)
def test_the_runtime_s_addresses_replace_the_others(
    static: Callable[..., Ipam], keys: dict[str, Any], expected: list[str]
) -> None:
    assert static(V4).add(arguments="IP=11.11.0.1/24", **keys).ips == expected


@pytest.mark.parametrize(
    "keys", [{"arguments": "IP=10.0.0.1/24"}, {"runtimeConfig": {"ips": ["10.0.0.1/24"]}}], ids=str
)
def test_ipam_must_be_there(static: Callable[..., Ipam], keys: dict[str, Any]) -> None:
    static().with_keys(ipam=None).add(**keys).failed(7, "ipam", "missing")


@pytest.mark.parametrize(
    ("addresses", "keys", "code", "words"),
    [
        (["10.10.0.1"], {}, 7, ["ipam.addresses[0].address", "10.10.0.1"]),
        ([V4, {}], {}, 7, ["ipam.addresses[1].address"]),
        ([V4, {**V4, "gateway": "10.10.0"}], {}, 7, ["ipam.addresses[1].gateway", "10.10.0"]),
        ([{**V4, "gateway": "2001:db8::1"}], {}, 7, ["ipam.addresses[0].gateway", "family"]),
        ([], {"arguments": "IP=10.10.0.1"}, 4, ["CNI_ARGS: IP", "10.10.0.1"]),
        ([V4], {"arguments": "GATEWAY=nonsense"}, 4, ["CNI_ARGS: GATEWAY", "nonsense"]),
        ([], {"args": {"cni": {"ips": ["10.10.0.1"]}}}, 7, ["args.cni.ips[0]"]),
        ([], {"runtimeConfig": {"ips": ["10.10.0.1/24", "10.10.0.2"]}}, 7, ["runtimeConfig.ips[1]"]),
        ([], {"runtimeConfig": {"ips": [7]}}, 6, ["runtimeConfig.ips[0] must be a string"]),
        ([], {}, 7, ["ipam.addresses", "no address"]),
        ([V4, "10.10.0.1/16"], {}, 7, ["ipam.addresses[1].address", "10.10.0.1 is there twice"]),
        ([V4], {"arguments": "IP=10.10.0.1/24"}, 7, ["CNI_ARGS: IP", "twice, in ipam.addresses[0].address too"]),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    static: Callable[..., Ipam], addresses: list[object], keys: dict[str, Any], code: int, words: list[str]
) -> None:
    ipam = static(*addresses)
    ipam.add(**keys).failed(code, *words)
    assert not ipam.data_dir.exists()


# CHECK


def test_a_check_wants_every_address_with_its_gateway(static: Callable[..., Ipam]) -> None:
    ipam = static(V4, V6)
    added = ipam.add().succeeded()
    ipam.check(added).succeeded()
    static(V4, V6, "10.10.0.9/24").check(added).failed(102, "10.10.0.9/24", "not in prevResult")
    static("10.10.0.1/16", V6).check(added).failed(102, "10.10.0.1/16")
    changed = static({**V4, "gateway": "10.10.0.253"}, V6)
    changed.check(added).failed(102, "the gateway of 10.10.0.1/24 is 10.10.0.254 in prevResult, not 10.10.0.253")
    static("10.10.0.1/24", V6).check(added).succeeded()  # a gateway that it did not give may be the bridge's
    ipam.call("CHECK").failed(7, "prevResult")


def test_a_check_does_not_miss_reservations_that_the_reference_never_makes(static: Callable[..., Ipam]) -> None:
    ipam = static(V4)
    added = ipam.add().succeeded()
    ipam.delete().succeeded()
    ipam.check(added).succeeded()


# Who has what


def test_an_address_is_one_attachment_s_at_a_time(static: Callable[..., Ipam], sandbox: Callable[[str], str]) -> None:
    ipam = static(V4, V6)
    ipam.add("a", netns=sandbox("a")).succeeded()
    words = "ipam.addresses[0].address", "10.10.0.1", "network mynet", "container a, interface eth0"
    ipam.add("b", netns=sandbox("b")).failed(11, *words)
    ipam.add("a", "net1", netns=sandbox("a")).failed(11, *words)
    ipam.delete("a").succeeded()
    ipam.add("b", netns=sandbox("b")).succeeded()
    ipam.delete("a").succeeded()
    assert {content.split("\r\n")[0] for content in ipam.addresses().values()} == {"b"}


def test_a_conflict_leaves_nothing_of_the_second(static: Callable[..., Ipam], sandbox: Callable[[str], str]) -> None:
    static(V6).add("a", netns=sandbox("a")).succeeded()
    ipam = static(V4, V6)
    ipam.add("b", netns=sandbox("b")).failed(11, "container a")
    assert list(ipam.addresses()) == ["3ffe:ffff:0:1ff::1"]


def test_the_same_attachment_again_gets_the_same(static: Callable[..., Ipam], sandbox: Callable[[str], str]) -> None:
    ipam = static(V4)
    first = ipam.add("a", netns=sandbox("a"))
    assert given(ipam.add("a", netns=sandbox("a"))) == given(first)
    moved = sandbox("moved")
    ipam.add("a", netns=moved).succeeded()
    os.unlink(sandbox("a"))
    ipam.add("b", netns=sandbox("b")).failed(11, "container a")
    os.unlink(moved)
    ipam.add("b", netns=sandbox("b")).succeeded()


def test_networks_do_not_conflict(static: Callable[..., Ipam], sandbox: Callable[[str], str]) -> None:
    static(V4, name="blue").add("a", netns=sandbox("a")).succeeded()
    static(V4, name="red").add("b", netns=sandbox("b")).succeeded()


def test_a_holder_without_a_namespace_is_gone(static: Callable[..., Ipam], sandbox: Callable[[str], str]) -> None:
    ipam = static(V4, "10.10.0.9/24")
    ipam.add("a", netns=sandbox("a")).succeeded()
    os.unlink(sandbox("a"))
    static(V4).add("b", netns=sandbox("b")).succeeded()
    assert [content.split("\r\n")[0] for content in ipam.addresses().values()] == ["b", "a"]
    ipam.delete("a").succeeded()
    assert list(ipam.addresses()) == ["10.10.0.1"]


def test_a_holder_of_an_earlier_boot_is_gone(static: Callable[..., Ipam], mounts: Mounts, tmp_path: Path) -> None:
    (tmp_path / "boot").write_text("00000001-1111-4222-8333-444444444444\n")
    ipam = static(V4)
    ipam.add("a", netns="/proc/self/ns/mnt").succeeded()
    ipam.run("ADD", "b").failed(11, "container a")
    mounts.run("mount", "--bind", str(tmp_path / "boot"), "/proc/sys/kernel/random/boot_id")
    replace(ipam, before=mounts.enter).run("ADD", "b").succeeded()


def test_conflicts_may_be_allowed(static: Callable[..., Ipam], sandbox: Callable[[str], str]) -> None:
    ipam = static(V4, allowConflicts=True)
    ipam.add("a", netns=sandbox("a")).succeeded()
    ipam.add("b", netns=sandbox("b")).succeeded()
    assert not ipam.data_dir.exists()
    ipam.delete("a").succeeded()


def test_a_reservation_goes_even_if_conflicts_are_allowed_by_then(
    static: Callable[..., Ipam], sandbox: Callable[[str], str]
) -> None:
    ipam = static(V4)
    ipam.add("a", netns=sandbox("a")).succeeded()
    static(V4, allowConflicts=True).delete("a").succeeded()
    assert ipam.addresses() == {}


@pytest.mark.parametrize(
    "broken",
    [
        {"addresses": "nonsense"},
        {"addresses": [{"address": "nonsense"}]},
        {"routes": 7, "dns": 7, "allowConflicts": 7},
        {"dataDir": 7},
        {"dataDir": "relative"},
        {"addresses": []},
    ],
    ids=str,
)
def test_a_delete_never_fails_on_its_configuration(static: Callable[..., Ipam], broken: dict[str, Any]) -> None:
    ipam = static(V4)
    ipam.add().succeeded()
    ipam.changed(**broken).delete(arguments="IP=nonsense;GATEWAY=nonsense", netns="").succeeded()
    if "dataDir" not in broken:
        assert ipam.addresses() == {}


def test_gc_frees_what_no_valid_attachment_has(static: Callable[..., Ipam]) -> None:
    ipam = static(V4)
    ipam.collect().succeeded()
    assert not ipam.data_dir.exists()
    ipam.add("a").succeeded()
    static("10.10.0.2/24").add("b").succeeded()
    ipam.collect(("b", "eth0")).succeeded()
    assert list(ipam.addresses()) == ["10.10.0.2"]


def test_status_tells_whether_reservations_can_be_written(static: Callable[..., Ipam]) -> None:
    ipam = static(V4)
    ipam.call("STATUS").succeeded()
    ipam.data_dir.write_text("")
    ipam.call("STATUS").failed(50, "mynet", "not a directory")
    static(V4, allowConflicts=True).call("STATUS").succeeded()


def test_a_relative_data_dir_is_refused(static: Callable[..., Ipam]) -> None:
    static(V4, dataDir="run").add().failed(7, "ipam.dataDir", "absolute")
