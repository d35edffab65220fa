"""Where we mean to differ from the Go plugins, and why: the one list, held against every comparison.

A difference that no entry covers fails its test, and so does an entry that covers none.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from tests.differential.compare import ABSENT

if TYPE_CHECKING:
    from tests.differential.compare import Difference

ANY = object()


@dataclass(frozen=True, slots=True)
class Intended:
    """`where` is a pattern of paths; `ours` and `theirs`, where given, are the values that are meant."""

    where: str
    reason: str
    ours: object = ANY
    theirs: object = ANY
    versions: tuple[str, ...] = ()

    def covers(self, difference: Difference, version: str) -> bool:
        """Whether this is the difference that is meant."""
        return (
            fnmatchcase(difference.where, self.where)
            and self.ours in (ANY, difference.ours)
            and self.theirs in (ANY, difference.theirs)
            and (not self.versions or version in self.versions)
        )


BEFORE_1 = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0")

INTENDED = (
    # What ADD returns.
    Intended(
        "after ADD > result > interfaces > * > mtu",
        "1.1.0 knows `mtu`; the reference never fills it",
        theirs=ABSENT,
        versions=("1.1.0",),
    ),
    Intended(
        "after ADD > result > *routes > * > gw",
        "a route is told as it was made: IPAM left the gateway to the plugin",
        theirs=ABSENT,
    ),
    Intended(
        "after ADD > result > dns > nameservers > #0",
        "a macvlan without `dns` of its own tells its IPAM's, as a bridge does; the reference drops it",
        ours="10.9.0.53",
        theirs=ABSENT,
    ),
    Intended("after ADD > result > dns", "the same, where the version has an empty `dns`", ours=ABSENT, theirs={}),
    *(
        Intended(
            f"after ADD > result > {where}",
            "loopback's result has the form of the version asked for; the reference's is always that of 1.0.0",
            ours=ours,
            theirs=theirs,
            versions=versions,
        )
        for where, ours, theirs, versions in (
            ("dns", {}, ABSENT, BEFORE_1),
            ("ip4 > ip", "127.0.0.1/8", ABSENT, BEFORE_1[:2]),
            ("ip6 > ip", "::1/128", ABSENT, BEFORE_1[:2]),
            ("ips > #[01] > *", ABSENT, ANY, BEFORE_1[:2]),
            ("interfaces > #0 > *", ABSENT, ANY, BEFORE_1[:2]),
            ("ips > #0 > version", "4", ABSENT, BEFORE_1[2:]),
            ("ips > #1 > version", "6", ABSENT, BEFORE_1[2:]),
        )
    ),
    *(
        Intended(
            f"after ADD > result > routes > * > {field}",
            "a version's result has no fields that it does not know",
            ours=ABSENT,
            versions=("0.3.0", "0.3.1", "0.4.0", "1.0.0"),
        )
        for field in ("advmss", "mtu", "priority", "scope", "table")
    ),
    Intended(
        "after ADD > result > ip* > gateway",
        "an address that replaces a configured one keeps the gateway of its network",
        ours="10.9.0.1",
        theirs=ABSENT,
    ),
    # Links.
    Intended(
        "* > pod > links > eth0 > IFLA_GROUP", "a pod's links share a group: one message deletes them all", theirs=0
    ),
    Intended(
        "* > node > links > veth[*] > IFLA_IFALIAS",
        "a port says whose it is, for people and for garbage collection",
        theirs=None,
    ),
    Intended(
        "* > node > links > veth[*] > IFLA_TXQLEN",
        "the kernel's own; the reference passes on its library's zero",
        ours=1000,
        theirs=0,
    ),
    *(
        Intended(
            f"{where} > mac",
            "a bridge keeps the MAC that it was made with; the reference's takes a port's, and changes with the ports",
            ours=f"(MAC of {bridge} in the node)",
            theirs=theirs,
        )
        for bridge in ("cni0", "br-test")
        for where, theirs in (
            (f"after ADD > node > links > {bridge}", "(MAC of veth* in the node)"),
            ("after ADD > result > interfaces > #0", "(MAC of veth* in the node)"),
            (f"after DEL > node > links > {bridge}", "00:00:00:00:00:00"),
        )
    ),
    # Settings of the pod's interface.
    Intended(
        "after ADD > pod > settings > ipv6/conf/eth0/accept_ra",
        "IPAM owns the addresses: no router's advertisement adds others",
        ours="0",
        theirs="1",
    ),
    Intended(
        "after ADD > pod > settings > ipv6/conf/eth0/ndisc_notify",
        "neighbours learn of a new MAC behind an old address; the reference tells them for IPv4 only",
        ours="1",
        theirs="0",
    ),
    Intended(
        "after ADD > pod > settings > ipv4/conf/eth0/arp_notify",
        "the same for IPv4, where the reference tells them for some kinds only",
        ours="1",
        theirs="0",
    ),
    Intended(
        "after ADD > pod > settings > ipv6/conf/eth0/accept_dad",
        "IPAM owns the addresses: no interface waits a second for duplicates, as the reference's bridge already has it",
        ours="0",
        theirs="1",
    ),
    # Addresses.
    Intended(
        "after ADD > pod > addresses > * eth0 > flags",
        "IPAM owns the address: marked so that no duplicate is looked for whatever the setting (PERMANENT, NODAD)",
        ours="0x82",
        theirs="0x80",
    ),
    Intended(
        "* > node > addresses > *:* > flags",
        "a gateway answers at once; the reference's is tentative for its first seconds",
        ours="0x82",
    ),
    Intended(
        "* > node > routes > IPv6 2001:db8:* table 255 *",
        "what the kernel adds once the gateway's address is no longer tentative",
        theirs=ABSENT,
    ),
    # Routes.
    Intended(
        "after ADD > pod > routes > * > proto",
        "somebody's configuration (static), which routing daemons leave alone; the reference says boot",
        ours=4,
        theirs=3,
    ),
    # ptp.
    *(
        Intended(
            "after ADD > pod > addresses > * eth0 > flags",
            "no route of the kernel's to the network: what the reference makes and removes is not made (NOPREFIXROUTE)",
            ours=flags,
            theirs="0x80",
        )
        for flags in ("0x280", "0x282")
    ),
    Intended(
        "after ADD > pod > routes > * > flags",
        "a gateway of the network that is not the node is as good as on the link (onlink); the reference adds the "
        "route while the kernel's still says so",
        ours="0x4",
        theirs="0x0",
    ),
    Intended(
        "after ADD > node > routes > IPv4 * dev veth[*] * > scope",
        "the pod is on the link, not the node's own: scope link, as `ip route` makes it",
        ours=253,
        theirs=254,
    ),
    Intended(
        "after ADD > node > routes > * dev veth[*] * > proto",
        "somebody's configuration (static), as in the pod",
        ours=4,
        theirs=3,
    ),
    Intended(
        "after ADD > node > settings > ipv6/conf/veth[*]/accept_dad",
        "the node asks at once where the pod is, not only once it has looked for duplicates of its own address",
        ours="0",
        theirs="1",
    ),
    # dummy.
    Intended(
        "after ADD > pod > settings > ipv6/conf/eth0/accept_dad",
        "written whatever the kind of link; the kernel's own for one without ARP is -1, which does the same",
        ours="0",
        theirs="-1",
    ),
    # tap.
    *(
        Intended(
            f"after ADD > pod > links > eth0 > {field}",
            "whoever opens the device says how; with `owner` and `group` the reference makes it by another way",
            ours=0,
            theirs=1,
        )
        for field in ("IFLA_TUN_PI", "IFLA_TUN_VNET_HDR")
    ),
    Intended(
        "after ADD > pod > links > eth0 > IFLA_MTU",
        "`mtu` counts also with `owner` and `group`",
        ours=1404,
        theirs=1500,
    ),
    Intended(
        "after ADD > pod > addresses > 2001:db8:* eth0 > flags",
        "the address of a device that nobody has open yet serves; the reference's is tentative until somebody has",
        ours="0x82",
        theirs="0xc0",
    ),
    Intended(
        "after ADD > pod > routes > IPv6 2001:db8:* dev eth0 table 255 *",
        "the same: the kernel adds its route once an address is no longer tentative",
        theirs=ABSENT,
    ),
    # bandwidth.
    Intended(
        "after ADD > node > links > bwp[*] > IFLA_IFALIAS",
        "an ifb says whose it is, for people and for garbage collection",
        theirs=None,
    ),
    Intended(
        "after ADD > node > links > bwp[*] > IFLA_TXQLEN",
        "the kernel's own; the reference passes on its library's zero",
        ours=32,
        theirs=0,
    ),
    Intended(
        "after ADD > node > settings > ipv6/conf/bwp[*]/disable_ipv6",
        "an ifb passes on what others send, and sends nothing of its own",
        ours="1",
        theirs="0",
    ),
    Intended(
        "after ADD > node > traffic > outgoing by * > handle",
        "a bucket is told from somebody else's by its number, so that DEL takes no other",
        ours="b1d0:",
        theirs="1:",
    ),
    Intended(
        "after ADD > node > traffic > incoming by veth[*] > kind",
        "others can look at what comes in, and goes out, beside it",
        ours="clsact",
        theirs="ingress",
    ),
    Intended(
        "after ADD > node > traffic > outgoing by veth[*] > buffer",
        "a burst is given in bytes where its time does not fit 32 bits; the reference's comes out a third of it",
        ours=2415919091,
        theirs=2415919079,
    ),
    # tuning.
    Intended(
        "after ADD > pod > settings > ipv[46]/conf/eth0/proxy_*",
        "tuning's DEL gives settings back, not the link's attributes only",
        ours="0",
        theirs="1",
    ),
    Intended(
        "after ADD > files > tuning/c0ffee_eth0.json > #*",
        "what was there before: also the settings, and whose it is, so that GC can tell",
    ),
    Intended("after ADD > files", "the same, where there are settings alone", ours=ABSENT, theirs={}),
    # A device of the node that comes home: the reference brings it back down, and without what it had.
    *(
        Intended(f"after DEL > node > {where}", "a device comes back as it was", theirs=theirs)
        for where, theirs in (
            ("addresses > 192.0.2.1/24 dev0 > *", ABSENT),
            ("routes > * dev dev0 *", ABSENT),
            ("links > dev0 > flags", "broadcast multicast"),
            ("links > dev0 > IFLA_OPERSTATE", "DOWN"),
            ("traffic > outgoing by dev0 > *", ABSENT),
        )
    ),
    Intended(
        "after ADD > pod > routes > IPv6 * table 100 *",
        "sbr's table for an IPv4 address has no IPv6 routes, which no rule would find there",
        ours=ABSENT,
    ),
    Intended(
        "after ADD > pod > rules > IPv[46] from * > priority",
        "sbr's rules are asked in the order of the addresses; the kernel would put each new one before the others",
        ours=32000,
    ),
    Intended(
        "after ADD > pod > rules > IPv[46] from * > priority",
        "the same, for a second address",
        ours=32001,
    ),
    Intended(
        "after ADD > pod > links > blue > IFLA_GROUP", "a VRF goes with the links of its pod, by one message", theirs=0
    ),
    # Files.
    Intended(
        "* > files > networks/.multus/*",
        "the index of who has what, so that no request reads all reservations",
        theirs=ABSENT,
    ),
)


def unintended(found: list[Difference], version: str) -> tuple[list[Difference], set[int]]:
    """The differences that nobody meant, and the places of the entries that cover the others."""
    left, needed = [], set()
    for difference in found:
        place = next((at for at, entry in enumerate(INTENDED) if entry.covers(difference, version)), None)
        if place is None:
            left.append(difference)
        else:
            needed.add(place)
    return left, needed


# Requests that cannot be served, by the names that test_refusals.py has for them.

REFUSED_BY_REFERENCE = {
    "a limit for what is no pair": "any interface can be limited",
    "a limit that cannot be read any more": "DEL knows by the kernel what was limited",
    "a VLAN to delete whose master is gone": "DEL does not depend on the master",
    "an ipvlan to delete without any master": "DEL does not depend on the master",
    "tuning with arguments that are no pairs": "DEL does not depend on CNI_ARGS",
    "no CNI_PATH": "it is optional, and nothing is executed here",
    "an argument whose value has a sign": "the first sign ends the key",
    "a ptp with an address of no network": "the route to the network, which it wants to replace, is not there",
    "a subnet without room": "of a /31 both addresses serve (RFC 3021)",
    "a device that was never moved": "DEL has nothing to undo, also the second time",
    "a device that is gone with its namespace": "DEL does not depend on the namespace",
    "no device any more": "DEL knows by its record what to bring home",
    "the namespace is a file": "what is no namespace is a namespace that is gone: DEL has nothing to undo there",
    "the arguments are no pairs": "DEL does not depend on CNI_ARGS",
    "an argument that nobody knows any more": "DEL does not depend on CNI_ARGS",
    "the ranges are gone": "DEL knows by its files what was given",
    "the ranges are wrong": "DEL knows by its files what was given",
}

REFUSED_BY_OURS = {
    "a TAP device that is there": "the reference configures whatever has the name, and leaves its device under another",
    "a queue of negative length": "it would be one of 4294967295",
    "a gateway where there is no room": "the reference makes 10.1.2.4/32 the gateway, which 10.1.2.3/32 cannot reach",
    "the device of the default route": "the node would be cut off; `force` has the reference's way",
    "static without addresses": "an IPAM that gives nothing has failed, and knows why",
}

_BRIDGE = "the bridge is made before the request is understood, and stays"
_LINK = "the link is made before, and stays; a repeated ADD then fails because of it"
_SETTING = "the settings are written before, and stay"
_FORWARDING = "the node has been made to forward packets"
LEFT_BY_REFERENCE = {
    "a TAP device in a version that cannot tell it": _LINK,
    "a TAP device whose IPAM fails": _LINK,
    "a TAP device whose IPAM gives nothing": _LINK,
    "a TAP device on a bridge that is not there": _LINK,
    "a TAP device with an mtu that none has": _LINK,
    "tuning of an interface that is not there": _SETTING,
    "an mtu that the link cannot have": _SETTING,
    "a MAC to change to that is none": _SETTING,
    "an interface name that is a template": _BRIDGE,
    "a namespace that is not there": _BRIDGE,
    "a namespace that is a file": _BRIDGE,
    "the node's own namespace": "it is noticed after the IPAM has served, whose address stays reserved",
    "a MAC that is none": _BRIDGE,
    "an interface that is there": _BRIDGE,
    "another gateway's bridge": "the veth pair stays",
    "a backend that is none": "it is noticed last, and the veth pair stays",
    "a ptp to nowhere": _LINK,
    "a ptp with an address of no network": _LINK,
    "a backend that no ptp has": _LINK,
    "a ptp in an interface that is there": _FORWARDING,
    "an mtu that no ptp has": _FORWARDING,
    "a bridge in a version that cannot tell it": _LINK,
    "a device whose IPAM fails": "it stays in the pod",
    "an IPAM that is not there": _LINK,
    "an IPAM with a path": _LINK,
    "an IPAM that gives nothing": _LINK,
    "an IPAM that fails": _LINK,
    "a macvlan in a version that cannot tell it": _LINK,
    "a macvlan whose IPAM fails": _LINK,
    "a macvlan whose IPAM gives nothing": _LINK,
}
"""Where the reference refuses as well, and leaves something behind."""
