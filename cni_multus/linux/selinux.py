"""SELinux: the label that the next program which this thread starts will run under.

The file is that of setexeccon(3), <https://man7.org/linux/man-pages/man3/setexeccon.3.html>.
"""

from __future__ import annotations

import os

from cni_multus.cni.errors import IoFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

_MOUNTED = "/sys/fs/selinux/enforce"
_NEXT = "/proc/thread-self/attr/exec"


def is_enabled() -> bool:
    """Whether the kernel labels anything."""
    return os.path.exists(_MOUNTED)


class NextProgram:
    """`with NextProgram(label):` every program that the body starts runs under `label`; IoFailure if it may not."""

    __slots__ = ("_label",)

    def __init__(self, label: str) -> None:
        self._label = label

    def __enter__(self) -> None:
        _write(self._label)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _write("")


def _write(label: str) -> None:
    try:
        attribute = os.open(_NEXT, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(attribute, label.encode())
        finally:
            os.close(attribute)
    except OSError as error:
        raise IoFailure(f"cannot run a program as {label or 'before'}: SELinux: {error.strerror}") from error
