"""What the kernel shows of a namespace, read by pyroute2, in the form in which two of them can be compared.

Left out is what no plugin decides: indices, counters, link-local IPv6 addresses (they follow from random MACs).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.conftest import entered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyroute2 import IPRoute

LINK_FIELDS = ("IFLA_MTU", "IFLA_OPERSTATE", "IFLA_TXQLEN", "IFLA_GROUP", "IFLA_PROMISCUITY", "IFLA_IFALIAS")
# Which of the attributes of a bridge, a port and other kinds a plugin could have set; timers and identifiers are not.
DATA_FIELDS = (
    "IFLA_BR_STP_STATE",
    "IFLA_BR_VLAN_FILTERING",
    "IFLA_BR_VLAN_DEFAULT_PVID",
    "IFLA_BR_AGEING_TIME",
    "IFLA_BR_FORWARD_DELAY",
    "IFLA_BR_GROUP_FWD_MASK",
    "IFLA_BR_MCAST_SNOOPING",
    "IFLA_MACVLAN_MODE",
    "IFLA_MACVLAN_FLAGS",
    "IFLA_MACVLAN_BC_QUEUE_LEN",
    "IFLA_IPVLAN_MODE",
    "IFLA_VLAN_ID",
    "IFLA_VLAN_PROTOCOL",
    "IFLA_VRF_TABLE",
    "IFLA_TUN_OWNER",
    "IFLA_TUN_GROUP",
    "IFLA_TUN_TYPE",
    "IFLA_TUN_PI",
    "IFLA_TUN_VNET_HDR",
    "IFLA_TUN_PERSIST",
    "IFLA_TUN_MULTI_QUEUE",
    "IFLA_TUN_NUM_QUEUES",
)
PORT_FIELDS = (
    "IFLA_BRPORT_STATE",
    "IFLA_BRPORT_MODE",
    "IFLA_BRPORT_GUARD",
    "IFLA_BRPORT_PROTECT",
    "IFLA_BRPORT_FAST_LEAVE",
    "IFLA_BRPORT_LEARNING",
    "IFLA_BRPORT_UNICAST_FLOOD",
    "IFLA_BRPORT_MCAST_FLOOD",
    "IFLA_BRPORT_BCAST_FLOOD",
    "IFLA_BRPORT_PROXYARP",
    "IFLA_BRPORT_ISOLATED",
)
FLAGS = {
    1: "up",
    2: "broadcast",
    8: "loopback",
    0x80: "noarp",
    0x100: "promisc",
    0x200: "allmulti",
    0x1000: "multicast",
}
BUCKET = ("rate", "limit", "buffer")
INGRESS = 0xFFFFFFF1
SYSCTLS = {
    "ipv4": ("arp_notify", "accept_local", "rp_filter", "route_localnet", "proxy_arp"),
    "ipv6": (
        "accept_dad",
        "accept_ra",
        "autoconf",
        "disable_ipv6",
        "enhanced_dad",
        "keep_addr_on_down",
        "ndisc_notify",
        "proxy_ndp",
    ),
}
GLOBAL_SYSCTLS = ("ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv6/conf/all/accept_ra")


def shown(kernel: IPRoute, netns: str = "") -> dict[str, Any]:
    """Links, addresses, routes, rules, settings and queues of the namespace that `kernel` was opened in."""
    links = {link["index"]: link for link in kernel.get_links()}
    names = {index: link.get_attr("IFLA_IFNAME") for index, link in links.items()}
    if netns:
        with entered(netns):
            settings = dict(_settings(names.values()))
    else:
        settings = dict(_settings(names.values()))
    return {
        "links": {names[index]: _link(link, names) for index, link in links.items()},
        "addresses": dict(_addresses(kernel, names)),
        "routes": dict(_routes(kernel, names)),
        "rules": dict(_rules(kernel)),
        "settings": settings,
        "traffic": dict(_traffic(kernel, names)),
    }


def _link(link: Any, names: dict[int, str]) -> dict[str, Any]:
    info = link.get_attr("IFLA_LINKINFO")
    data = info.get_attr("IFLA_INFO_DATA") if info else None
    is_port = info and info.get_attr("IFLA_INFO_SLAVE_KIND") == "bridge"
    port = info.get_attr("IFLA_INFO_SLAVE_DATA") if is_port else None
    return {
        "kind": info.get_attr("IFLA_INFO_KIND") if info else "",
        "mac": link.get_attr("IFLA_ADDRESS"),
        "flags": " ".join(word for bit, word in FLAGS.items() if link["flags"] & bit),
        "master": names.get(link.get_attr("IFLA_MASTER"), link.get_attr("IFLA_MASTER")),
        **{field: link.get_attr(field) for field in LINK_FIELDS},
        **({field: data.get_attr(field) for field in DATA_FIELDS} if data else {}),
        **({field: port.get_attr(field) for field in PORT_FIELDS} if port else {}),
    }


def _addresses(kernel: IPRoute, names: dict[int, str]) -> Iterator[tuple[str, Any]]:
    for address in kernel.get_addr():
        text = f"{address.get_attr('IFA_LOCAL') or address.get_attr('IFA_ADDRESS')}/{address['prefixlen']}"
        if text.startswith("fe80"):
            continue
        lifetime = address.get_attr("IFA_CACHEINFO") or {}
        yield (
            f"{text} {names[address['index']]}",
            {
                "scope": address["scope"],
                "flags": f"{address.get_attr('IFA_FLAGS') or address['flags']:#x}",
                "broadcast": address.get_attr("IFA_BROADCAST"),
                "peer": address.get_attr("IFA_ADDRESS"),
                "proto": address.get_attr("IFA_PROTO"),
                "valid": lifetime.get("ifa_valid"),
                "preferred": lifetime.get("ifa_preferred"),
            },
        )


def _routes(kernel: IPRoute, names: dict[int, str]) -> Iterator[tuple[str, Any]]:
    for family in (2, 10):
        for route in kernel.get_routes(family=family):
            destination = f"{route.get_attr('RTA_DST') or 'default'}/{route['dst_len']}"
            if destination.startswith(("fe80", "ff00")):
                continue
            table = route.get_attr("RTA_TABLE") or route["table"]
            device = names.get(route.get_attr("RTA_OIF"), "")
            key = (
                f"{destination} dev {device} table {table} type {route['type']} metric {route.get_attr('RTA_PRIORITY')}"
            )
            yield (
                f"IPv{4 if family == 2 else 6} {key}",
                {
                    "gateway": route.get_attr("RTA_GATEWAY"),
                    "scope": route["scope"],
                    "proto": route["proto"],
                    "source": route.get_attr("RTA_PREFSRC"),
                    "flags": f"{route['flags']:#x}",
                    "metrics": str(dict((route.get_attr("RTA_METRICS") or {}).get("attrs", []))),
                },
            )


def _rules(kernel: IPRoute) -> Iterator[tuple[str, Any]]:
    for family in (2, 10):
        for rule in kernel.get_rules(family=family):
            source = f"{rule.get_attr('FRA_SRC') or 'all'}/{rule['src_len']}"
            table = rule.get_attr("FRA_TABLE") or rule["table"]
            key = f"IPv{4 if family == 2 else 6} from {source} table {table} action {rule['action']}"
            yield (
                key,
                {
                    "priority": rule.get_attr("FRA_PRIORITY") or 0,
                    "l3mdev": rule.get_attr("FRA_L3MDEV"),
                    "proto": rule.get_attr("FRA_PROTOCOL"),
                },
            )


def _traffic(kernel: IPRoute, names: dict[int, str]) -> Iterator[tuple[str, Any]]:
    for qdisc in kernel.get_qdiscs():
        kind, place = qdisc.get_attr("TCA_KIND"), "incoming" if qdisc["parent"] == INGRESS else "outgoing"
        options = qdisc.get_attr("TCA_OPTIONS") if kind == "tbf" else None
        parameters = options.get_attr("TCA_TBF_PARMS") if options else {}
        yield (
            f"{place} by {names[qdisc['index']]}",
            {"kind": kind, "handle": f"{qdisc['handle'] >> 16:x}:", **{key: parameters.get(key) for key in BUCKET}},
        )


def _settings(names: Any) -> Iterator[tuple[str, str]]:
    for name in GLOBAL_SYSCTLS:
        yield name, _read(name)
    for link in names:
        for family, fields in SYSCTLS.items():
            for field in fields:
                yield f"{family}/conf/{link}/{field}", _read(f"{family}/conf/{link}/{field}")


def _read(name: str) -> str:
    with open(f"/proc/sys/net/{name}", encoding="ascii") as file:
        return file.read().strip()
