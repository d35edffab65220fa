"""tuning: what it changes, whose word counts, and what it refuses."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.conversation import hold
from plugins.tuning import Tuning
from tests.plugins.runtime import VERSIONS, WITH_CHECK
from tests.plugins.shown import Shown
from tests.plugins.tuned import ADDRESS, ADDRESS_6, Tuned

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Pod
    from tests.plugins.runtime import Runtime

MAC = "02:00:5e:00:00:01"
OTHER_MAC = "02:00:5e:00:00:02"
THIRD_MAC = "02:00:5e:00:00:03"
ARP_FILTER = "net.ipv4.conf.IFNAME.arp_filter"


@pytest.fixture
def tuned(node: Runtime, pod: Pod, inside: Shown) -> Tuned:
    return Tuned(node, pod, inside)


CHANGES: dict[str, dict[str, Any]] = {
    "mac": {"mac": MAC},
    "mtu": {"mtu": 1454},
    "promisc": {"promisc": True},
    "allmulti": {"allmulti": True},
    "txQLen": {"txQLen": 20000},
    "no queue": {"txQLen": 0},
    "all": {"mac": MAC, "mtu": 1454, "promisc": True, "allmulti": True, "txQLen": 100},
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("where", ["config", "args"])
def test_the_link_is_changed_checked_and_restored(
    version: str, change: dict[str, Any], where: str, tuned: Tuned
) -> None:
    config = tuned.config(version, **(change if where == "config" else {"args": {"cni": change}}))
    before = tuned.shown()
    result = tuned.add(config)
    assert tuned.shown() == {**before, **change}
    assert tuned.file.exists()
    if version in WITH_CHECK:
        tuned.node.check(config, tuned.pod, result)
    for _ in range(2):
        assert tuned.node.ask("DEL", config, tuned.pod, result).succeeded().stdout == b""
    assert tuned.shown() == before
    assert not tuned.file.exists()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_result_tells_what_the_interface_has_now(version: str, tuned: Tuned) -> None:
    """BUG of the reference: the MTU stays as it was, the MAC is told as it is spelt, on every interface of the name."""
    expected = tuned.previous(version)
    if version in VERSIONS[2:]:
        expected["interfaces"][1] |= {"mac": MAC, **({"mtu": 1400} if version == "1.1.0" else {})}
    assert tuned.add(tuned.config(version, mac=MAC.upper(), mtu=1400)) == expected


def test_what_nobody_knows_in_the_earlier_result_is_passed_on(tuned: Tuned) -> None:
    previous = {**tuned.previous(), "extension": {"a": 1}}
    previous["interfaces"][1]["colour"] = "blue"
    assert tuned.node.ask("ADD", tuned.config(), tuned.pod, previous).succeeded().document == previous


@pytest.mark.parametrize("key", [ARP_FILTER, "net/ipv4/conf/IFNAME/arp_filter", "net.ipv4.conf.eth0.arp_filter"])
def test_a_setting_is_changed_checked_and_restored(key: str, tuned: Tuned) -> None:
    """BUG of the reference: settings stay as they are."""
    config = tuned.config(sysctl={key: "1", "net.core.somaxconn": "77"})
    before = tuned.setting("core/somaxconn")
    result = tuned.add(config)
    assert (tuned.setting("ipv4/conf/eth0/arp_filter"), tuned.setting("core/somaxconn")) == ("1", "77")
    tuned.node.check(config, tuned.pod, result)
    tuned.node.delete(config, tuned.pod, result)
    assert (tuned.setting("ipv4/conf/eth0/arp_filter"), tuned.setting("core/somaxconn")) == ("0", before)


@pytest.mark.parametrize("key", [ARP_FILTER, "net/ipv4/conf/eth0.100/arp_filter", "net.ipv4.conf.eth0/100.arp_filter"])
def test_an_interfaces_name_may_have_dots(key: str, tuned: Tuned) -> None:
    """BUG of the reference: every dot becomes a slash."""
    tuned.inside.run("ip link add eth0.100 up type veth peer name other")
    tuned.ask("ADD", tuned.config(sysctl={key: "1"}), CNI_IFNAME="eth0.100").succeeded()
    assert tuned.setting("ipv4/conf/eth0.100/arp_filter") == "1"
    assert tuned.setting("ipv4/conf/eth0/arp_filter") == "0"


@pytest.mark.parametrize("order", [("all", "eth0"), ("eth0", "all")])
def test_settings_are_written_in_their_order(order: tuple[str, str], tuned: Tuned) -> None:
    """BUG of the reference: the order is random. Writing to `all` writes to every interface."""
    values = {"all": "1", "eth0": "0"}
    tuned.add(tuned.config(sysctl={f"net.ipv6.conf.{name}.forwarding": values[name] for name in order}))
    assert tuned.setting("ipv6/conf/eth0/forwarding") == ("0" if order[-1] == "eth0" else "1")


def test_a_setting_that_is_asked_for_comes_before_the_configured_one(tuned: Tuned) -> None:
    tuned.add(
        tuned.config(
            sysctl={ARP_FILTER: "1", "net.core.somaxconn": "77"},
            args={"cni": {"sysctl": {"net/core/somaxconn": "78", "net.ipv4.conf.IFNAME.log_martians": "1"}}},
        )
    )
    names = ("ipv4/conf/eth0/arp_filter", "core/somaxconn", "ipv4/conf/eth0/log_martians")
    assert [tuned.setting(name) for name in names] == ["1", "78", "1"]


def test_settings_may_only_be_asked_for(tuned: Tuned) -> None:
    """BUG of the reference: it crashes."""
    tuned.add(tuned.config(args={"cni": {"sysctl": {ARP_FILTER: "1"}}}))
    assert tuned.setting("ipv4/conf/eth0/arp_filter") == "1"


def test_the_macs_sources_rank(tuned: Tuned) -> None:
    def mac(arguments: str = "", **keys: object) -> str:
        result = tuned.add(tuned.config(**keys), CNI_ARGS=f"IgnoreUnknown=1;{arguments}")
        return str(result["interfaces"][1]["mac"])

    argument, of_runtime = f"MAC={MAC}", {"mac": OTHER_MAC}
    assert mac(mac="02:00:5e:00:00:04") == "02:00:5e:00:00:04"
    assert mac(argument, mac=THIRD_MAC) == MAC
    assert mac(argument, mac=THIRD_MAC, runtimeConfig=of_runtime) == OTHER_MAC
    assert mac(argument, runtimeConfig=of_runtime, args={"cni": {"mac": THIRD_MAC}}) == THIRD_MAC


def test_promisc_false_leaves_it_on(tuned: Tuned) -> None:
    tuned.inside.run("ip link set eth0 promisc on allmulticast on")
    config = tuned.config(promisc=True, allmulti=False, args={"cni": {"promisc": False}})
    tuned.add(config)
    assert (tuned.shown()["promisc"], tuned.shown()["allmulti"]) == (True, False)
    assert "promisc" not in tuned.remembered()
    tuned.node.delete(config, tuned.pod)
    assert tuned.shown()["allmulti"] is True


def test_what_asks_for_nothing_changes_nothing(tuned: Tuned) -> None:
    before, previous = tuned.inside.everything(), tuned.previous()
    assert tuned.add(tuned.config(mtu=0, promisc=False, mac="", sysctl={}, allmulti=None)) == previous
    assert tuned.inside.everything() == before
    assert not tuned.data_dir.exists()


def test_settings_need_no_interface(tuned: Tuned) -> None:
    tuned.ask("ADD", tuned.config(sysctl={"net.core.somaxconn": "77"}), CNI_IFNAME="net9").succeeded()
    assert tuned.setting("core/somaxconn") == "77"
    assert "net9" in tuned.ask("ADD", tuned.config(mtu=1400), CNI_IFNAME="net9").failed(4)


def test_a_setting_without_value_is_written_and_not_restored(tuned: Tuned) -> None:
    """The kernel shows no stable_secret before there is one, and route/flush can only be written."""
    key = "net.ipv6.conf.IFNAME.stable_secret"
    secret = "fd00:0000:0000:0000:0000:0000:0000:0001"
    config = tuned.config(sysctl={key: secret, "net.ipv4.route.flush": "1"})
    tuned.node.check(config, tuned.pod, tuned.add(config))
    assert tuned.setting("ipv6/conf/eth0/stable_secret") == secret
    tuned.node.delete(config, tuned.pod)


@pytest.mark.parametrize(
    ("wrong", "code", "path"),
    [
        ({"mac": "02:00"}, 7, "mac: "),
        ({"mac": "01:00:5e:00:00:01"}, 7, "mac: "),
        ({"mtu": -1}, 7, "mtu: "),
        ({"mtu": "1400"}, 6, "mtu "),
        ({"txQLen": -1}, 7, "txQLen: "),
        ({"promisc": "yes"}, 6, "promisc "),
        ({"allmulti": 1}, 6, "allmulti "),
        ({"dataDir": "relative"}, 7, "dataDir: "),
        ({"sysctl": ["a"]}, 6, "sysctl "),
        ({"sysctl": {ARP_FILTER: 1}}, 6, f"sysctl.{ARP_FILTER} "),
        ({"sysctl": {"kernel.domainname": "x"}}, 7, "sysctl.kernel.domainname: "),
        ({"sysctl": {"net/../kernel/domainname": "x"}}, 7, "sysctl.net/../kernel/domainname: "),
        ({"sysctl": {"net...kernel.domainname": "x"}}, 7, "sysctl.net...kernel.domainname: "),
        ({"sysctl": {"net": "x"}}, 7, "sysctl.net: "),
        ({"sysctl": {"net.ipv4.conf.IFNAME.nonexistent": "1"}}, 7, "sysctl.net.ipv4.conf.IFNAME.nonexistent: "),
        ({"sysctl": {ARP_FILTER: "1\n2"}}, 7, f"sysctl.{ARP_FILTER}: "),
        ({"sysctl": {ARP_FILTER: "1", "net/ipv4/conf/eth0/arp_filter": "0"}}, 7, "sysctl.net/ipv4/conf/eth0/"),
        ({"args": {"cni": {"mtu": "1400"}}}, 6, "args.cni.mtu "),
        ({"args": {"cni": {"sysctl": {"vm.swappiness": "1"}}}}, 7, "args.cni.sysctl.vm.swappiness: "),
        ({"runtimeConfig": {"mac": "x"}}, 7, "runtimeConfig.mac: "),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_with_its_path_before_anything_happens(
    wrong: dict[str, Any], code: int, path: str, tuned: Tuned
) -> None:
    config = {**tuned.config(), **wrong}
    before, files = tuned.inside.everything(), sorted(tuned.node.root.rglob("*"))
    assert tuned.ask("ADD", config).failed(code).startswith(path)
    assert tuned.inside.everything() == before
    assert sorted(tuned.node.root.rglob("*")) == files
    tuned.ask("DEL", config).succeeded()


def test_it_must_follow_another_plugin(tuned: Tuned) -> None:
    assert tuned.node.ask("ADD", tuned.config(mtu=1400), tuned.pod).failed(7).startswith("prevResult: ")


@pytest.mark.parametrize("where", ["sysctl", "args"])
def test_a_setting_that_stands_twice_is_refused(where: str, tuned: Tuned) -> None:
    twice = '{"net.core.somaxconn": "1", "net.core.somaxconn": "2"}'
    keys = f'"sysctl": {twice}' if where == "sysctl" else f'"args": {{"cni": {{"sysctl": {twice}}}}}'
    plain = json.dumps({**tuned.config(), "prevResult": tuned.previous()})
    for verb, code in (("ADD", 7), ("CHECK", 7)):
        answer = raw(tuned, verb, plain[:-1] + f", {keys}}}", Tuning())
        assert answer["code"] == code
        assert "sysctl.net.core.somaxconn: duplicated sysctl keys" in answer["msg"]


def raw(tuned: Tuned, verb: str, document: str, plugin: Tuning) -> dict[str, Any]:
    """The answer of one plugin to a document that `json.dumps` would not write."""
    stdout = BytesIO()
    environment = tuned.pod.environment(verb, "")
    tuned.node.run(lambda: hold(lambda: plugin, environment, BytesIO(document.encode()), stdout, BytesIO()))
    found = json.loads(stdout.getvalue() or b"{}")
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("lines", "is_allowed"),
    [
        (r"^net\.ipv4\.conf\.IFNAME\.arp_filter$", True),
        (r"arp_", True),
        ("\n   \n  ipv6\r\n  arp_filter  \n", True),
        (r"^net\.ipv4\.conf\.eth0\.arp_filter$", False),
        ("arp_ignore", False),
        ("", False),
    ],
)
def test_the_allow_list_decides_by_the_key_as_it_is_written(
    lines: str, is_allowed: bool, tuned: Tuned, tmp_path: Path
) -> None:
    (tmp_path / "allow").write_text(lines)
    plugin = Tuning(str(tmp_path / "allow"))
    for keys in ({"sysctl": {ARP_FILTER: "1"}}, {"args": {"cni": {"sysctl": {ARP_FILTER: "1"}}}}):
        document = json.dumps({**tuned.config(**keys), "prevResult": tuned.previous()})
        answer = raw(tuned, "ADD", document, plugin)
        assert tuned.setting("ipv4/conf/eth0/arp_filter") == ("1" if is_allowed else "0")
        if not is_allowed:
            assert (answer["code"], answer["msg"].partition(":")[0]) == (7, f"sysctl.{ARP_FILTER}")
        assert raw(tuned, "DEL", document, plugin) == {}


def test_an_allow_list_that_cannot_be_read_allows_nothing(tuned: Tuned, tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("net.(\n")
    document = json.dumps({**tuned.config(sysctl={ARP_FILTER: "1"}), "prevResult": tuned.previous()})
    answer = raw(tuned, "ADD", document, Tuning(str(tmp_path / "broken")))
    assert answer["code"] == 7
    assert "'net.('" in answer["msg"]
    assert raw(tuned, "ADD", document, Tuning(str(tmp_path)))["code"] == 5
    assert tuned.setting("ipv4/conf/eth0/arp_filter") == "0"


def test_an_mtu_that_would_cost_the_interface_its_ipv6_addresses_is_refused(tuned: Tuned) -> None:
    tuned.inside.run(f"ip address add {ADDRESS_6} dev eth0 nodad")
    message = tuned.ask("ADD", tuned.config(mtu=1000), ADDRESS, ADDRESS_6).failed(7)
    assert message == f"mtu: 1000 is less than the 1280 that IPv6 needs for {ADDRESS_6}"
    assert ADDRESS_6 in tuned.inside.addresses("eth0")
