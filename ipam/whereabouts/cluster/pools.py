"""An IPPool: which offsets are whose, and the guarded changes of one of them.

There is no reading, changing and writing back: each change is a JSON patch that tests what it is about. The API server
applies it again to the newer object when others were faster, so writers of different addresses do not meet.
"""

from __future__ import annotations

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import ApiFailure
from cni_multus.kube.errors import NotFound, Unprocessable
from cni_multus.kube.objects import IP_POOLS, pointer
from ipam.whereabouts.cluster.entry import Entry
from ipam.whereabouts.cluster.naming import parse_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.kube.client import Client
    from ipam.whereabouts.pool import Pool

    Document = dict[str, object]

MOST_ENTRIES = 10_000
"""An object of etcd has 1.5 MiB: 11 000 entries of a usual length, 8 000 with the server's own notes about them."""


class Place:
    """Where the API keeps the addresses of one pool of a configuration; `base` is what offsets count from."""

    __slots__ = ("base", "name", "namespace", "pool")

    def __init__(self, namespace: str, name: str, base: Cidr, pool: Pool) -> None:
        self.namespace = namespace
        self.name = name
        self.base = base
        self.pool = pool
        """What may be given: offsets that peers cannot read are out."""

    def __str__(self) -> str:
        return f"IPPool {self.namespace}/{self.name}"


class PoolView:
    """An IPPool as it was when it was read."""

    __slots__ = ("base", "entries", "name", "range", "uid", "unreadable")

    def __init__(self, name: str, uid: str, text: str, base: Cidr) -> None:
        self.name = name
        self.uid = uid
        self.range = text
        self.base = base
        self.entries: dict[int, Entry] = {}
        """By offset; one that is not well-formed is there as well, and somebody's."""
        self.unreadable: list[str] = []
        """Keys that are no offsets."""

    @staticmethod
    def parse(document: Document) -> PoolView:
        """Read an object; raises ApiFailure where its range is none, or has host bits, which peers misread."""
        metadata, spec = _object(document, "metadata"), _object(document, "spec")
        name, text = str(metadata.get("name", "")), str(spec.get("range", ""))
        try:
            base = Cidr.parse(text)
        except ValueError as error:
            raise ApiFailure(f"IPPool {name}: spec.range: {error}", _REPAIR) from None
        if base.ip.number != base.first:
            raise ApiFailure(f"IPPool {name}: spec.range {text} is not the address of a network", _REPAIR)
        view = PoolView(name, str(metadata.get("uid", "")), text, base)
        for key, value in _object(spec, "allocations").items():
            offset = parse_key(key)
            if offset is None:
                view.unreadable.append(key)
            else:
                entry = value if isinstance(value, dict) else {}
                told = (entry.get(member) for member in ("id", "podref", "ifname"))
                view.entries[offset] = Entry(*(member if isinstance(member, str) else "" for member in told))
        return view

    def ip(self, offset: int) -> Ip | None:
        """The address at an offset; None for one that the range does not have."""
        number = self.base.first + offset
        return Ip(self.base.family, number) if self.base.first <= number <= self.base.last else None


_REPAIR = "peers count from what stands there: correct the object, or delete it when nobody has an address of it"


def read_pool(client: Client, namespace: str, name: str, *, cached: bool = False) -> PoolView | None:
    """The pool, None where there is no such object; `cached`: as the server remembers it, maybe a little behind."""
    try:
        return PoolView.parse(client.get(IP_POOLS.path(namespace, name), resource_version="0" if cached else ""))
    except NotFound:
        return None


def create_pool(client: Client, place: Place, entries: dict[int, Entry]) -> None:
    """Make the object; raises AlreadyExists."""
    content = {
        "apiVersion": IP_POOLS.api_version,
        "kind": IP_POOLS.kind,
        "metadata": {"name": place.name},
        "spec": {
            "range": str(place.base),
            "allocations": {str(offset): entry.to_json() for offset, entry in entries.items()},
        },
    }
    client.create(IP_POOLS.path(place.namespace), content, metadata_only=True)


def take(client: Client, place: Place, offset: int, entry: Entry, text: str = "") -> None:
    """Write an entry where there is none; raises Unprocessable where there is, or the range is not `text`."""
    at = _at(offset)
    operations: list[Document] = [
        {"op": "test", "path": "/spec/range", "value": text or str(place.base)},
        {"op": "test", "path": at, "value": None},
        {"op": "add", "path": at, "value": entry.to_json()},
        # What the server notes about who wrote which member is a third of the object, and nobody reads it.
        {"op": "add", "path": "/metadata/managedFields", "value": [{}]},
    ]
    client.patch(IP_POOLS.path(place.namespace, place.name), operations, metadata_only=True)


def retake(client: Client, place: Place, offset: int, old: Entry, new: Entry) -> None:
    """Write `new` in the place of `old`; raises Unprocessable where something else stands there."""
    at = _at(offset)
    operations = [*_tests(at, old), {"op": "replace", "path": at, "value": new.to_json()}]
    client.patch(IP_POOLS.path(place.namespace, place.name), operations, metadata_only=True)


def drop(client: Client, namespace: str, name: str, offset: int, entry: Entry) -> bool:
    """Take an entry out; False where it does not stand there (any more)."""
    at, path = _at(offset), IP_POOLS.path(namespace, name)
    operations = [*_tests(at, entry), {"op": "remove", "path": at}]
    return did(lambda: client.patch(path, operations, metadata_only=True, repeatable=True))


def did(patch: Callable[[], object]) -> bool:
    """Whether a guarded patch was made; False where the object is gone, or its test failed."""
    try:
        patch()
    except NotFound:
        return False
    except Unprocessable as error:
        if not error.test_failed:
            raise
        return False
    return True


def _tests(at: str, entry: Entry) -> list[Document]:
    tests: list[Document] = [
        {"op": "test", "path": f"{at}/id", "value": entry.id},
        {"op": "test", "path": f"{at}/podref", "value": entry.podref},
    ]
    # An absent interface equals null: entries of very old peers have none.
    tests.append({"op": "test", "path": f"{at}/ifname", "value": entry.ifname or None})
    return tests


def _at(offset: int) -> str:
    return pointer("spec", "allocations", str(offset))


def _object(document: Document, key: str) -> Document:
    value = document.get(key)
    return value if isinstance(value, dict) else {}
