"""Requests that cannot be served: both say so in one JSON document, and leave everything as it was."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.differential.configs import ASKED, V4, V6, host_local, static
from tests.differential.intended import LEFT_BY_REFERENCE, REFUSED_BY_OURS, REFUSED_BY_REFERENCE
from tests.differential.side import UPLINK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.differential.pair import Pair
    from tests.differential.side import Answer, Config, Side


def nothing(side: Side) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Case:
    """A request, what is different in its environment, and what has happened on the node before it."""

    config: Config | str
    environment: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[Side], object] = nothing
    verb: str = "ADD"
    kind: str = ""


def bridge(**keys: object) -> Config:
    return {"cniVersion": "1.0.0", "name": "net", "type": "bridge", **keys}


def ptp(**keys: object) -> Config:
    return {"cniVersion": "1.0.0", "name": "net", "type": "ptp", **keys}


def macvlan(**keys: object) -> Config:
    return {"cniVersion": "1.0.0", "name": "net", "type": "macvlan", "master": UPLINK, **keys}


def tap(**keys: object) -> Config:
    return {"cniVersion": "1.0.0", "name": "net", "type": "tap", **keys}


def vlan(**keys: object) -> Config:
    return {"cniVersion": "1.0.0", "name": "net", "type": "vlan", "master": UPLINK, "vlanId": 100, **keys}


def ipvlan(**keys: object) -> Config:
    return {"cniVersion": "1.0.0", "name": "net", "type": "ipvlan", "master": UPLINK, **keys}


def tuning(**keys: object) -> Config:
    previous = {"cniVersion": "1.0.0", "interfaces": [{"name": "eth0"}], "ips": []}
    return {
        "cniVersion": "1.0.0",
        "name": "net",
        "type": "tuning",
        "dataDir": "DATA/tuning",
        "prevResult": previous,
        **keys,
    }


def bandwidth(**keys: object) -> Config:
    return {**tuning(), "type": "bandwidth", **keys}


def alone(ipam: object, **keys: object) -> Config:
    assert isinstance(ipam, dict)
    return {"cniVersion": "1.0.0", "name": "net", "type": ipam.get("type", "static"), "ipam": ipam, **keys}


def attach(config: Config, **environment: str) -> Callable[[Side], None]:
    """What came before: the same or another attachment."""

    def add(side: Side) -> None:
        side.call("ADD", config, environment=environment).succeeded()

    return add


def take_name(side: Side) -> None:
    side.kernel(side.pod).link("add", ifname="eth0", kind="bridge")


def host_device(**keys: object) -> Config:
    return {"cniVersion": "1.0.0", "name": "net", "type": "host-device", **keys}


def add_device(side: Side) -> None:
    side.kernel(side.node).link("add", ifname="dev0", kind="veth", peer="dev1")


def lead_everything_to_it(side: Side) -> None:
    add_device(side)
    kernel = side.kernel(side.node)
    index = kernel.link_lookup(ifname="dev0")[0]
    kernel.link("set", index=index, state="up")
    kernel.addr("add", index=index, address="192.0.2.1", prefixlen=24)
    kernel.route("add", dst="0.0.0.0/0", gateway="192.0.2.254")


def lend_device(side: Side) -> None:
    add_device(side)
    attach(host_device(device="dev0"))(side)


FULL = host_local([{"subnet": "10.1.2.0/29", "rangeStart": "10.1.2.3", "rangeEnd": "10.1.2.3"}])
OTHER_SUBNET = host_local([{"subnet": "10.7.7.0/24"}])

ENVIRONMENT = {
    "no container ID": Case(bridge(), {"CNI_CONTAINERID": ""}),
    "a container ID with a slash": Case(bridge(), {"CNI_CONTAINERID": "../x"}),
    "no interface": Case(bridge(), {"CNI_IFNAME": ""}),
    "an interface name that is too long": Case(bridge(), {"CNI_IFNAME": "interface-number0"}),
    "an interface name of dots": Case(bridge(), {"CNI_IFNAME": ".."}),
    "an interface name with a slash": Case(bridge(), {"CNI_IFNAME": "a/b"}),
    "an interface name with a colon": Case(bridge(), {"CNI_IFNAME": "eth0:1"}),
    "an interface name that is a template": Case(bridge(ipam=host_local(V4)), {"CNI_IFNAME": "net%d"}),
    "no namespace": Case(bridge(), {"CNI_NETNS": ""}),
    "a namespace that is not there": Case(bridge(ipam=host_local(V4)), {"CNI_NETNS": "/nonexistent/netns"}),
    "a namespace that is a file": Case(bridge(ipam=host_local(V4)), {"CNI_NETNS": "/etc/hostname"}),
    "the node's own namespace": Case(bridge(ipam=host_local(V4)), {"CNI_NETNS": "/proc/self/ns/net"}),
    "an unknown verb": Case(bridge(), verb="REPEAT"),
    "a verb in lower case": Case(bridge(), verb="add"),
    "no CNI_PATH": Case(bridge(ipam=host_local(V4)), {"CNI_PATH": ""}),
    "an argument that nobody knows": Case(bridge(ipam=host_local(V4)), {"CNI_ARGS": "COLOUR=blue"}),
    "arguments that are not pairs": Case(bridge(ipam=host_local(V4)), {"CNI_ARGS": "IgnoreUnknown=1;COLOUR"}),
    "an argument whose value has a sign": Case(bridge(ipam=host_local(V4)), {"CNI_ARGS": "IgnoreUnknown=1;LABEL=a=b"}),
    "a MAC that is none": Case(bridge(ipam=host_local(V4)), {"CNI_ARGS": "MAC=02:00"}),
}
DOCUMENT = {
    "nothing on standard input": Case("", kind="bridge"),
    "not JSON": Case("{", kind="bridge"),
    "a list": Case("[]", kind="bridge"),
    "more after the end": Case('{"cniVersion": "1.0.0", "name": "net", "type": "bridge"} x', kind="bridge"),
    "a version that is none": Case(bridge(cniVersion="one")),
    "a version of the future": Case(bridge(cniVersion="9.9.9")),
    "a version that is a number": Case(bridge(cniVersion=1)),
    "no name": Case(bridge(name="")),
    "a name with a path": Case(bridge(name="../../etc")),
    "a number for a name": Case(bridge(name=5)),
    "a string for a number": Case(bridge(mtu="1500")),
    "a string for a flag": Case(bridge(isGateway="yes")),
    "a list for ipam": Case(bridge(ipam=[])),
    "a prevResult of another time": Case(
        {**bridge(), "prevResult": {"cniVersion": "1.0.0", "ips": "none"}}, verb="CHECK"
    ),
    "CHECK before it was known": Case(bridge(cniVersion="0.3.1"), verb="CHECK"),
    "GC before it was known": Case(bridge(), verb="GC"),
    "STATUS before it was known": Case(bridge(), verb="STATUS"),
    "CHECK without prevResult": Case(bridge(), verb="CHECK"),
}
NETWORK = {
    "hairpin and promisc": Case(bridge(hairpinMode=True, promiscMode=True)),
    "addresses for an interface that stays down": Case(bridge(disableContainerInterface=True, ipam=host_local(V4))),
    "a VLAN below zero": Case(bridge(vlan=-100)),
    "a VLAN beyond the last": Case(bridge(vlan=5000)),
    "a trunk without its end": Case(bridge(vlanTrunk=[{"minID": 100}])),
    "a trunk without its beginning": Case(bridge(vlanTrunk=[{"maxID": 100}])),
    "a trunk that ends before it begins": Case(bridge(vlanTrunk=[{"minID": 200, "maxID": 100}])),
    "a trunk that begins too early": Case(bridge(vlanTrunk=[{"minID": 0, "maxID": 100}])),
    "a trunk that ends too late": Case(bridge(vlanTrunk=[{"minID": 1, "maxID": 4095}])),
    "a trunk of no VLAN": Case(bridge(vlanTrunk=[{"id": 0}])),
    "a trunk of too high a VLAN": Case(bridge(vlanTrunk=[{"id": 5000}])),
    "a backend that is none": Case(bridge(isGateway=True, ipMasq=True, ipMasqBackend="tables", ipam=host_local(V4))),
    "a bridge that is something else": Case(bridge(bridge=UPLINK)),
    "a bridge whose name is too long": Case(bridge(bridge="a-bridge-with-a-long-name")),
    "an interface that is there": Case(bridge(ipam=host_local(V4)), before=take_name),
    "another gateway's bridge": Case(
        bridge(isGateway=True, ipam=host_local(V4)),
        before=attach(
            bridge(name="other", isGateway=True, ipam=OTHER_SUBNET), CNI_CONTAINERID="other", CNI_IFNAME="eth1"
        ),
    ),
    "an mtu that no link has": Case(bridge(mtu=100000, ipam=host_local(V4))),
    "a bridge in a version that cannot tell it": Case(bridge(cniVersion="0.2.0")),
    "an IPAM that is not there": Case(bridge(ipam={"type": "nonexistent"})),
    "an IPAM with a path": Case(bridge(ipam={"type": "../static"})),
    "an IPAM that gives nothing": Case(bridge(ipam={"type": "static"})),
    "an IPAM that fails": Case(bridge(ipam=host_local([{"subnet": "10.1.2.1/24"}]))),
    "a gateway where there is no room": Case(bridge(isGateway=True, ipam=static("10.1.2.3/32"))),
    "a ptp without IPAM": Case(ptp()),
    "a ptp whose IPAM fails": Case(ptp(ipam=host_local([{"subnet": "10.1.2.1/24"}]))),
    "a ptp to nowhere": Case(ptp(ipam=static("10.1.2.3/24"))),
    "a ptp with an address of no network": Case(ptp(ipam=static("10.1.2.3/32", gateway="10.1.2.1"))),
    "a ptp in an interface that is there": Case(ptp(ipam=host_local(V4)), before=take_name),
    "an mtu that no ptp has": Case(ptp(mtu=100000, ipam=host_local(V4))),
    "a backend that no ptp has": Case(ptp(ipMasq=True, ipMasqBackend="tables", ipam=host_local(V4))),
    "no master": Case(macvlan(master="nonexistent", ipam=host_local(V4))),
    "no default route to take the master from": Case(macvlan(master="", ipam=host_local(V4))),
    "a mode that is none": Case(macvlan(mode="loud", ipam=host_local(V4))),
    "an mtu above the master's": Case(macvlan(mtu=9000, ipam=host_local(V4))),
    "an mtu below zero": Case(macvlan(mtu=-100, ipam=host_local(V4))),
    "a macvlan that is there": Case(macvlan(ipam=host_local(V4)), before=take_name),
    "a macvlan in a version that cannot tell it": Case(macvlan(cniVersion="0.2.0")),
    "a macvlan whose IPAM fails": Case(macvlan(ipam=host_local([{"subnet": "10.1.2.1/24"}]))),
    "a macvlan whose IPAM gives nothing": Case(macvlan(ipam={"type": "static"})),
    "a second macvlan on a passthru master": Case(
        macvlan(ipam=host_local(V4), mac=ASKED),
        before=attach(macvlan(name="other", mode="passthru"), CNI_CONTAINERID="other", CNI_IFNAME="eth1"),
    ),
}
ADDRESSES = {
    "a subnet with host bits": Case(alone(host_local([{"subnet": "10.1.2.1/24"}]))),
    "a subnet without room": Case(alone(host_local([{"subnet": "10.1.2.0/31"}]))),
    "no ranges": Case(alone({"type": "host-local", "dataDir": "DATA/networks"})),
    "an empty set": Case(alone(host_local([]))),
    "a start outside": Case(alone(host_local([{"subnet": "10.1.2.0/24", "rangeStart": "10.1.3.1"}]))),
    "a start after the end": Case(
        alone(host_local([{"subnet": "10.1.2.0/24", "rangeStart": "10.1.2.9", "rangeEnd": "10.1.2.3"}]))
    ),
    "ranges that overlap": Case(alone(host_local([*V4, {"subnet": "10.1.0.0/16"}]))),
    "sets that overlap": Case(alone(host_local(V4, [{"subnet": "10.1.0.0/16"}]))),
    "two families in a set": Case(alone(host_local([*V4, *V6]))),
    "two of a family before it was known": Case(alone(host_local(V4, OTHER_SUBNET["ranges"][0]), cniVersion="0.2.0")),
    "no resolv.conf": Case(alone(host_local(V4, resolvConf="/nonexistent/resolv.conf"))),
    "an address outside": Case(alone(host_local(V4)), {"CNI_ARGS": "IP=10.9.9.9"}),
    "an address that is the gateway's": Case(alone(host_local(V4)), {"CNI_ARGS": "IP=10.1.2.1"}),
    "an address that is none": Case(alone(host_local(V4)), {"CNI_ARGS": "IP=ten"}),
    "an address that is taken": Case(
        alone(host_local(V4)),
        {"CNI_ARGS": "IP=10.1.2.2"},
        before=attach(alone(host_local(V4)), CNI_CONTAINERID="other"),
    ),
    "two addresses of one set": Case(alone(host_local(V4), args={"cni": {"ips": ["10.1.2.8", "10.1.2.9"]}})),
    "a pool that is full": Case(alone(FULL), before=attach(alone(FULL), CNI_CONTAINERID="other")),
    "a second address for the same": Case(alone(host_local(V4)), before=attach(alone(host_local(V4)))),
    "CHECK of an address that nobody has": Case(
        {**alone(host_local(V4)), "prevResult": {"cniVersion": "1.0.0", "ips": [{"address": "10.1.2.2/24"}]}},
        verb="CHECK",
    ),
    "an address without prefix": Case(alone({"type": "static", "addresses": [{"address": "10.1.2.3"}]})),
    "a static gateway that is none": Case(alone(static("10.1.2.3/24", gateway="ten"))),
    "static without ipam": Case(
        {"cniVersion": "1.0.0", "name": "net", "type": "static"}, {"CNI_ARGS": "IP=10.1.2.3/24"}
    ),
    "static without addresses": Case(alone({"type": "static"})),
    "an argument without prefix": Case(alone({"type": "static"}), {"CNI_ARGS": "IP=10.1.2.3"}),
    "two static ones of a family before it was known": Case(
        alone(static("10.1.2.3/24", "10.1.2.4/24"), cniVersion="0.2.0")
    ),
}
SETTING = {"net.ipv4.conf.IFNAME.proxy_arp": "1"}
TUNING = {
    "tuning without prevResult": Case(tuning(prevResult=None, mtu=1400), before=take_name),
    "tuning of an interface that is not there": Case(tuning(sysctl={"net.ipv4.ip_forward": "1"}, mtu=1400)),
    "a setting that is not there": Case(tuning(sysctl={"net.ipv4.conf.IFNAME.absent": "1"}), before=take_name),
    "a setting of the machine": Case(tuning(sysctl={"kernel.domainname": "x"}), before=take_name),
    "a setting that climbs": Case(tuning(sysctl={"net/../kernel/domainname": "x"}), before=take_name),
    "a setting that the kernel refuses": Case(
        tuning(sysctl={"net.ipv4.conf.IFNAME.proxy_arp": "much"}), before=take_name
    ),
    "a setting that stands twice": Case(
        json.dumps(tuning())[:-1] + ', "sysctl": {"net.core.somaxconn": "1", "net.core.somaxconn": "2"}}', kind="tuning"
    ),
    "a setting that is a number": Case(tuning(sysctl={"net.core.somaxconn": 1}), before=take_name),
    "an mtu that the link cannot have": Case(tuning(sysctl=SETTING, mtu=70000), before=take_name),
    "a MAC to change to that is none": Case(tuning(sysctl=SETTING, mac="02:00"), before=take_name),
    "a queue of negative length": Case(tuning(txQLen=-1), before=take_name),
    "CHECK of tuning without prevResult": Case(tuning(prevResult=None, mtu=1400), before=take_name, verb="CHECK"),
    "CHECK of an mtu that is another": Case(tuning(mtu=1400), before=take_name, verb="CHECK"),
}
RATES = {"ingressRate": 8_000_000, "ingressBurst": 800_000}
BANDWIDTH = {
    "a limit without prevResult": Case(bandwidth(prevResult=None, **RATES), before=take_name),
    "a rate without burst": Case(bandwidth(ingressRate=8000), before=take_name),
    "a burst without rate": Case(bandwidth(egressBurst=8000), before=take_name),
    "a burst of more than 4 GB": Case(bandwidth(egressRate=8000, egressBurst=34_359_738_360), before=take_name),
    "a rate below zero": Case(bandwidth(ingressRate=-1, ingressBurst=8000), before=take_name),
    "a rate that is a string": Case(bandwidth(ingressRate="8M", ingressBurst=8000), before=take_name),
    "a limit for an interface that is not there": Case(bandwidth(**RATES)),
    "a limit for what is no pair": Case(bandwidth(**RATES), before=take_name),
    "CHECK of a limit that was never set": Case(bandwidth(**RATES), before=take_name, verb="CHECK"),
    "a limit that was never set": Case(bandwidth(**RATES), verb="DEL"),
    "a limit that cannot be read any more": Case(bandwidth(ingressRate="8M"), verb="DEL"),
}
HOST_DEVICE = {
    "no device": Case(host_device(ipam=host_local(V4))),
    "a device that is not there": Case(host_device(device="nonexistent", ipam=host_local(V4))),
    "an address that no device has": Case(host_device(hwaddr=ASKED, ipam=host_local(V4))),
    "an address of a device that is none": Case(host_device(hwaddr="02:00", ipam=host_local(V4))),
    "a kernel path outside": Case(host_device(kernelpath="/etc", ipam=host_local(V4))),
    "a PCI device that is not there": Case(host_device(pciBusID="0000:ff:1f.7", ipam=host_local(V4))),
    "a device that nobody has to give": Case(
        host_device(runtimeConfig={"deviceID": "0000:ff:1f.7"}, ipam=host_local(V4))
    ),
    "a device whose IPAM fails": Case(
        host_device(device="dev0", ipam=host_local([{"subnet": "10.1.2.1/24"}])), before=add_device
    ),
    "a device that a pod has": Case(
        host_device(device="dev0", ipam=host_local(V4)),
        {"CNI_CONTAINERID": "other", "CNI_IFNAME": "eth1"},
        lend_device,
    ),
    "the device of the default route": Case(host_device(device="dev0"), before=lead_everything_to_it),
    "a device that was never moved": Case(host_device(device="dev0"), verb="DEL"),
    "a device that is gone with its namespace": Case(
        host_device(device="dev0"), {"CNI_NETNS": "/nonexistent/netns"}, verb="DEL"
    ),
    "no device any more": Case(host_device(), verb="DEL"),
    "CHECK of a device without prevResult": Case(host_device(device="dev0"), verb="CHECK"),
}
LINKS = {
    "a TAP device that is there": Case(tap(ipam=host_local(V4)), before=take_name),
    "a TAP device in a version that cannot tell it": Case(tap(cniVersion="0.2.0")),
    "a TAP device whose IPAM fails": Case(tap(ipam=host_local([{"subnet": "10.1.2.1/24"}]))),
    "a TAP device whose IPAM gives nothing": Case(tap(ipam={"type": "static"})),
    "a TAP device on a bridge that is not there": Case(tap(bridge="br0", ipam=host_local(V4))),
    "a TAP device with an mtu that none has": Case(tap(mtu=100000, ipam=host_local(V4))),
    "a TAP device with a label that nobody knows": Case(tap(selinuxContext="label", ipam=host_local(V4))),
    "a VLAN without master": Case(vlan(master="", ipam=host_local(V4))),
    "a VLAN of a master that is not there": Case(vlan(master="nonexistent", ipam=host_local(V4))),
    "a VLAN of a number that none has": Case(vlan(vlanId=4095, ipam=host_local(V4))),
    "a VLAN with an mtu above the master's": Case(vlan(mtu=9000, ipam=host_local(V4))),
    "an ipvlan of a mode that none has": Case(ipvlan(mode="l4", ipam=host_local(V4))),
    "an ipvlan on a master that is not there": Case(ipvlan(master="nonexistent", ipam=host_local(V4))),
    "an ipvlan after a plugin with two interfaces": Case(
        ipvlan(master="", prevResult={"cniVersion": "1.0.0", "interfaces": [{"name": "a"}, {"name": "b"}]})
    ),
    "a VLAN to delete whose master is gone": Case(vlan(master="nonexistent", ipam=host_local(V4)), verb="DEL"),
    "an ipvlan to delete without any master": Case(ipvlan(master="", ipam=host_local(V4)), verb="DEL"),
}
DELETING = {
    "nothing was added": Case(bridge(ipam=host_local(V4)), verb="DEL"),
    "no namespace any more": Case(
        bridge(ipam=host_local(V4)), {"CNI_NETNS": ""}, attach(bridge(ipam=host_local(V4))), "DEL"
    ),
    "the namespace is gone": Case(bridge(ipam=host_local(V4)), {"CNI_NETNS": "/nonexistent/netns"}, verb="DEL"),
    "the namespace is a file": Case(bridge(ipam=host_local(V4)), {"CNI_NETNS": "/etc/hostname"}, verb="DEL"),
    "tuning was never there": Case(tuning(mtu=1400, sysctl=SETTING), verb="DEL"),
    "tuning is gone with its namespace": Case(tuning(mtu=1400), {"CNI_NETNS": "/nonexistent/netns"}, verb="DEL"),
    "tuning with arguments that are no pairs": Case(tuning(mtu=1400), {"CNI_ARGS": "COLOUR"}, verb="DEL"),
    "the arguments are no pairs": Case(bridge(ipam=host_local(V4)), {"CNI_ARGS": "COLOUR"}, verb="DEL"),
    "an argument that nobody knows any more": Case(
        bridge(ipam=host_local(V4)), {"CNI_ARGS": "COLOUR=blue"}, verb="DEL"
    ),
    "the master is gone": Case(macvlan(master="nonexistent", ipam=host_local(V4)), verb="DEL"),
    "the ranges are gone": Case(alone({"type": "host-local", "dataDir": "DATA/networks"}), verb="DEL"),
    "the ranges are wrong": Case(alone(host_local([{"subnet": "10.1.2.1/24"}])), verb="DEL"),
    "a prevResult that is damaged": Case({**bridge(), "prevResult": {"cniVersion": "1.0.0", "ips": 5}}, verb="DEL"),
}
CASES = {**ENVIRONMENT, **DOCUMENT, **NETWORK, **ADDRESSES, **TUNING, **BANDWIDTH, **LINKS, **DELETING, **HOST_DEVICE}


@pytest.mark.parametrize(("name", "case"), CASES.items(), ids=CASES)
def test_what_cannot_be_served(pair: Pair, name: str, case: Case) -> None:
    pair.both(case.before)
    was = pair.both(reserved_and_shown)
    answers = pair.call(case.verb, case.config, kind=case.kind, environment=case.environment)
    for side, answer, before in zip((pair.ours, pair.theirs), answers, was, strict=True):
        mine = side is pair.ours
        refused, served = REFUSED_BY_OURS, REFUSED_BY_REFERENCE
        if not mine:
            refused, served = served, refused
        if name in served or (case.verb == "DEL" and name not in refused):
            assert answer.status == 0, f"{side.name}: {answer}"
            continue
        refuses(answer, mine=mine)
        expected = not mine and name in LEFT_BY_REFERENCE
        assert touched(side, before, patient=not expected) == expected, side.name
    on_purpose = name in {*LEFT_BY_REFERENCE, *REFUSED_BY_OURS, *REFUSED_BY_REFERENCE}
    kind = case.kind or (case.config["type"] if isinstance(case.config, dict) else "")
    pair.note(json.dumps({"type": kind, "name": name}), meant=int(on_purpose))


def reserved_and_shown(side: Side) -> dict[str, object]:
    """What the kernel shows, and the addresses that are reserved; not where the next search for one begins."""
    shown = side.shown()
    names = [path.rpartition("/")[2] for path in shown["files"] if not path.startswith("networks/.multus/")]
    return {**shown, "files": [name for name in names if not name.startswith(("lock", "last_reserved_ip."))]}


def refuses(answer: Answer, *, mine: bool) -> None:
    """The answer must be an error as the specification has it."""
    assert answer.status == 1, answer
    assert isinstance(answer.document["code"], int), answer
    assert answer.document["msg"], answer
    if mine:  # the reference has 999 for almost everything, and no version
        assert answer.document["code"] != 999, answer
        assert "cniVersion" in answer.document, answer


def touched(side: Side, before: dict[str, object], *, patient: bool) -> bool:
    """Whether anything is not as it was, once the kernel has had its time."""
    deadline = time.monotonic() + (20 if patient else 0)
    while side.start(reserved_and_shown, side).result() != before:
        if time.monotonic() > deadline:
            return True
        time.sleep(0.05)
    return False
