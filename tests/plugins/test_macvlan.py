"""macvlan: over a link of the node or of the pod, in every version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.node import UPLINK
from tests.plugins.runtime import VERSIONS, WITH_CHECK
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

MAC = "02:00:5e:00:00:01"
OTHER_MAC = "02:00:5e:00:00:02"
THIRD_MAC = "02:00:5e:00:00:03"
PLACES: list[dict[str, bool]] = [{}, {"linkInContainer": False}, {"linkInContainer": True}]


def macvlan(version: str = "1.1.0", /, **more: object) -> dict[str, Any]:
    return {"cniVersion": version, "name": "blue", "type": "macvlan", "master": UPLINK, **more}


def pool(node: Runtime, subnet: str = "10.1.2.0/24") -> dict[str, Any]:
    return {"type": "host-local", "ranges": [[{"subnet": subnet}]], "dataDir": str(node.addresses)}


@pytest.fixture(params=PLACES, ids=["by default", "on the node", "in the pod"])
def place(request: pytest.FixtureRequest, node: Runtime, inside: Shown) -> dict[str, bool]:
    """Where the master is, as the configuration says it; it is there."""
    where: dict[str, bool] = request.param
    if where.get("linkInContainer"):
        inside.run(f"ip link add {UPLINK} up type veth peer name up1")
        inside.run("ip link set up1 up")
        node.shown.run(f"ip link set {UPLINK} down")
    return where


@pytest.mark.parametrize("version", VERSIONS)
def test_it_has_the_address_and_mac_that_the_result_tells(
    version: str, place: dict[str, bool], node: Runtime, pod: Pod, inside: Shown
) -> None:
    config = macvlan(version, mtu=1400, mode="bridge", ipam=pool(node), **place)
    before = inside.links()
    result = node.add(config, pod)
    shown = inside.link("eth0")
    assert shown["linkinfo"] == {**shown["linkinfo"], "info_kind": "macvlan"}
    assert shown["linkinfo"]["info_data"]["mode"] == "bridge"
    assert shown["mtu"] == 1400
    assert len(inside.addresses("eth0")) == 1
    if version in VERSIONS[2:]:
        [interface] = result["interfaces"]
        assert interface == {
            "name": "eth0",
            "mac": shown["address"],
            "sandbox": pod.netns,
            **({"mtu": 1400} if version == "1.1.0" else {}),
        }
        [ip] = result["ips"]
        assert (ip["interface"], {ip["address"]}) == (0, inside.addresses("eth0"))
    if version in WITH_CHECK:
        node.check(config, pod, result)
    else:
        node.ask("CHECK", config, pod, result).failed(1)
    node.delete(config, pod, result)
    assert inside.links() == before
    assert node.reserved("blue") == {}


@pytest.mark.parametrize("version", VERSIONS)
def test_delete_of_what_was_never_added_succeeds(version: str, place: dict[str, bool], node: Runtime, pod: Pod) -> None:
    node.delete(macvlan(version, ipam=pool(node), **place), pod)


@pytest.mark.parametrize("version", VERSIONS)
def test_without_ipam_there_is_an_interface_without_address(
    version: str, place: dict[str, bool], node: Runtime, pod: Pod, inside: Shown
) -> None:
    config = macvlan(version, **place)
    if version in VERSIONS[:2]:
        assert "no valid IP addresses" in node.ask("ADD", config, pod).failed(1)
        assert "eth0" not in inside.links()
        return
    result = node.add(config, pod)
    assert inside.is_up("eth0")
    assert inside.addresses("eth0") == set()
    node.delete(config, pod, result)


@pytest.mark.parametrize("version", VERSIONS)
def test_without_master_it_stands_on_the_link_of_the_default_route(
    version: str, place: dict[str, bool], node: Runtime, pod: Pod, inside: Shown
) -> None:
    home = inside if place.get("linkInContainer") else node.shown
    home.run("ip link add other up type veth peer name rehto")
    home.run("ip route add default dev other metric 100")
    home.run(f"ip route add default dev {UPLINK} metric 5")
    config = macvlan(version, ipam=pool(node), **place)
    del config["master"]
    node.add(config, pod)
    assert inside.link("eth0")["link_index" if home is node.shown else "link"] == (
        home.link(UPLINK)["ifindex"] if home is node.shown else UPLINK
    )


def test_without_master_an_ipv6_default_route_serves(node: Runtime, pod: Pod, inside: Shown) -> None:
    node.shown.run(f"ip -6 route add default dev {UPLINK}")
    node.add({"cniVersion": "1.1.0", "name": "blue", "type": "macvlan"}, pod)
    assert inside.link("eth0")["link_index"] == node.shown.link(UPLINK)["ifindex"]


def test_without_master_and_default_route_it_is_refused(node: Runtime, pod: Pod, inside: Shown) -> None:
    config = {"cniVersion": "1.1.0", "name": "blue", "type": "macvlan", "ipam": node.given("10.1.2.3/24")}
    assert node.ask("ADD", config, pod).failed(7).startswith("master: ")
    assert inside.links() == set()
    assert node.verbs() == []


@pytest.mark.parametrize("mode", ["bridge", "private", "vepa", "passthru", ""])
def test_every_mode_is_made(mode: str, node: Runtime, pod: Pod, inside: Shown) -> None:
    config = macvlan(mode=mode)
    result = node.add(config, pod)
    assert inside.link("eth0")["linkinfo"]["info_data"]["mode"] == (mode or "bridge")
    node.check(config, pod, result)


def test_the_mtu_is_the_masters_unless_it_is_given(node: Runtime, pod: Pod, inside: Shown) -> None:
    node.shown.run(f"ip link set {UPLINK} mtu 1450")
    assert node.add(macvlan(), pod)["interfaces"][0]["mtu"] == 1450 == inside.link("eth0")["mtu"]


def test_the_broadcast_queue_is_as_long_as_it_says(node: Runtime, pod: Pod, inside: Shown) -> None:
    node.add(macvlan(bcqueuelen=200), pod)
    assert inside.link("eth0")["linkinfo"]["info_data"]["bcqueuelen"] == 200


def test_the_macs_sources_rank(node: Runtime, make_pod: MakePod) -> None:
    def mac(name: str, *, arguments: str = "", **more: object) -> str:
        result = node.add(macvlan(**more), make_pod(name), CNI_ARGS=f"IgnoreUnknown=1;{arguments}")
        return str(result["interfaces"][0]["mac"])

    argument, of_args, of_runtime = f"MAC={MAC}", {"cni": {"mac": OTHER_MAC}}, {"mac": THIRD_MAC}
    assert mac("configured", mac="02:00:5e:00:00:04") == "02:00:5e:00:00:04"
    assert mac("argument", mac=OTHER_MAC, arguments=argument) == MAC
    assert mac("args", args=of_args, arguments=argument) == OTHER_MAC
    assert mac("runtime", args=of_args, arguments=argument, runtimeConfig=of_runtime) == THIRD_MAC


@pytest.mark.parametrize("version", VERSIONS[2:])
@pytest.mark.parametrize("source", ["CNI_ARGS", "runtimeConfig"])
def test_the_mac_that_is_asked_for_is_in_the_result(
    version: str, source: str, place: dict[str, bool], node: Runtime, pod: Pod, inside: Shown
) -> None:
    config = macvlan(version, **place)
    if source == "runtimeConfig":
        result = node.add({**config, "runtimeConfig": {"mac": MAC.upper()}}, pod)
    else:
        result = node.add(config, pod, CNI_ARGS=f"IgnoreUnknown=true;MAC={MAC}")
    assert result["interfaces"][0]["mac"] == MAC == inside.link("eth0")["address"]


def test_dns_of_ipam_is_passed_on(node: Runtime, pod: Pod) -> None:
    """BUG of the reference: only the configuration's own dns is."""
    dns = {"nameservers": ["192.0.2.53"]}
    assert node.add(macvlan(ipam=node.given("10.1.2.3/24", dns=dns)), pod)["dns"] == dns


def test_failed_ipam_leaves_no_link(node: Runtime, pod: Pod, inside: Shown) -> None:
    """BUG of the reference: the link stays, and a second ADD fails with "file exists"."""
    node.program("given", node.runtime_path, ADD={"status": 1, "stdout": '{"code": 42, "msg": "none left"}'})
    config = macvlan(ipam={"type": "given"})
    assert node.ask("ADD", config, pod).failed(42) == "none left"
    assert inside.links() == set()
    assert node.verbs() == ["ADD", "DEL"]
    node.add(macvlan(ipam=node.given("10.1.2.3/24")), pod)


def test_a_refused_address_leaves_no_link(node: Runtime, pod: Pod, inside: Shown) -> None:
    """The same bug, one step later."""
    bad = macvlan(ipam=node.given("10.1.2.3/24", routes=[{"dst": "10.9.0.0/16", "gw": "10.1.2.1", "scope": 253}]))
    node.ask("ADD", bad, pod).failed(100)
    assert inside.links() == set()
    node.add(macvlan(ipam=node.given("10.1.2.3/24")), pod)


def test_ipam_that_gives_nothing_is_told_to_forget_it(node: Runtime, pod: Pod, inside: Shown) -> None:
    """BUG of the reference: what it had reserved leaks."""
    assert "no addresses" in node.ask("ADD", macvlan(ipam=node.given()), pod).failed(7)
    assert node.verbs() == ["ADD", "DEL"]
    assert inside.links() == set()


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"mode": "source"}, 7),
        ({"mode": "l2"}, 7),
        ({"mode": 4}, 6),
        ({"mtu": 1501}, 7),
        ({"mtu": -1}, 7),
        ({"master": "nowhere"}, 7),
        ({"master": 1}, 6),
        ({"bcqueuelen": -1}, 7),
        ({"linkInContainer": "true"}, 6),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_with_its_path_before_anything_happens(
    wrong: dict[str, Any], code: int, node: Runtime, pod: Pod, inside: Shown
) -> None:
    config = {**macvlan(ipam=node.given("10.1.2.3/24")), **wrong}
    assert node.ask("ADD", config, pod).failed(code).startswith(f"{next(iter(wrong))}")
    assert inside.links() == set()
    assert node.verbs() == []


def test_a_master_that_is_down_is_refused(node: Runtime, pod: Pod, inside: Shown) -> None:
    node.shown.run(f"ip link set {UPLINK} down")
    assert node.ask("ADD", macvlan(ipam=node.given("10.1.2.3/24")), pod).failed(7).startswith("master: ")
    assert inside.links() == set()
    assert node.verbs() == []


def test_a_master_in_another_namespace_is_not_found(node: Runtime, pod: Pod, inside: Shown) -> None:
    inside.run("ip link add elsewhere up type veth peer name other")
    assert "elsewhere" in node.ask("ADD", macvlan(master="elsewhere"), pod).failed(7)
    assert node.ask("ADD", macvlan(linkInContainer=True), pod).failed(7).startswith("master: ")


def test_a_second_passthru_on_one_master_is_refused_in_words(node: Runtime, make_pod: MakePod) -> None:
    config = macvlan(mode="passthru", ipam=node.given("10.1.2.3/24"))
    node.add(config, make_pod("first"))
    message = node.ask("ADD", config, make_pod("second")).failed(100)
    assert f"macvlan eth0 on {UPLINK}" in message
    assert f"a macvlan in passthru mode wants {UPLINK} for itself" in message
    assert node.verbs() == ["ADD", "ADD", "DEL"]


def test_a_master_that_something_else_has_taken_is_refused_in_words(node: Runtime, pod: Pod, inside: Shown) -> None:
    node.shown.run(f"ip link add br0 type bridge && ip link set {UPLINK} master br0")
    message = node.ask("ADD", macvlan(ipam=pool(node)), pod).failed(100)
    assert f"cannot add macvlan eth0 on {UPLINK}: Device or resource busy; a link cannot carry a macvlan" in message
    assert f"is a port of a bridge or a bond, as {UPLINK} may" in message
    assert (inside.links(), node.reserved("blue")) == (set(), {})


def test_check_finds_another_queue_and_another_mtu(node: Runtime, pod: Pod, inside: Shown) -> None:
    """Results before 1.1.0 do not tell the MTU; the configuration does."""
    config = macvlan("1.0.0", bcqueuelen=200, mtu=1400)
    result = node.add(config, pod)
    node.check(config, pod, result)
    inside.run("ip link set eth0 mtu 1300 && ip link set eth0 type macvlan bcqueuelen 300")
    message = node.difference(config, pod, result)
    assert "its MTU is 1300, not 1400" in message
    assert "its bcqueuelen is 300, not 200" in message


def test_a_macvlan_on_a_macvlan_passes_its_check(node: Runtime, pod: Pod) -> None:
    """The kernel puts it beside its master, on what that stands on."""
    node.shown.run(f"ip link add mv0 link {UPLINK} up type macvlan mode bridge")
    config = macvlan(master="mv0")
    node.check(config, pod, node.add(config, pod))


def test_pods_of_one_master_reach_each_other(node: Runtime, make_pod: MakePod) -> None:
    config = macvlan(ipam=pool(node))
    first, second = make_pod("first"), make_pod("second")
    [address] = [ip["address"].split("/")[0] for ip in node.add(config, first)["ips"]]
    node.add(config, second)
    assert Shown(second.netns).reaches(address)
