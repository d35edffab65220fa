"""One port of the node, mapped and given back, while others are mapped: ten, a thousand, ten thousand."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

from bench.measure import compare
from bench.row import Bench, Row
from bench.runtime import VERSION, Runtime
from bench.world import UPLINK, entered, make_world
from cni_multus.cni.addressing import Ip
from cni_multus.cni.request import Attachment
from cni_multus.hashes import digest
from cni_multus.linux.netns import Namespace
from cni_multus.linux.nftables import Changes
from cni_multus.linux.nftdata import JUMP
from cni_multus.linux.nftlists import list_chains
from cni_multus.marks import chain_name, comment
from cni_multus.portmaps.hostport import HELD, TO, WAY, Hostport

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measure import Round
    from bench.runtime import Config

BUDGET = 1.3
FEW = 10
PRESENT = (FEW, 1_000, 10_000)
FIRST_PORT = 20_000
POD = "10.80.0.5"
SLOW, SLOW_RUNS = 1_000, 3
"""From how many on the Go program takes seconds, and how often it is asked then."""


def measure(bench: Bench) -> list[Row]:
    rows = []
    with ExitStack() as worlds:

        def make(name: str, side: Runtime) -> Runtime:
            world = worlds.enter_context(make_world(side.data / name))
            with entered(world.node):
                execute(["ip", "addr", "add", "10.80.0.1/16", "dev", UPLINK])
            return Runtime(side.plugins, world, side.data)

        few = turn(fill_ours(make("portmap-few", bench.ours), range(FEW)))
        ours = make("portmap", bench.ours)
        by_nft = make("portmap-nftables", bench.reference)
        by_iptables = make("portmap-iptables", bench.reference)
        filled = 0
        for present in PRESENT:
            added = range(filled, present)
            filled = present
            sides = {
                "ours": turn(fill_ours(ours, added)),
                "few": few,
                "nftables": turn(fill_nftables(by_nft, added), "nftables"),
                "iptables": turn(fill_iptables(by_iptables, added), "iptables"),
            }
            slow = present >= SLOW
            measured = compare(sides, min(bench.runs, SLOW_RUNS) if slow else bench.runs, 1 if slow else bench.warmups)
            rows += of_present(f"{present:,}".replace(",", " "), measured)
        again = compare({"ours": turn(ours), "few": few}, bench.runs, bench.warmups)
        rows += [
            Row(
                f"portmap {step}, 10 000 ports mapped, against ten",
                again["ours"][step],
                again["few"][step],
                BUDGET,
            )
            for step in ("ADD", "DEL")
        ]
    return rows


def of_present(present: str, measured: dict[str, dict[str, dict[str, list[float]]]]) -> list[Row]:
    rows = []
    for step in ("ADD", "DEL"):
        for backend in ("nftables", "iptables"):
            title = f"portmap {step}, {present} ports mapped, against the Go portmap with {backend}"
            rows.append(Row(title, measured["ours"][step], measured[backend][step]))
    return rows


def turn(side: Runtime, backend: str = "nftables") -> Callable[[], Round]:
    """A port that leads to a pod, by portmap called by itself, and the DEL."""
    result: Config = {
        "cniVersion": VERSION,
        "interfaces": [{"name": "eth0", "sandbox": str(side.world.pod)}],
        "ips": [{"address": f"{POD}/16", "interface": 0}],
    }
    config: Config = {
        "cniVersion": VERSION,
        "name": "bench",
        "type": "portmap",
        "backend": backend,
        "runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]},
    }

    def map_and_give_back() -> Round:
        added, told = side.add({**config, "prevResult": result})
        return {"ADD": added, "DEL": side.delete(config, told)}

    return map_and_give_back


def fill_ours(side: Runtime, numbers: range) -> Runtime:
    """As many ADDs would leave it, in one transaction; the same side again."""
    turn(side)()  # the table, and the way that all go
    with entered(side.world.node), Namespace.host() as node:
        [way] = [name for name in list_chains(node, HELD) if name.startswith(WAY)]
        changes = Changes(HELD)
        for number in numbers:
            owner = Attachment("bench", f"{number:064x}", "eth0")
            chain, whose = chain_name(owner), comment(owner)
            port = Hostport("tcp", Ip(4, 0), FIRST_PORT + number, Ip.parse(address(number)), 80)
            name, key = port.place
            changes.add_chain(chain, whose)
            changes.add_rule(chain, comment=str(port))
            changes.add_element(name + TO, key, value=port.value)
            changes.add_element(name, key, verdict=JUMP, chain=way, comment=whose)
        changes.commit(node)
    return side


def fill_nftables(side: Runtime, numbers: range) -> Runtime:
    """As many ADDs of the Go program with nftables would leave it."""
    turn(side, "nftables")()
    lines = []
    for number in numbers:
        whose = f'comment "{number:064x}"'
        port, pod = FIRST_PORT + number, address(number)
        lines += [
            f"add rule ip cni_hostport hostports tcp dport {port} dnat to {pod}:80 {whose}",
            f"add rule ip cni_hostport masquerading ip saddr {pod} ip daddr {pod} masquerade {whose}",
            f"add rule ip cni_hostport masquerading ip saddr 127.0.0.1 ip daddr {pod} masquerade {whose}",
        ]
    with entered(side.world.node):
        execute(["nft", "-f", "-"], "\n".join(lines))
    return side


def fill_iptables(side: Runtime, numbers: range) -> Runtime:
    """As many ADDs of the Go program with iptables would leave it."""
    turn(side, "iptables")()
    heads, rules = [], []
    for number in numbers:
        container, port = f"{number:064x}", FIRST_PORT + number
        chain = f"CNI-DN-{digest('bench' + container, 21)}"
        whose = f'-m comment --comment "dnat name: \\"bench\\" id: \\"{container}\\""'
        sent = f"-p tcp -m tcp --dport {port}"
        heads.append(f":{chain} - [0:0]")
        rules += [
            f"-A CNI-HOSTPORT-DNAT -p tcp {whose} -m multiport --dports {port} -j {chain}",
            f"-A {chain} -s 10.80.0.0/16 {sent} -j CNI-HOSTPORT-SETMARK",
            f"-A {chain} -s 127.0.0.1/32 {sent} -j CNI-HOSTPORT-SETMARK",
            f"-A {chain} {sent} -j DNAT --to-destination {address(number)}:80",
        ]
    with entered(side.world.node):
        execute(["iptables-restore", "--noflush"], "\n".join(["*nat", *heads, *rules, "COMMIT", ""]))
    return side


def address(number: int) -> str:
    """A pod's address."""
    return f"10.80.{64 + number // 250}.{1 + number % 250}"


def execute(command: list[str], stdin: str = "") -> None:
    subprocess.run(command, input=stdin, text=True, check=True, stdout=subprocess.DEVNULL)
