"""Names that become parts of the names of objects in the API; the API's rule is RFC 1123's for subdomains."""

from __future__ import annotations

LONGEST = 253
_ENDS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_MIDDLE = _ENDS | {"-"}


def wrong_with_object_name(text: str, longest: int = LONGEST) -> str:
    """Why `text` cannot name an object, "" if it can."""
    if len(text) > longest:
        return f"it is {len(text)} characters long, more than {longest}"
    for label in text.split("."):
        if not label or not _MIDDLE.issuperset(label) or label[0] not in _ENDS or label[-1] not in _ENDS:
            return f"{text!r} is not lower-case letters, digits, '-' and '.', with a letter or digit at both ends"
    return ""
