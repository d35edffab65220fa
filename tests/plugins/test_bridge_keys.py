"""bridge: each key of the configuration, what it does and what it refuses."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.configs import bridge, pools

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown
    from tests.pods import MakePod

MAC = "02:00:5e:00:00:01"
OTHER_MAC = "02:00:5e:00:00:02"
THIRD_MAC = "02:00:5e:00:00:03"
NO_VLAN = [-100, -1, 4095, 5000]


def can_filter_vlans() -> bool:
    """Whether the kernel makes a bridge that keeps VLANs apart."""
    made = subprocess.run(
        ["unshare", "--net", "ip", "link", "add", "b0", "type", "bridge", "vlan_filtering", "1"],
        capture_output=True,
        check=False,
    )
    return made.returncode == 0


def test_promisc_mode_and_hairpin_mode_exclude_each_other(node: Runtime, pod: Pod) -> None:
    assert "hairpinMode" in node.ask("ADD", bridge(promiscMode=True, hairpinMode=True), pod).failed(7)


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize(("key", "setting"), [("hairpinMode", "hairpin"), ("portIsolation", "isolated")])
def test_a_ports_settings_are_those_of_the_configuration(
    key: str, setting: str, on: bool, node: Runtime, pod: Pod
) -> None:
    result = node.add(bridge(**{key: on}), pod)
    port = node.shown.link(result["interfaces"][1]["name"])
    assert port["linkinfo"]["info_slave_data"][setting] is on


def test_the_mtu_is_that_of_the_bridge_and_of_both_ends(node: Runtime, pod: Pod, inside: Shown) -> None:
    result = node.add(bridge(mtu=1400), pod)
    port = result["interfaces"][1]["name"]
    assert [node.shown.link("cni0")["mtu"], node.shown.link(port)["mtu"], inside.link("eth0")["mtu"]] == [1400] * 3
    assert [interface["mtu"] for interface in result["interfaces"]] == [1400] * 3


def test_the_macs_sources_rank(node: Runtime, make_pod: MakePod) -> None:
    def mac(name: str, *, arguments: str = "", **more: object) -> str:
        result = node.add(bridge(**more), make_pod(name), CNI_ARGS=f"IgnoreUnknown=1;{arguments}")
        return str(result["interfaces"][2]["mac"])

    argument, of_args, of_runtime = f"MAC={MAC}", {"cni": {"mac": OTHER_MAC}}, {"mac": THIRD_MAC}
    assert mac("configured", mac=OTHER_MAC) == OTHER_MAC
    assert mac("argument", mac=OTHER_MAC, arguments=argument) == MAC
    assert mac("args", args=of_args, arguments=argument) == OTHER_MAC
    assert mac("runtime", args=of_args, arguments=argument, runtimeConfig=of_runtime) == THIRD_MAC


@pytest.mark.parametrize("mac", ["01:00:5e:00:00:01", "00:00:00:00:00:00", "02:00:5e", "nonsense"])
@pytest.mark.parametrize("where", ["runtimeConfig.mac", "args.cni.mac", "mac", "CNI_ARGS.MAC"])
def test_a_mac_that_cannot_be_is_refused_with_its_path(where: str, mac: str, node: Runtime, pod: Pod) -> None:
    config = bridge(ipam=node.given("10.1.2.3/24"))
    arguments = {}
    match where.split("."):
        case ["CNI_ARGS", "MAC"]:
            arguments = {"CNI_ARGS": f"MAC={mac}"}
        case ["runtimeConfig", "mac"]:
            config["runtimeConfig"] = {"mac": mac}
        case ["args", "cni", "mac"]:
            config["args"] = {"cni": {"mac": mac}}
        case _:
            config["mac"] = mac
    before = node.shown.everything()
    message = node.ask("ADD", config, pod, **arguments).failed(7)
    assert message.startswith(f"{where}: ")
    assert node.shown.everything() == before
    assert node.verbs() == []


def test_an_interface_can_be_left_down(node: Runtime, pod: Pod, inside: Shown) -> None:
    config = bridge(disableContainerInterface=True)
    result = node.add(config, pod)
    assert not inside.is_up("eth0")
    node.check(config, pod, result)
    inside.run("ip link set eth0 up")
    assert "it is up" in node.difference(config, pod, result)


def test_an_interface_that_stays_down_cannot_have_ipam(node: Runtime, pod: Pod) -> None:
    config = bridge(disableContainerInterface=True, ipam=node.given("10.1.2.3/24"))
    assert "disableContainerInterface" in node.ask("ADD", config, pod).failed(7)
    assert node.verbs() == []


@pytest.mark.skipif(can_filter_vlans(), reason="this kernel has what is missing here")
@pytest.mark.parametrize("existing", [False, True], ids=["no bridge", "a bridge"])
@pytest.mark.parametrize("asked", [{"vlan": 100}, {"vlanTrunk": [{"id": 101}]}, {"vlanTrunk": []}], ids=str)
def test_a_kernel_that_cannot_keep_vlans_apart_says_so(
    asked: dict[str, Any], existing: bool, node: Runtime, pod: Pod, inside: Shown
) -> None:
    if existing:
        node.shown.run("ip link add cni0 address 02:00:00:00:00:01 type bridge")
    before = node.shown.everything()
    config = bridge(ipam=pools(node, "10.1.2.0/24"), **asked)
    assert "CONFIG_BRIDGE_VLAN_FILTERING" in node.ask("ADD", config, pod).failed(2)
    assert node.shown.everything() == before
    assert inside.links() == set()
    assert node.reserved("blue") == {}
    node.delete(config, pod)


@pytest.mark.parametrize(
    "off",
    [
        {"vlan": 0},
        {"vlan": 0, "isGateway": True},
        {"preserveDefaultVlan": True},
        {"vlanFiltering": False},
        {"macspoofchk": False},
        {"ipMasq": False, "ipMasqBackend": "nftables"},
    ],
    ids=str,
)
def test_keys_that_ask_for_nothing_are_no_matter(off: dict[str, Any], node: Runtime, pod: Pod) -> None:
    node.check(bridge(**off), pod, node.add(bridge(**off), pod))


def test_the_port_says_whose_it_is(node: Runtime, pod: Pod) -> None:
    result = node.add(bridge(), pod, CNI_IFNAME="net1")
    assert node.shown.link(result["interfaces"][1]["name"])["ifalias"] == "multus:blue:pod1:net1"


def test_a_port_of_long_names_is_found_again(node: Runtime, pod: Pod) -> None:
    """The kernel's aliases are shorter than a network's and a container's longest names."""
    config = bridge(name="n" * 100)
    node.add(config, pod, CNI_CONTAINERID="c" * 200)
    node.delete(config, pod, CNI_CONTAINERID="d" * 200, CNI_NETNS="")
    assert "veth" in node.links().values()
    node.delete(config, pod, CNI_CONTAINERID="c" * 200, CNI_NETNS="")
    assert node.links() == {"cni0": "bridge"}


def test_keys_are_read_in_any_case(node: Runtime, pod: Pod) -> None:
    config = {"cniVersion": "1.1.0", "name": "blue", "type": "bridge", "BRIDGE": "br1", "isdefaultgateway": True}
    node.add({**config, "IPAM": node.given("10.1.2.3/24")}, pod)
    assert node.shown.addresses("br1") == {"10.1.2.1/24"}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"bridge": "a/b"}, 7),
        ({"bridge": "a-name-of-more-than-15"}, 7),
        ({"bridge": 7}, 6),
        ({"mtu": -1}, 7),
        ({"mtu": 65536}, 7),
        ({"mtu": "1500"}, 6),
        ({"isGateway": "yes"}, 6),
        ({"dns": {"nameservers": "1.2.3.4"}}, 6),
        *(({"vlan": vlan}, 7) for vlan in NO_VLAN),
        ({"vlan": "100"}, 6),
        ({"vlan": 100.5}, 6),
        ({"vlan": 100, "bridge": "a-long-name1", "isGateway": True}, 7),
        ({"vlanTrunk": {"id": 100}}, 6),
        ({"vlanTrunk": [100]}, 6),
        *(({"vlanTrunk": [{"id": vlan}]}, 7) for vlan in (0, *NO_VLAN)),
        ({"vlanTrunk": [{"id": 1}, {"minID": 100}]}, 7),
        ({"vlanTrunk": [{"maxID": 100}]}, 7),
        ({"vlanTrunk": [{"minID": 200, "maxID": 100}]}, 7),
        *(({"vlanTrunk": [{"minID": vlan, "maxID": 100}]}, 7) for vlan in (0, *NO_VLAN)),
        *(({"vlanTrunk": [{"minID": 100, "maxID": vlan}]}, 7) for vlan in (0, *NO_VLAN)),
        ({"preserveDefaultVlan": "no"}, 6),
        ({"vlanFiltering": 1}, 6),
        ({"macspoofchk": "on"}, 6),
        ({"ipMasq": "yes"}, 6),
        ({"ipam": []}, 6),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_with_its_path_before_anything_happens(
    wrong: dict[str, Any], code: int, node: Runtime, pod: Pod, inside: Shown
) -> None:
    before = node.shown.everything()
    config = {**bridge(ipam=node.given("10.1.2.3/24")), **wrong}
    assert node.ask("ADD", config, pod).failed(code).startswith(next(iter(wrong)))
    assert node.shown.everything() == before
    assert inside.links() == set()
    assert node.verbs() == []
