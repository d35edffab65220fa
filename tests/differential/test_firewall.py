"""firewall: the rules of iptables that both make, and which pods reach each other behind each."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.differential.configs import static
from tests.differential.pair import WITH_PREVIOUS

if TYPE_CHECKING:
    from tests.differential.pair import Pair
    from tests.differential.side import Config, Side

ADDRESSES = {
    "IPv4": ["10.1.2.3/24"],
    "IPv6": ["2001:db8::3/64"],
    "dual stack": ["10.1.2.3/24", "2001:db8::3/64"],
}
KEYS = {
    "nothing": {},
    "an admin chain": {"iptablesAdminChainName": "SITE-ADMIN"},
    "an open policy": {"ingressPolicy": "open"},
}


def firewall(version: str, **keys: object) -> Config:
    records = {"dataDir": "DATA/firewall"}  # the reference passes over it
    return {"cniVersion": version, "name": "net", "type": "firewall", "backend": "iptables", **records, **keys}


def told(version: str, addresses: list[str]) -> Config:
    """A result with these addresses, as the version has it."""
    ips: list[Config] = [{"address": address, "interface": 0} for address in addresses]
    result: Config = {"cniVersion": version, "interfaces": [{"name": "eth0", "sandbox": "/pod"}], "ips": ips}
    if version == "0.4.0":
        result["dns"] = {}
        for ip in ips:
            ip["version"] = "6" if ":" in ip["address"] else "4"
    return result


def uncommented(words: list[str]) -> list[str]:
    if "--comment" not in words:
        return words
    at = words.index("--comment")
    after = next(place for place in range(at + 1, len(words)) if words[place] in ("-j", "-m"))
    return words[: at - 2] + words[after:]


@pytest.mark.parametrize("version", WITH_PREVIOUS)
@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("addresses", ADDRESSES.values(), ids=ADDRESSES)
def test_the_same_rules_come_and_go(pair: Pair, version: str, keys: dict[str, Any], addresses: list[str]) -> None:
    config, previous = firewall(version, **keys), told(version, addresses)
    results = [answer.succeeded() for answer in pair.call("ADD", config, previous=previous)]
    assert results[0] == results[1] == previous
    ours, theirs = pair.both(rules)
    assert ours == theirs
    for answer in pair.call("CHECK", config, previous=previous):
        answer.succeeded()
    for answer in pair.call("DEL", config, previous=previous):
        answer.succeeded()
    ours, theirs = pair.both(rules)
    assert ours == theirs
    pair.note(json.dumps([config, previous["ips"]]))


def rules(side: Side) -> dict[str, list[list[str]]]:
    """The rules of each family's filter table, without their comments, which tell whose they are."""
    found = {}
    for program in ("iptables-save", "ip6tables-save"):
        done = subprocess.run([program, "-t", "filter"], capture_output=True, text=True, check=True)
        lines = [line.split() for line in done.stdout.splitlines() if line.startswith("-A")]
        found[program] = [uncommented(line) for line in lines]
    return found


@pytest.mark.parametrize("policy", ["open", "same-bridge"])
def test_the_same_bridges_reach_each_other(pair: Pair, policy: str) -> None:
    config = firewall("1.0.0", ingressPolicy=policy)
    reached = pair.both(lambda side: reaches_the_other_bridge(side, config))
    assert reached[0] == reached[1] == (policy == "open")
    pair.note(json.dumps(config))


def reaches_the_other_bridge(side: Side, config: Config) -> bool:
    """Whether packets of the pod's first interface get from its bridge to that of the second; both have the policy."""
    for ifname, bridge, address in (("eth0", "foo", "10.1.1.2/24"), ("eth1", "bar", "10.1.2.2/24")):
        gateway = address.replace(".2/24", ".1")
        maker = {
            "cniVersion": "1.0.0",
            "name": f"net-{bridge}",
            "type": "bridge",
            "bridge": bridge,
            "isGateway": True,
            "ipam": static(address, gateway=gateway),
        }
        environment = {"CNI_IFNAME": ifname}
        made = side.call("ADD", maker, environment=environment).succeeded()
        side.call("ADD", {**config, "name": f"net-{bridge}"}, previous=made, environment=environment).succeeded()
    node = (
        "ip route add 10.9.9.9 via 10.1.2.2 dev bar; "
        "nft add table ip seen; nft 'add chain ip seen out { type filter hook postrouting priority 0; }'; "
        "nft add rule ip seen out oifname bar ip daddr 10.9.9.9 counter"
    )
    subprocess.run(["sh", "-c", node], check=True)
    inside = ["nsenter", f"--net={side.pod}"]
    subprocess.run([*inside, "ip", "route", "add", "10.9.9.9", "via", "10.1.1.1", "dev", "eth0"], check=True)
    ping = [*inside, "ping", "-c", "1", "-W", "0.3", "10.9.9.9"]
    subprocess.run(ping, stdout=subprocess.DEVNULL, check=False)
    shown = subprocess.run(["nft", "list", "table", "ip", "seen"], capture_output=True, text=True, check=True).stdout
    return "packets 0" not in shown
