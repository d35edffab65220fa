"""Names made of hashes, as the Go plugins make theirs, and where a name has to be short."""

from __future__ import annotations

from _sha512 import sha512  # type: ignore[import-not-found]  # hashlib costs 4 ms


def digest(text: str, digits: int) -> str:
    """The first hexadecimal digits of the SHA-512 of a text."""
    return str(sha512(text.encode("utf-8", "surrogateescape")).hexdigest()[:digits])
