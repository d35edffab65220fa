"""Files, directories and standard input, as documents."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cni_multus.cli.lint.document import Document

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ENDINGS = (".conf", ".conflist", ".json", ".yaml", ".yml")
LARGEST = 32 << 20
STDIN = "<stdin>"


def documents(paths: Sequence[str]) -> Iterator[Document]:
    """What the paths name; of a directory every file below it that may be a configuration or a manifest."""
    for path in paths:
        if path == "-":
            yield _checked(STDIN, sys.stdin.buffer.read(LARGEST + 1), named=True)
        elif os.path.isdir(path):
            yield from _below(path)
        else:
            yield _read(path, named=True)


def _below(directory: str) -> Iterator[Document]:
    troubles: list[OSError] = []
    for folder, folders, names in os.walk(directory, onerror=troubles.append):
        folders.sort()
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in sorted(names):
            if name.endswith(ENDINGS):
                yield _read(os.path.join(folder, name), named=False)
    for error in troubles:
        yield Document(str(error.filename), b"", trouble=str(error.strerror))


def _read(path: str, *, named: bool) -> Document:
    try:
        if not os.path.isfile(path) and os.path.exists(path) and not named:
            return Document(path, b"", named, trouble="it is no file")
        with open(path, "rb") as file:
            return _checked(path, file.read(LARGEST + 1), named=named)
    except OSError as error:
        return Document(path, b"", named, trouble=f"it cannot be read: {error.strerror}")


def _checked(path: str, data: bytes, *, named: bool) -> Document:
    if len(data) > LARGEST:
        return Document(path, b"", named, trouble=f"it is larger than {LARGEST >> 20} MiB")
    return Document(path, data, named)
