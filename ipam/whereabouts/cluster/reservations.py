"""An OverlappingRangeIPReservation: an address is somebody's, whatever the range.

Its name is the address, so the one who makes it has the address; the API server sees to it that there is one. Peers
read podref only and never write what they did not make: what else is known of the holder stands in labels and in an
annotation.
"""

from __future__ import annotations

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object, print_compact
from cni_multus.cni.errors import CniError
from cni_multus.kube.errors import NotFound
from cni_multus.kube.objects import RESERVATIONS
from cni_multus.state.leases.lease import Lease
from ipam.whereabouts.cluster.naming import HOLDER, NETWORK, NODE, POD_UID, label_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.kube.client import Client
    from ipam.whereabouts.cluster.entry import Entry

    Document = dict[str, object]


class Reservation:
    """One as it was read; members that it does not have are ""."""

    __slots__ = ("container", "created", "holder", "ifname", "name", "network", "node", "pod_uid", "podref", "uid")

    def __init__(self, document: Document) -> None:
        metadata, spec = _object(document, "metadata"), _object(document, "spec")
        self.name = _text(metadata, "name")
        self.uid = _text(metadata, "uid")
        self.created = _text(metadata, "creationTimestamp")
        self.podref = _text(spec, "podref")
        self.ifname = _text(spec, "ifname")
        self.container = _text(spec, "containerid")
        labels = _object(metadata, "labels")
        self.pod_uid = _text(labels, POD_UID)
        self.node = _text(labels, NODE)
        self.network = _text(labels, NETWORK)
        self.holder = _lease(_text(_object(metadata, "annotations"), HOLDER))

    @staticmethod
    def parse(document: Document) -> Reservation:
        """Read an object, whoever wrote it."""
        return Reservation(document)

    def is_of(self, entry: Entry, pod_uid: str) -> bool:
        """Whether it is for this pod and interface: no other pod of the name, as far as it is told."""
        if (self.podref, self.ifname) != (entry.podref, entry.ifname):
            return False
        if self.holder and self.holder.holder.claim:
            return self.container == entry.id  # a claim's: which pod uses it does not matter, its UID does
        return not self.pod_uid or not pod_uid or self.pod_uid == label_value(pod_uid)

    def __str__(self) -> str:
        return f"pod {self.podref}" + (f" ({self.ifname})" if self.ifname else "")


def read_reservation(client: Client, namespace: str, name: str) -> Reservation | None:
    """The reservation of that name."""
    try:
        return Reservation.parse(client.get(RESERVATIONS.path(namespace, name)))
    except NotFound:
        return None


def create_reservation(client: Client, namespace: str, name: str, entry: Entry, lease: Lease) -> str:
    """Make it; its UID. Raises AlreadyExists."""
    holder = lease.holder
    told = {NODE: holder.node, POD_UID: holder.uid, NETWORK: holder.attachment.network}
    content = {
        "apiVersion": RESERVATIONS.api_version,
        "kind": RESERVATIONS.kind,
        "metadata": {
            "name": name,
            "labels": {key: label_value(value) for key, value in told.items() if value},
            "annotations": {HOLDER: print_compact(lease.to_json()).decode()},
        },
        "spec": {"podref": entry.podref, "ifname": entry.ifname, "containerid": entry.id},
    }
    created = client.create(RESERVATIONS.path(namespace), content, metadata_only=True)
    return _text(_object(created, "metadata"), "uid")


def delete_reservation(client: Client, namespace: str, name: str, uid: str) -> bool:
    """Remove it if it has this UID; False where there is none. Raises Conflict for another one."""
    try:
        client.delete(RESERVATIONS.path(namespace, name), uid=uid, repeatable=True)
    except NotFound:
        return False
    return True


def _lease(text: str) -> Lease | None:
    try:
        return Lease.parse(Section(parse_object(text.encode(), HOLDER), HOLDER)) if text else None
    except (CniError, ValueError):  # half of a surrogate pair has no bytes
        return None


def _object(document: Document, key: str) -> Document:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _text(document: Document, key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""
