"""whereabouts on a real API server: many ADDs at once on one pool, and one in a pool of thousands of entries."""

from __future__ import annotations

import json
import re
import socket
import ssl
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

from bench.measure import Failed, compare, execute
from bench.row import Bench, Row
from bench.runtime import VERSION
from tests.cluster.apiserver import ApiServer
from tests.cluster.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.measure import Cost, Round, Samples
    from bench.runtime import Config, Runtime

AT_ONCE = (1, 8, 64, 256)
QUICK_AT_ONCE = (1, 8)
TAKEN = (1_000, 8_000)
QUICK_TAKEN = (1_000,)
MOST_CALLS = 8.0
MOST_MILLISECONDS = 4_000.0
"""For 64 at once; Whereabouts took 37 s and 31 calls each on a server that answers within 2 ms."""
QUIET_CALLS = 2.0
TRIES = 2
"""A runtime tries again what the API server had no time for; on a busy machine 256 are too many."""
BUDGET = 1.3
MOST_KIB = 8.0
"""Both ways; half of it is TLS's own: certificates, and what it adds to each message."""
METRIC = re.compile(r'^apiserver_request_total\{.*resource="(?:ippools|overlapping\w+)".*\} (\S+)$', re.MULTILINE)


def measure(bench: Bench) -> list[Row]:
    directory = bench.ours.data / "api-server"
    with ApiServer(directory) as server, ExitStack() as roads:
        cluster = Cluster(server.address, directory, "bench")
        roads.callback(cluster.close)
        world = Nodes(bench.ours, cluster)
        rows = [row for count in (QUICK_AT_ONCE if bench.quick else AT_ONCE) for row in crowd(world, count)]
        for taken in QUICK_TAKEN if bench.quick else TAKEN:
            rows += beside(bench, world, taken)
        return rows


class Nodes:
    """Configurations of nodes that share the server, and the server's own count of what it was asked."""

    def __init__(self, runtime: Runtime, cluster: Cluster) -> None:
        self.runtime = runtime
        self.cluster = cluster
        self._kubeconfig = cluster.kubeconfig(style="json")
        self._count = 0

    def config(self, range_: str, node: str, kubeconfig: Path | None = None) -> Config:
        """A network on one node."""
        ipam = {
            "type": "whereabouts",
            "range": range_,
            "datastore": "kubernetes",
            "kubernetes": {"kubeconfig": str(kubeconfig or self._kubeconfig)},
            "node_name": node,
            "dataDir": str(self.runtime.data / "cluster" / node),
        }
        return {"cniVersion": VERSION, "name": "bench", "type": "whereabouts", "ipam": ipam}

    def fresh_range(self) -> str:
        """A /16 that nobody has used."""
        self._count += 1
        return f"10.{self._count}.0.0/16"

    def calls(self) -> float:
        """What the server was asked for so far, of pools and reservations."""
        return sum(float(number) for number in METRIC.findall(metrics(self.cluster)))

    def run(self, verb: str, config: Config, container: str) -> Cost:
        """One request; its container is a pod's of the same name."""
        environment = {
            **self.runtime.environment(verb),
            "CNI_CONTAINERID": container,
            "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={container}",
        }
        return execute(self.runtime.plugins / "whereabouts", environment, json.dumps(config).encode())[0]


def metrics(cluster: Cluster) -> str:
    """What the server tells of itself, in the form of Prometheus."""
    server = cluster.server
    request = Request(f"{server.url}/metrics", headers={"Authorization": f"Bearer {server.token}"})
    context = ssl.create_default_context(cafile=server.ca)
    with urlopen(request, context=context) as answer:
        return str(answer.read().decode())


def crowd(world: Nodes, count: int) -> list[Row]:
    """So many ADDs at once, of pods of one node that knows the pool, and of nodes that have never seen it."""
    rows = []
    for many_nodes in (False, True) if count > 1 else (False,):
        range_ = world.fresh_range()
        configs = [world.config(range_, f"node-{range_[:-3]}-{n if many_nodes else 0}") for n in range(count)]
        if not many_nodes:
            world.run("ADD", configs[0], "first")
        samples = at_once(world, configs)
        what = f"{count} ADDs at once, {'a node each, first of all' if many_nodes else 'one node'}"
        limited = count == 64
        rows.append(Row(f"{what}: until the last is done", {"wall": samples["wall"]}, absolute=True))
        if limited:
            rows[-1] = replace(rows[-1], budget=MOST_MILLISECONDS, judged=("wall",))
        rows.append(
            Row(f"{what}: one of them, p50 / p99", {"p50": samples["p50"], "p99": samples["p99"]}, absolute=True)
        )
        budget = (MOST_CALLS if limited else None) if many_nodes else QUIET_CALLS
        asked = {"asked": samples["asked"]}
        rows.append(Row(f"{what}: calls each", asked, absolute=True, budget=budget, judged=("asked",)))
    return rows


def at_once(world: Nodes, configs: list[Config]) -> Samples:
    """Start them all; how long all and each took, and what they asked for."""
    costs: list[Cost] = []
    failures: list[Failed] = []

    def work(number: int) -> None:
        begun = time.perf_counter()
        for attempt in range(TRIES):
            try:
                cost = world.run("ADD", configs[number], f"c{number}")
            except Failed as failure:
                if attempt == TRIES - 1:
                    failures.append(failure)
            else:
                costs.append(replace(cost, wall=(time.perf_counter() - begun) * 1000))
                return

    before = world.calls()
    begun = time.perf_counter()
    threads = [threading.Thread(target=work, args=[number]) for number in range(len(configs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = (time.perf_counter() - begun) * 1000
    if failures:
        print(f"bench: cluster: {len(failures)} of {len(configs)} gave up: {failures[0]}", file=sys.stderr)
    if not costs:
        raise failures[0]
    each = sorted(cost.wall for cost in costs)
    asked = (world.calls() - before) / len(configs)
    return {"wall": [wall], "p50": [median(each)], "p99": [each[len(each) * 99 // 100]], "asked": [asked]}


def beside(bench: Bench, world: Nodes, taken: int) -> list[Row]:
    """One ADD and its DEL in a quiet pool with so many entries, against an empty one."""
    sides: dict[str, Callable[[], Round]] = {}
    full_range, empty_range = world.fresh_range(), world.fresh_range()
    for side, range_, count in (("full", full_range, taken), ("empty", empty_range, 0)):
        entries = {
            str(number): {"id": f"{number:064x}", "podref": f"default/web-5d4f8c7b9d-{number:05d}", "ifname": "net1"}
            for number in range(1, count + 1)
        }
        world.cluster.add_pool(range_.replace("/", "-"), range_, entries)
        sides[side] = turn(world, world.config(range_, f"{side}-{taken}"))
    measured = compare(sides, bench.runs, bench.warmups)
    title = f"of {taken:,} entries".replace(",", " ")
    rows = [
        Row(f"{what} in a pool {title}, against an empty one", full, measured["empty"][step], BUDGET, judged=("cpu",))
        for step, what in (("ADD", "address"), ("DEL", "release"))
        for full in [measured["full"][step]]
    ]
    return [*rows, moved(world, full_range, taken, title)]


def turn(world: Nodes, config: Config) -> Callable[[], Round]:
    def add_and_delete() -> Round:
        return {"ADD": world.run("ADD", config, "pod"), "DEL": world.run("DEL", config, "pod")}

    return add_and_delete


def moved(world: Nodes, range_: str, taken: int, title: str) -> Row:
    """The bytes of one quiet ADD, both ways, TLS's own included but for its handshake."""
    with Meter(world.cluster.server.url) as meter:
        config = world.config(range_, f"full-{taken}", world.cluster.kubeconfig(style="json", server=meter.url))
        world.run("ADD", config, "first")  # another server, as it seems: the pool is read
        meter.bytes = 0
        world.run("ADD", config, "second")
    return Row(
        f"bytes of an ADD in a pool {title}",
        {"KiB": [meter.bytes / 1024]},
        absolute=True,
        budget=MOST_KIB,
        judged=("KiB",),
    )


class Meter:
    """A way to the server that counts what passes."""

    def __init__(self, server: str) -> None:
        host, _, port = server.removeprefix("https://").rpartition(":")
        self._server = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self.bytes = 0

    def __enter__(self) -> Meter:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=[source, target], daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                self.bytes += len(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return
