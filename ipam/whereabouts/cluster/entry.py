"""What stands in a pool for an address: whom it is for."""

from __future__ import annotations


class Entry:
    """Whom an address is for: a container ID, `<namespace>/<pod>` and the interface."""

    __slots__ = ("id", "ifname", "podref")

    def __init__(self, container_id: str, podref: str, ifname: str) -> None:
        self.id = container_id
        self.podref = podref
        self.ifname = ifname

    def is_of(self, other: Entry) -> bool:
        """Whether both are for the same pod and interface, whatever the container."""
        return (self.podref, self.ifname) == (other.podref, other.ifname)

    def to_json(self) -> dict[str, object]:
        """As it stands in the pool."""
        document: dict[str, object] = {"id": self.id, "podref": self.podref}
        return {**document, "ifname": self.ifname} if self.ifname else document

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and self.is_of(other) and self.id == other.id

    def __hash__(self) -> int:
        return hash((self.id, self.podref, self.ifname))

    def __str__(self) -> str:
        return f"pod {self.podref} ({self.ifname}, container {self.id[:13]})"
