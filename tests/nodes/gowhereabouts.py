"""Whereabouts as a program: the peer of tests/ipam/whereabouts/cluster, executed by a Go plugin for addresses.

A file beside it says where the API server is: `{"url", "ca", "token", "namespace"}`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from cni_multus.cni.addressing import Cidr
from tests.cluster.client import Client
from tests.cluster.cluster import Cluster
from tests.ipam.whereabouts.cluster.peer import Peer

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """#!{python} -B
import sys
sys.path.insert(0, {root!r})
from tests.nodes.gowhereabouts import main
main({told!r})
"""


class Told(Cluster):
    """The namespace of the pools, as a program reaches it."""

    def __init__(self, url: str, ca: str, token: str, namespace: str) -> None:
        self.api = Client(url, Path(ca), token)
        self.namespace = namespace


def install(path: Path, told: Path, cluster: Cluster, netns: str) -> None:
    """Put the program at `path`, for processes of a network namespace."""
    server = cluster.server
    where = {"url": cluster.road(netns).url, "ca": str(server.ca), "token": server.token}
    told.write_text(json.dumps({**where, "namespace": cluster.namespace}))
    path.write_text(PROGRAM.format(python=sys.executable, root=str(ROOT), told=str(told)))
    path.chmod(0o755)


def main(told: str) -> None:
    """One request."""
    config = json.load(sys.stdin)
    ranges = (config["ipam"]["range"],)
    peer = Peer(Told(**json.loads(Path(told).read_text())), ranges)
    container, ifname = os.environ["CNI_CONTAINERID"], os.environ["CNI_IFNAME"]
    if os.environ["CNI_COMMAND"] == "DEL":
        peer.delete(container, ifname)
        return
    arguments = dict(pair.split("=", 1) for pair in os.environ["CNI_ARGS"].split(";"))
    podref = f"{arguments['K8S_POD_NAMESPACE']}/{arguments['K8S_POD_NAME']}"
    prefix = Cidr.parse(ranges[0]).prefix
    ips = [{"address": f"{ip}/{prefix}"} for ip in peer.add(podref, container, ifname)]
    json.dump({"cniVersion": config["cniVersion"], "ips": ips}, sys.stdout)
