"""What a network, a container and an interface may be called. All of it may become the name of a file."""

from __future__ import annotations

LONGEST_NAME = 255
LONGEST_ID = 200
"""Characters: both become names of files, an ID together with an interface's name."""

_LETTERS_AND_DIGITS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_NAME_CHARACTERS = _LETTERS_AND_DIGITS | frozenset("_.-")


def is_name(text: str) -> bool:
    """Whether `text` is fit for a network name or a container ID: letters and digits, then also `_`, `.`, `-`."""
    return bool(text) and text[0] in _LETTERS_AND_DIGITS and _NAME_CHARACTERS.issuperset(text)


def wrong_with_name(text: str) -> str:
    """Why `text` cannot name a network, "" if it can."""
    if not is_name(text):
        return f"{text!r} is not a network name (letters, digits, '_', '.', '-')"
    return "" if len(text) <= LONGEST_NAME else f"it is {len(text)} characters long, more than {LONGEST_NAME}"


def wrong_with_ifname(text: str) -> str:
    """Why `text` cannot name an interface (the kernel's dev_valid_name, and `%`, its template), "" if it can."""
    if not text:
        return "it is empty"
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return "it is not UTF-8"
    if len(encoded) > 15:
        return "it is longer than 15 bytes"
    if text in (".", ".."):
        return "it is a directory's name"
    if any(character in "/:%\0" or character.isspace() for character in text):
        return "it contains '/', ':', '%' or white space"
    if 0xA0 in encoded:
        return "it contains the byte 0xa0, which the kernel takes for white space"
    return ""
