"""What `multus inspect` was asked for: a pod's name or UID, a container's ID or its beginning, a namespace, or all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cli.inspect.kernel import identity

if TYPE_CHECKING:
    from cni_multus.cli.inspect.records import Known

SHORTEST_ID = 4
"""Characters of a container's ID that count as its beginning."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`text` as it was typed, "" for everything; `namespace` the identity of the one at that path, "" for no path."""

    text: str = ""
    namespace: str = ""

    @staticmethod
    def of(text: str, path: str = "") -> Wanted:
        """Understand what was typed; `path` is where a namespace of that name is for this process."""
        return Wanted(text, identity(path or text) if text.startswith("/") else "")

    @property
    def is_path(self) -> bool:
        """Whether a namespace is meant."""
        return self.text.startswith("/")

    def has(self, known: Known) -> bool:
        """Whether a sandbox is meant."""
        if not self.text:
            return True
        if self.is_path:
            return known.netns == self.text or bool(self.namespace and self._is_at(known))
        return self.text in (known.pod, known.pod.partition("/")[2], known.uid, known.container_id) or (
            len(self.text) >= SHORTEST_ID and known.container_id.startswith(self.text)
        )

    def _is_at(self, known: Known) -> bool:
        record = known.record
        return record is not None and self.namespace == record.netns_id
