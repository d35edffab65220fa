"""What could not be looked at, and which capability that takes; readers collect these, and go on."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from cni_multus.cni.errors import CniError, NetlinkFailure

READ_FILES = "CAP_DAC_READ_SEARCH"
ENTER_NAMESPACES = "CAP_SYS_ADMIN"
SEE_PROCESSES = "CAP_SYS_PTRACE"
LIST_NFTABLES = "CAP_NET_ADMIN"

_FORBIDDEN = (errno.EPERM, errno.EACCES)


@dataclass(frozen=True)
class Note:
    """`about` is the file, or the namespace; `needs` the capability that is missing, if that is the reason."""

    about: str
    text: str
    needs: str = ""

    def __str__(self) -> str:
        return f"{self.text} (it takes {self.needs}: run it as root on the node)" if self.needs else self.text

    def to_json(self) -> dict[str, object]:
        """What there is to tell."""
        return {"about": self.about, "note": self.text, **({"needs": self.needs} if self.needs else {})}


def note(about: str, error: CniError | OSError | ValueError, capability: str = "") -> Note:
    """Why something could not be looked at; `capability` is what it takes, if a refusal was the reason."""
    if isinstance(error, CniError):
        text = f"{error.message} ({error.details})" if error.details else error.message
    elif isinstance(error, OSError):
        text = f"{about}: {error.strerror or error}"
    else:
        text = f"{about}: {error}"
    return Note(about, text, capability if is_forbidden(error) else "")


def is_forbidden(error: BaseException | None) -> bool:
    """Whether a refusal for want of rights is behind it."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:  # an error that was raised once more may be its own cause
        if isinstance(error, OSError | NetlinkFailure) and error.errno in _FORBIDDEN:
            return True
        seen.append(error)
        error = error.__cause__
    return False
