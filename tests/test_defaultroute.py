"""The default route, led elsewhere: what iproute2 shows of it, what is left of all others, and the way back."""

from __future__ import annotations

import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import CniError, InvalidNetworkConfig, NetlinkFailure
from cni_multus.cni.result import Result, Route
from cni_multus.defaultroute import Wanted, move, refuse_conflicts
from cni_multus.linux.links import add_veth
from cni_multus.linux.netns import Namespace
from tests.conftest import entered
from tests.node import settle
from tests.plugins.shown import Shown
from tests.stepping import killed_before

ADDRESSES = {"eth0": ("10.1.0.2/24", "fd01::2/64"), "net1": ("10.2.0.2/24", "fd02::2/64")}

OTHERS = {
    4: {
        "none": [],
        "one": ["default via 10.1.0.1 dev eth0"],
        "of every metric": [
            "default via 10.1.0.1 dev eth0",
            "default via 10.1.0.3 dev eth0 metric 50",
            "default via 10.2.0.1 dev net1 proto static metric 4096",
        ],
        "without a gateway": ["default dev eth0 scope link", "default dev net1 scope link metric 7"],
        "of one metric": [
            "default via 10.1.0.1 dev eth0 proto dhcp",
            "append default via 10.1.0.4 dev eth0 proto static",
            "append default via 10.1.0.3 dev eth0 proto static",
        ],
        "several ways": ["default nexthop via 10.1.0.1 dev eth0 weight 3 nexthop via 10.2.0.9 dev net1 weight 5"],
        "several ways, this one first": ["default nexthop via 10.2.0.1 dev net1 nexthop via 10.1.0.1 dev eth0"],
        "with everything": [
            "default via 10.1.0.1 dev eth0 proto 42 src 10.1.0.2 metric 5 mtu lock 1400 advmss 1300 realms 3/4",
            "default via 10.1.0.1 dev eth0 metric 6 initcwnd 20 quickack 1 rto_min 7ms congctl reno",
        ],
        "of a service class": ["tos 0x10 default via 10.1.0.1 dev eth0", "default via 10.1.0.1 dev eth0"],
        "onlink": ["default via 192.0.2.1 dev eth0 onlink"],
        "no way": ["blackhole default metric 9", "unreachable default metric 10", "prohibit default"],
        "the other family's": ["default via inet6 fe80::1 dev eth0"],
        "of a shared way": ["nexthop add id 5 via 10.1.0.1 dev eth0", "default nhid 5 metric 9 proto static"],
        "of a group of ways": [
            "nexthop add id 5 via 10.1.0.1 dev eth0",
            "nexthop add id 6 via 10.2.0.1 dev net1",
            "nexthop add id 7 group 5/6,3",
            "default nhid 7",
        ],
        "tunnelled": ["default via 10.1.0.1 dev eth0 encap ip id 7 dst 10.1.0.1 tos 0 ttl 5"],
    },
    6: {
        "none": [],
        "one": ["default via fd01::1 dev eth0"],
        "of every metric": [
            "default via fd01::1 dev eth0",
            "default via fe80::1 dev eth0 metric 50",
            "default via fd02::1 dev net1 proto static metric 4096",
            "default via fd02::1 dev net1 proto static metric 77",
        ],
        "without a gateway": ["default dev eth0", "default dev net1 metric 7"],
        "with and without a gateway": [
            "default via fd01::1 dev eth0 proto static",
            "append default dev eth0 proto static",
            "append default dev net1 proto static",
        ],
        "several ways": ["default nexthop via fd01::1 dev eth0 weight 3 nexthop via fd02::9 dev net1 weight 5"],
        "several ways, this one first": ["default nexthop via fd02::1 dev net1 nexthop via fd01::1 dev eth0"],
        "several ways, this one last": ["default nexthop via fd01::1 dev eth0 nexthop via fd02::1 dev net1"],
        "with everything": [
            "default via fd01::1 dev eth0 proto 42 src fd01::2 metric 5 mtu lock 1400 advmss 1300 initcwnd 20 pref low"
        ],
        "onlink": ["default via 2001:db8::1 dev eth0 onlink"],
        "of a shared way": ["nexthop add id 5 via fd01::1 dev eth0", "default nhid 5 proto static"],
        "of a group of ways": [
            "nexthop add id 5 via fd01::1 dev eth0",
            "nexthop add id 6 via fd02::1 dev net1",
            "nexthop add id 7 group 5/6,3",
            "default nhid 7",
        ],
        "no way": ["blackhole default metric 9", "unreachable default metric 10", "prohibit default"],
        "by a preferred router": ["default via fe80::1 dev eth0 proto ra pref high"],
    },
}

CASES = [pytest.param(family, case, id=f"IPv{family}: {case}") for family in OTHERS for case in OTHERS[family]]
GATEWAY = {4: Ip.parse("10.2.0.1"), 6: Ip.parse("fd02::1")}


@pytest.fixture
def pod(host: Namespace, container: Namespace) -> Shown:
    """A pod with two interfaces, each with addresses of both families, and no default route."""
    shown, peers = Shown(container.path), Shown(host.path)
    shown.run("ip link set lo up")
    for name, (v4, v6) in ADDRESSES.items():
        add_veth(host, f"of-{name}", peer=name, peer_namespace=container)
        peers.run(f"ip link set of-{name} up")
        shown.run(f"ip link set {name} up; ip addr add {v4} dev {name}; ip addr add {v6} dev {name} nodad")
    settle(container)
    return shown


def give(pod: Shown, family: int, routes: list[str]) -> None:
    for route in routes:
        words = route if route.startswith(("append ", "nexthop add")) else f"add {route}"
        pod.run(f"ip {words}" if words.startswith("nexthop") else f"ip -{family} route {words}")


def defaults(pod: Shown, family: int) -> list[str]:
    kinds = ("default", "blackhole", "unreachable", "prohibit")
    shown = pod.run(f"ip -{family} -d route show table main").splitlines()
    return [" ".join(line.split()) for line in shown if line.startswith((*kinds, "unicast default", "\t", " "))]


def is_ordinary(shown: list[str], family: int) -> bool:
    """Whether this is the one default route, with the kernel's own metric."""
    rest = " metric 1024 pref medium" if family == 6 else ""
    return shown in [
        [f"unicast default via {GATEWAY[family]} dev net1 proto {protocol} scope global{rest}"]
        for protocol in ("static", "boot")
    ]


@pytest.mark.parametrize(("family", "case"), CASES)
def test_all_others_go_and_come_back(pod: Shown, container: Namespace, family: int, case: str) -> None:
    other = 10 - family
    give(pod, family, OTHERS[family][case])
    give(pod, other, OTHERS[other]["several ways"])
    before, aside = defaults(pod, family), defaults(pod, other)
    everything = pod.everything()
    moved = move(container, [Wanted("net1", (GATEWAY[family],))], [])
    assert is_ordinary(defaults(pod, family), family)
    assert defaults(pod, other) == aside
    assert moved.take_back() == []
    assert defaults(pod, family) == before
    assert pod.everything() == everything


@pytest.mark.parametrize("family", [4, 6])
def test_one_that_is_there_already_stays_as_it_is(pod: Shown, container: Namespace, family: int) -> None:
    give(pod, family, [f"default via {GATEWAY[family]} dev net1 proto 42 mtu 1400"])
    before = defaults(pod, family)
    first, second = (move(container, [Wanted("net1", (GATEWAY[family],))], []) for _ in range(2))
    assert defaults(pod, family) == before
    assert second.take_back() == first.take_back() == []
    assert defaults(pod, family) == before


def test_both_families_lead_where_they_are_told_to(pod: Shown, container: Namespace) -> None:
    give(pod, 4, OTHERS[4]["of every metric"])
    give(pod, 6, OTHERS[6]["of every metric"])
    before = defaults(pod, 4), defaults(pod, 6)
    wanted = [Wanted("eth0", (Ip.parse("fd01::1"),)), Wanted("net1", (GATEWAY[4],))]
    refuse_conflicts(wanted)
    moved = move(container, wanted, [])
    assert is_ordinary(defaults(pod, 4), 4)
    assert [line.split(" proto")[0] for line in defaults(pod, 6)] == ["unicast default via fd01::1 dev eth0"]
    assert moved.take_back() == []
    assert (defaults(pod, 4), defaults(pod, 6)) == before


def test_a_link_local_gateway_leads_by_its_interface(pod: Shown, container: Namespace) -> None:
    move(container, [Wanted("net1", (Ip.parse("fe80::1"),))], [])
    [line] = defaults(pod, 6)
    assert line.startswith("unicast default via fe80::1 dev net1 ")


def test_routes_of_other_tables_and_prefixes_stay(pod: Shown, container: Namespace) -> None:
    give(pod, 4, ["default via 10.1.0.1 dev eth0 table 100", "0.0.0.0/1 via 10.1.0.1 dev eth0"])
    give(pod, 6, ["default from fd01::2 via fd01::1 dev eth0", "default via fd01::1 dev eth0 table 100"])
    before = pod.everything()["routes"]
    moved = move(container, [Wanted("net1", (GATEWAY[4], GATEWAY[6]))], [])
    after = pod.everything()["routes"]
    assert set(before) < set(after)
    assert len(after) == len(before) + 2
    moved.take_back()
    assert pod.everything()["routes"] == before


def test_nothing_wanted_changes_nothing(pod: Shown, container: Namespace) -> None:
    give(pod, 4, OTHERS[4]["of every metric"])
    before = pod.everything()
    result = Result(routes=[Route(Cidr.parse("0.0.0.0/0"), Ip.parse("10.1.0.1"))])
    assert move(container, [Wanted("net1", ())], [("eth0", result)]).take_back() == []
    assert pod.everything() == before
    assert len(result.routes) == 1


def test_a_gateway_on_the_link_need_not_be_in_the_main_table(pod: Shown, container: Namespace) -> None:
    """As `sbr` leaves it; or where IPAM gave an address alone, and its gateway beside it."""
    pod.run("ip route del 10.2.0.0/24 dev net1; ip -6 route del fd02::/64 dev net1")
    moved = move(container, [Wanted("net1", (GATEWAY[4], GATEWAY[6]))], [])
    assert [defaults(pod, family)[0].split(" proto")[0] for family in (4, 6)] == [
        "unicast default via 10.2.0.1 dev net1",
        "unicast default via fd02::1 dev net1",
    ]
    moved.take_back()
    pod.run("ip route add default via 192.0.2.1 dev net1 onlink metric 4096")
    move(container, [Wanted("net1", (Ip.parse("192.0.2.1"),))], [])
    [line] = defaults(pod, 4)
    assert line == "unicast default via 192.0.2.1 dev net1 proto static scope global onlink"


REFUSED: dict[str, tuple[str, str, type[CniError], str]] = {
    "in no subnet": (
        "10.9.0.1",
        "",
        InvalidNetworkConfig,
        "Network is unreachable: Nexthop has invalid gateway; 10.9.0.1 is in no subnet of net1 (10.2.0.2/24)",
    ),
    "in no subnet, IPv6": (
        "fd09::1",
        "",
        InvalidNetworkConfig,
        "No route to host; fd09::1 is in no subnet of net1 (fd02::2/64)",
    ),
    "another interface's": ("10.1.0.1", "", InvalidNetworkConfig, "10.1.0.1 is in no subnet of net1"),
    "an address alone": (
        "10.2.0.1",
        "ip addr del 10.2.0.2/24 dev net1; ip addr add 10.2.0.2/32 dev net1",
        InvalidNetworkConfig,
        "10.2.0.1 is in no subnet of net1 (10.2.0.2/32)",
    ),
    "its own": ("10.2.0.2", "", InvalidNetworkConfig, "that is its own address"),
    "its own, IPv6": ("fd02::2", "", InvalidNetworkConfig, "that is its own address"),
    "another interface's own, IPv6": ("fd01::2", "", NetlinkFailure, "Gateway can not be a local address"),
    "the network": ("10.2.0.255", "", NetlinkFailure, "Nexthop has invalid gateway"),
    "a group": ("224.0.0.1", "", InvalidNetworkConfig, "Nexthop has invalid gateway"),
    "nothing": ("0.0.0.0", "", InvalidNetworkConfig, "that is no gateway's address"),
    "nothing, IPv6": ("::", "", InvalidNetworkConfig, "that is no gateway's address"),
    "no IPv4": ("10.2.0.1", "ip -4 addr flush dev net1", InvalidNetworkConfig, "net1 has no IPv4 address"),
    "no IPv6": ("fd02::1", "ip addr del fd02::2/64 dev net1", InvalidNetworkConfig, "net1 has no IPv6 address"),
    "no IPv6 at all": (
        "fe80::1",
        "sysctl -q -w net.ipv6.conf.net1.disable_ipv6=1",
        InvalidNetworkConfig,
        "net1 has no IPv6 address",
    ),
    "down": ("10.2.0.1", "ip link set net1 down", NetlinkFailure, "Network is down: Nexthop device is not up"),
    "gone": ("10.2.0.1", "ip link del net1", NetlinkFailure, "container has no interface net1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_told_and_changes_nothing(pod: Shown, container: Namespace, case: str) -> None:
    gateway, prepare, kind, told = REFUSED[case]
    give(pod, 4, OTHERS[4]["several ways" if not prepare else "one"])
    give(pod, 6, OTHERS[6]["several ways" if not prepare else "one"])
    pod.run(prepare or "true")
    before = pod.everything()
    result = Result(routes=[Route(Cidr.parse("0.0.0.0/0"), Ip.parse("10.1.0.1"))])
    with pytest.raises(kind) as failure:
        move(container, [Wanted("net1", (Ip.parse(gateway),))], [("net1", result)])
    assert failure.value.message.startswith(f"cannot lead the default route through net1 via {gateway}: ")
    assert told in failure.value.message
    assert pod.everything() == before
    assert [str(route.gw) for route in result.routes] == ["10.1.0.1"]
    assert not failure.value.leftovers


def test_a_second_family_that_cannot_be_takes_the_first_back(pod: Shown, container: Namespace) -> None:
    give(pod, 4, OTHERS[4]["of every metric"])
    before = pod.everything()
    result = Result(routes=[Route(Cidr.parse("0.0.0.0/0"), Ip.parse("10.1.0.1"))])
    with pytest.raises(InvalidNetworkConfig, match="fd09::1 is in no subnet of net1"):
        move(container, [Wanted("net1", (GATEWAY[4], Ip.parse("fd09::1")))], [("eth0", result)])
    assert pod.everything() == before
    assert [str(route.gw) for route in result.routes] == ["10.1.0.1"]


def test_one_gateway_of_each_family_is_all_there_can_be() -> None:
    refuse_conflicts([Wanted("net1", (GATEWAY[4],)), Wanted("net2", (GATEWAY[6],)), Wanted("net3", ())])
    with pytest.raises(InvalidNetworkConfig, match=r"IPv4.*10\.2\.0\.1 by net1, 10\.3\.0\.1 by net2"):
        refuse_conflicts([Wanted("net1", (GATEWAY[4], GATEWAY[6])), Wanted("net2", (Ip.parse("10.3.0.1"),))])
    with pytest.raises(InvalidNetworkConfig, match=r"IPv6.*fd02::1 by net1, fe80::1 by net1"):
        refuse_conflicts([Wanted("net1", (GATEWAY[6], Ip.parse("fe80::1")))])


def test_the_results_say_what_is_so_then(pod: Shown, container: Namespace) -> None:
    def routes(*texts: str) -> list[Route]:
        return [Route(Cidr.parse(dst), Ip.parse(gw)) for dst, _, gw in (text.partition(" ") for text in texts)]

    def told(result: Result) -> list[str]:
        return [f"{route.dst} {route.gw} {route.table} {route.priority}" for route in result.routes]

    eth0 = Result(routes=routes("0.0.0.0/0 10.1.0.1", "10.9.0.0/16 10.1.0.1", "::/0 fd01::1"))
    net1 = Result(routes=routes("0.0.0.0/0 10.2.0.9", "0.0.0.0/0 10.2.0.8", "0.0.0.0/0 10.2.0.7"))
    net1.routes[0].priority, net1.routes[1].table, net1.routes[2].table = 4096, 254, 100
    before = told(eth0), told(net1)
    moved = move(container, [Wanted("net1", (GATEWAY[4],))], [("eth0", eth0), ("net1", net1)])
    assert told(eth0) == ["10.9.0.0/16 10.1.0.1 None 0", "::/0 fd01::1 None 0"]
    assert told(net1) == ["0.0.0.0/0 10.2.0.7 100 0", "0.0.0.0/0 10.2.0.1 None 0"]
    moved.take_back()
    assert (told(eth0), told(net1)) == before


def test_an_interface_that_goes_meanwhile_takes_its_route_along(pod: Shown, container: Namespace) -> None:
    give(pod, 4, ["default via 10.1.0.1 dev eth0", "default via 10.2.0.9 dev net1 metric 9"])
    moved = move(container, [Wanted("net1", (GATEWAY[4],))], [])
    pod.run("ip link del eth0")
    assert moved.take_back() == []
    [line] = defaults(pod, 4)
    assert line.startswith("unicast default via 10.2.0.9 dev net1 ")


@pytest.mark.parametrize("case", ["of every metric", "several ways, this one first"])
@pytest.mark.parametrize("family", [4, 6])
def test_killed_at_any_point_it_leaves_a_way_out_and_can_be_done_again(
    pod: Shown, container: Namespace, family: int, case: str
) -> None:
    def work() -> None:
        with Namespace.open(container.path) as own:
            move(own, [Wanted("net1", (GATEWAY[family],))], [])

    flush = f"ip -{family} route flush default"
    give(pod, family, OTHERS[family][case])
    number = 0
    while killed_before(work, number := number + 1):
        assert any("via" in line for line in defaults(pod, family)), number
        move(container, [Wanted("net1", (GATEWAY[family],))], [])
        assert is_ordinary(defaults(pod, family), family)
        pod.run(flush)
        give(pod, family, OTHERS[family][case])
    assert number > 20
    assert is_ordinary(defaults(pod, family), family)


def test_several_at_once_leave_one(pod: Shown, container: Namespace) -> None:
    give(pod, 4, OTHERS[4]["of every metric"])
    wanted = [("net1", "10.2.0.1"), ("eth0", "10.1.0.9"), ("net1", "10.2.0.7"), ("eth0", "10.1.0.1")]

    def work(ifname: str, gateway: str) -> None:
        with Namespace.open(container.path) as own:
            move(own, [Wanted(ifname, (Ip.parse(gateway),))], [])

    with ThreadPoolExecutor(len(wanted)) as threads:
        for done in [threads.submit(work, *one) for one in wanted * 3]:
            done.result()
    [line] = defaults(pod, 4)
    assert line.split(" proto")[0] in [f"unicast default via {gateway} dev {ifname}" for ifname, gateway in wanted]


def advertise(netns: str) -> None:
    """A router advertisement (RFC 4861, 4.2) of fe80::1 on `of-eth0`, for half an hour."""
    with entered(netns), socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as router:
        index = socket.if_nametoindex("of-eth0")
        router.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        router.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        router.bind(("fe80::1", 0, 0, index))
        router.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ("ff02::1", 0, 0, index))


def heard(pod: Shown, host: Namespace) -> bool:
    """Whether the pod takes what is advertised for its default route."""
    for _ in range(20):
        advertise(host.path)
        if any("via fe80::1 dev eth0 proto ra" in line for line in defaults(pod, 6)):
            return True
        time.sleep(0.05)
    return False


def test_what_a_router_advertised_goes_and_comes_back(pod: Shown, host: Namespace, container: Namespace) -> None:
    Shown(host.path).run("ip addr add fe80::1/64 dev of-eth0 nodad")
    assert heard(pod, host)
    moved = move(container, [Wanted("net1", (GATEWAY[6],))], [])
    assert not heard(pod, host)
    assert is_ordinary(defaults(pod, 6), 6)
    assert moved.take_back() == []
    [line] = defaults(pod, 6)
    assert "via fe80::1 dev eth0 proto ra" in line
    seconds = int(line.partition("expires ")[2].partition("sec")[0])
    assert 1700 < seconds <= 1800
    pod.run("ip -6 route flush default")
    assert heard(pod, host)


@pytest.mark.vm
def test_an_interface_of_a_vrf_cannot_be_the_way(pod: Shown, container: Namespace) -> None:
    pod.run("ip link add blue type vrf table 10 && ip link set blue up && ip link set net1 master blue")
    with pytest.raises(InvalidNetworkConfig, match="net1 is in the VRF blue"):
        move(container, [Wanted("net1", (GATEWAY[4],))], [])


def test_a_router_does_not_bring_another_one_back(pod: Shown, container: Namespace) -> None:
    pod.run("sysctl -q -w net.ipv6.conf.net1.accept_ra=0")
    moved = move(container, [Wanted("net1", (GATEWAY[6],))], [])
    assert pod.setting("ipv6/conf/eth0/accept_ra_defrtr") == "0"
    assert pod.setting("ipv6/conf/net1/accept_ra_defrtr") == "1"
    moved.take_back()
    assert pod.setting("ipv6/conf/eth0/accept_ra_defrtr") == "1"
