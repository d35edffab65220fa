"""host-local by itself: results and files, on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.differential.configs import ROUTES, V4, V6, host_local

if TYPE_CHECKING:
    from tests.differential.pair import Versions
    from tests.differential.side import Config, Side


def alone(ipam: dict[str, Any], **keys: object) -> Config:
    return {"type": "host-local", "ipam": ipam, **keys}


SMALL = {"subnet": "10.1.2.0/29"}
TWO_RANGES = [
    {"subnet": "10.1.2.0/24", "rangeStart": "10.1.2.9", "rangeEnd": "10.1.2.20", "gateway": "10.1.2.30"},
    {"subnet": "10.1.4.0/24"},
]
EXTRAS = [{"dst": "198.51.100.0/24", "mtu": 1400, "advmss": 1360, "priority": 7, "table": 1000, "scope": 253}]
LAYOUTS = {
    "one set": alone(host_local(V4)),
    "IPv6": alone(host_local(V6)),
    "dual stack": alone(host_local(V4, V6)),
    "ranges": alone(host_local(TWO_RANGES, V6)),
    "inline": alone({"type": "host-local", "dataDir": "DATA/networks", "subnet": "10.1.2.0/24"}),
    "inline and ranges": alone({**host_local(V6), "subnet": "10.1.2.0/24", "rangeStart": "10.1.2.50"}),
    "smallest": alone(host_local([{"subnet": "10.1.2.0/30"}], [{"subnet": "2001:db8:1::/126"}])),
    "explicit bounds": alone(
        host_local([{"subnet": "10.1.2.0/24", "rangeStart": "10.1.2.0", "rangeEnd": "10.1.2.255"}])
    ),
    "gateway elsewhere": alone(host_local([{"subnet": "10.1.2.0/24", "gateway": "10.99.0.1"}])),
    "routes": alone(host_local(V4, V6, routes=ROUTES)),
    "route attributes": alone(host_local(V4, routes=EXTRAS)),
    "resolv.conf": alone(host_local(V4, resolvConf="DATA/resolv.conf")),
    "ipRanges": alone(host_local(V6), runtimeConfig={"ipRanges": [V4]}),
}
ASKED_FOR = {
    "CNI_ARGS": (alone(host_local(V4)), {"CNI_ARGS": "IgnoreUnknown=1;IP=10.1.2.99"}),
    "CNI_ARGS with prefix": (alone(host_local(V4)), {"CNI_ARGS": "IP=10.1.2.99/24"}),
    "args.cni": (alone(host_local(V4), args={"cni": {"ips": ["10.1.2.88"]}}), {}),
    "runtimeConfig": (alone(host_local(V4), runtimeConfig={"ips": ["10.1.2.77/16"]}), {}),
    "one of each set": (alone(host_local(V4, V6), args={"cni": {"ips": ["10.1.2.66", "2001:db8:1::66"]}}), {}),
    "the second range": (alone(host_local(TWO_RANGES)), {"CNI_ARGS": "IP=10.1.4.7"}),
}


def write_resolv_conf(side: Side) -> None:
    lines = ["# a comment", "nameserver 10.0.0.1", "nameserver 10.0.0.2", "domain one", "domain two"]
    lines += ["search a b", "search c", "options ndots:1", "options rotate", "; another"]
    (side.data / "resolv.conf").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("config", LAYOUTS.values(), ids=LAYOUTS)
def test_the_same_addresses(versions: Versions, config: Config) -> None:
    assert versions.attach_and_detach(config, before=write_resolv_conf) == {}


@pytest.mark.parametrize(("config", "environment"), ASKED_FOR.values(), ids=ASKED_FOR)
def test_the_same_addresses_where_some_are_asked_for(
    versions: Versions, config: Config, environment: dict[str, str]
) -> None:
    assert versions.attach_and_detach(config, environment=environment) == {}
