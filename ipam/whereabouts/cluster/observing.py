"""What exists in the cluster, of what an answer depends on: pods, claims and nodes, listed from the store.

A list without a resource version is what the store has at that moment, not what a server remembers. It has to be read
after what is judged by it: what an ADD wrote before is then the address of a pod that existed.
"""

from __future__ import annotations

import time

from cni_multus.cni.addressing import Ip
from cni_multus.cni.document import parse
from cni_multus.cni.errors import CniError
from cni_multus.kube.errors import NotFound, NotServed
from cni_multus.kube.objects import IPAM_CLAIMS, NODES, PODS
from ipam.whereabouts.cluster.evidence import Node, Pod, World
from ipam.whereabouts.cluster.naming import label_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from cni_multus.kube.client import Client

    Document = dict[str, object]

ENDED = ("Succeeded", "Failed")
NODES_AT_ONCE = 100
"""A Node is large: it lists its images."""

NETWORKS = "k8s.v1.cni.cncf.io/networks"
STATUS = "k8s.v1.cni.cncf.io/network-status"
_CLAIM = "ipam-claim-reference"
_OF_STATIC_PODS = ("kubernetes.io/config.hash", "kubernetes.io/config.mirror")
"""Annotations with the UID by which a kubelet, and so a runtime, calls a pod from a file."""

_OFF = "node.kubernetes.io/out-of-service"


def observe(client: Client, named: Collection[str], doubled: Collection[str]) -> World:
    """What there is of the pods `named` (`<namespace>/<name>`), with what those `doubled` show of their addresses."""
    world = World(time.time())
    # Who has ended does not begin again, so those who end meanwhile are merely not known to have.
    ended = {uid for phase in ENDED for uid in _ended_uids(client, phase)}
    for document in client.list(PODS.path(), metadata_only=True):
        _see_pod(world, document, named, ended)
    for ref in doubled:
        if ref in world.pods and not world.pods[ref].ended:
            _look_at(client, ref, world.pods[ref])
    _see_claims(client, world)
    for document in client.list(NODES.path(), limit=NODES_AT_ONCE):
        world.nodes[label_value(_text(_part(document, "metadata"), "name"))] = read_node(document)
    return world


def uids_of(document: Document) -> list[str]:
    """The UID of a pod and, of one from a file, the one by which its kubelet calls it, which is the last."""
    metadata = _part(document, "metadata")
    others = [_text(_part(metadata, "annotations"), key) for key in _OF_STATIC_PODS]
    return [one for one in (_text(metadata, "uid"), *others) if one]


def read_node(document: Document) -> Node:
    """A Node object; one that nobody has said anything of yet is ready."""
    taints = _part(document, "spec").get("taints")
    off = any(isinstance(taint, dict) and taint.get("key") == _OFF for taint in _list(taints))
    for condition in _list(_part(document, "status").get("conditions")):
        if isinstance(condition, dict) and condition.get("type") == "Ready" and condition.get("status") != "True":
            return Node(seconds(str(condition.get("lastTransitionTime", ""))), out_of_service=off)
    return Node(out_of_service=off)


def seconds(text: str) -> float:
    """`2026-01-31T12:00:00Z` as seconds since 1970; of what is none, the time at which the clock was read."""
    try:
        year, month, day = (int(part) for part in text[:10].split("-"))
        hour, minute, second = (int(part) for part in text[11:19].split(":"))
        return float(_days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second)
    except ValueError:
        return time.time()


def shown_addresses(text: str) -> dict[str, set[Ip]]:
    """The addresses of each interface in a network-status, with or without the length of a prefix."""
    found: dict[str, set[Ip]] = {}
    try:
        entries = _list(parse(text.encode(), STATUS))
    except CniError:
        return found
    for entry in entries:
        if isinstance(entry, dict):
            addresses = found.setdefault(str(entry.get("interface") or ""), set())
            addresses.update(ip for ip in map(_ip, _list(entry.get("ips"))) if ip)
    return found


def claims_named(text: str) -> list[str]:
    """The IPAMClaims that a selection of networks names."""
    if _CLAIM not in text:
        return []
    try:
        elements = _list(parse(text.encode(), NETWORKS))
    except CniError:
        return []
    named = [element.get(_CLAIM) for element in elements if isinstance(element, dict)]
    return [name for name in named if isinstance(name, str) and name]


def _see_pod(world: World, document: Document, named: Collection[str], ended: Collection[str]) -> None:
    metadata = _part(document, "metadata")
    namespace, uid = _text(metadata, "namespace"), _text(metadata, "uid")
    annotations = _part(metadata, "annotations")
    if uid not in ended:
        claims = claims_named(_text(annotations, NETWORKS))
        world.users.update(f"{namespace}/{claim}" for claim in claims)
    ref = f"{namespace}/{_text(metadata, 'name')}"
    if ref in named:
        world.pods[ref] = Pod(uids_of(document), ended=uid in ended, deleting="deletionTimestamp" in metadata)


def _look_at(client: Client, ref: str, pod: Pod) -> None:
    namespace, _, name = ref.partition("/")
    try:
        document = client.get(PODS.path(namespace, name))
    except NotFound:
        return
    pod.running = _part(document, "status").get("phase") == "Running"
    pod.addresses = shown_addresses(_text(_part(_part(document, "metadata"), "annotations"), STATUS))


def _see_claims(client: Client, world: World) -> None:
    try:
        for document in client.list(IPAM_CLAIMS.path(), metadata_only=True):
            metadata = _part(document, "metadata")
            world.claims[f"{_text(metadata, 'namespace')}/{_text(metadata, 'name')}"] = _text(metadata, "uid")
    except NotServed:
        return  # the cluster has no such kind, and so no claims


def _ended_uids(client: Client, phase: str) -> list[str]:
    found = client.list(PODS.path(), fields=f"status.phase={phase}", metadata_only=True)
    return [_text(_part(document, "metadata"), "uid") for document in found]


def _ip(value: object) -> Ip | None:
    try:
        return Ip.parse(str(value).partition("/")[0])
    except ValueError:
        return None


def _days(year: int, month: int, day: int) -> int:
    """Since 1970-01-01, in the Gregorian calendar; years begin in March, so that the odd day comes last."""
    year, month = (year, month - 3) if month > 2 else (year - 1, month + 9)
    return year * 365 + year // 4 - year // 100 + year // 400 + (month * 153 + 2) // 5 + day - 1 - 719468


def _part(document: Document, key: str) -> Document:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _text(document: Document, key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""
