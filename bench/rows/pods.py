"""Pods that name their networks in an annotation, on a real API server, against the Go plugins, which ask nobody."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import TYPE_CHECKING

from bench.measure import Failed, compare, execute
from bench.row import Bench, Row
from bench.rows.cluster import metrics
from bench.rows.meta import one_by_one
from bench.runtime import Runtime, bridge, macvlan, multus
from bench.world import World, entered, netns
from tests.cluster.apiserver import ApiServer
from tests.cluster.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.measure import Cost, Round

COUNTS = (0, 1, 3, 8, 16)
CALLS = 2
"""The pod and its status; each definition is one more. What is delivered afterwards, Events, is not counted."""
CROWD, EACH = 16, 3
METRIC = re.compile(
    r'^apiserver_request_total\{.*resource="(?:pods|network-attachment-definitions)",scope="(?:namespace|resource)"'
    r'.*verb="(?:GET|LIST|PATCH)".*\} (\S+)$',
    re.MULTILINE,
)
"""Kubernetes 1.20 counts the GET of a custom resource as the LIST of its namespace."""
NETWORKS = "k8s.v1.cni.cncf.io/networks"


def measure(bench: Bench) -> list[Row]:
    directory = bench.ours.data / "pods-api-server"
    with ApiServer(directory) as server, ExitStack() as opened:
        cluster = Cluster(server.address, directory, "bench")
        opened.callback(cluster.close)
        site = Site(bench.ours, cluster)
        rows = [row for count in COUNTS for row in alone(bench, site, count)]
        return rows + crowd(bench, site, opened)


class Site:
    """Our node in the cluster: definitions, pods, and the requests that a runtime makes for them."""

    def __init__(self, runtime: Runtime, cluster: Cluster) -> None:
        self.runtime = runtime
        self.cluster = cluster
        self._config = multus(runtime, [bridge(runtime)])
        url = cluster.road(str(runtime.world.node), raw=True).url
        self._config["nadPaths"] = [str(runtime.data)]
        self._config["kubeconfig"] = str(cluster.kubeconfig(style="json", server=url))
        for number in range(max(COUNTS)):
            text = json.dumps(macvlan(runtime, number))
            cluster.create("network-attachment-definitions", f"net-{number}", spec={"config": text})

    def pod(self, name: str, count: int) -> str:
        """A pod that asks for so many networks; its UID."""
        asked = ",".join(f"net-{number}" for number in range(count))
        created = self.cluster.add_pod(name, annotations={NETWORKS: asked} if count else {})
        return str(created["metadata"]["uid"])

    def run(self, verb: str, pod: str, uid: str, world: World) -> Cost:
        """One request for a pod."""
        arguments = {"K8S_POD_NAMESPACE": self.cluster.namespace, "K8S_POD_NAME": pod, "K8S_POD_UID": uid}
        told = ";".join(f"{key}={value}" for key, value in {"IgnoreUnknown": "1", **arguments}.items())
        environment = {
            **self.runtime.environment(verb),
            "CNI_ARGS": told,
            "CNI_NETNS": str(world.pod),
            "CNI_CONTAINERID": pod,
        }
        with entered(world.node):
            return execute(self.runtime.plugins / "multus", environment, json.dumps(self._config).encode())[0]

    def calls(self) -> float:
        """What the server was asked for so far by runtimes' requests."""
        return sum(float(number) for number in METRIC.findall(metrics(self.cluster)))


def alone(bench: Bench, site: Site, count: int) -> list[Row]:
    """One pod with so many networks, attached and detached again and again."""
    name = f"pod-{count}"
    uid = site.pod(name, count)

    def turn() -> Round:
        return {verb: site.run(verb, name, uid, site.runtime.world) for verb in ("ADD", "DEL")}

    sides: dict[str, Callable[[], Round]] = {"ours": turn, "reference": lambda: one_by_one(bench.reference, count)}
    measured = compare(sides, bench.runs, bench.warmups)
    asked = {}
    for verb in ("ADD", "DEL"):
        before = site.calls()
        site.run(verb, name, uid, site.runtime.world)
        asked[verb] = site.calls() - before
    what = f"a pod with {count} networks"
    rows = [Row(f"{what} {verb}", measured["ours"][verb], measured["reference"][verb]) for verb in ("ADD", "DEL")]
    for verb, most in (("ADD", CALLS + count), ("DEL", 0)):
        samples = {"calls": [asked[verb]]}
        rows.append(Row(f"{what} {verb}: API calls", samples, absolute=True, budget=most, judged=("calls",)))
    return rows


def crowd(bench: Bench, site: Site, opened: ExitStack) -> list[Row]:
    """Many pods at once, each with its networks: until the last one is attached, and detached."""
    ours, reference = (
        [opened.enter_context(pod_of(side, number)) for number in range(CROWD)]
        for side in (bench.ours, bench.reference)
    )
    pods = [(name, site.pod(name, EACH)) for name in (f"crowd-{number}" for number in range(CROWD))]

    def attach(number: int, verb: str) -> None:
        site.run(verb, *pods[number], ours[number])

    def attach_and_detach_one_by_one(number: int, _: str) -> None:
        one_by_one(Runtime(bench.reference.plugins, reference[number], bench.reference.data, f"crowd-{number}"), EACH)

    runs = max(1, bench.runs // 6)
    walls: dict[str, list[float]] = {"ADD": [], "DEL": [], "both": []}
    for _ in range(runs):
        for verb in ("ADD", "DEL"):
            walls[verb].append(at_once(attach, verb))
        walls["both"].append(at_once(attach_and_detach_one_by_one, ""))
    together = [sum(pair) for pair in zip(walls["ADD"], walls["DEL"], strict=True)]
    what = f"{CROWD} pods x {EACH} networks at once"
    print(f"bench: pods: {what}: ADD {median(walls['ADD']):.0f}, DEL {median(walls['DEL']):.0f} ms", file=sys.stderr)
    return [
        *(Row(f"{what} {verb}: until the last", {"wall": walls[verb]}, absolute=True) for verb in ("ADD", "DEL")),
        Row(f"{what} ADD and DEL: until the last", {"wall": together}, {"wall": walls["both"]}),
    ]


@contextmanager
def pod_of(side: Runtime, number: int) -> Iterator[World]:
    """One more pod on a side's node."""
    world = World(side.world.node, side.data / f"pod-{number}")
    with netns(world.pod):
        yield world


def at_once(work: Callable[[int, str], None], verb: str) -> float:
    """Milliseconds until all pods are done."""
    failures: list[Failed] = []

    def one(number: int) -> None:
        try:
            work(number, verb)
        except Failed as failure:
            failures.append(failure)

    threads = [threading.Thread(target=one, args=[number]) for number in range(CROWD)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return (time.perf_counter() - begun) * 1000
