"""What fsck finds: what is wrong, what that breaks, and how it is mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Finding:
    """`mend` puts it right if it is still so, and says whether it did; None where that is for a person to decide."""

    engine: str
    kind: str
    """A word or two that stay the same from release to release."""
    what: str
    """The address, the file or the object."""
    message: str
    breaks: str
    cure: str
    mend: Callable[[], bool] | None = None

    def to_json(self, mended: bool | None = None) -> dict[str, object]:
        """All that can be printed; `mended` None where that was not tried."""
        document: dict[str, object] = {
            "engine": self.engine,
            "kind": self.kind,
            "what": self.what,
            "message": self.message,
            "breaks": self.breaks,
            "cure": self.cure,
            "mendable": self.mend is not None,
        }
        return document if mended is None else {**document, "mended": mended}
