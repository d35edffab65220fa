"""What the names in an annotation may be: those that the API server lets objects have, and more for a device."""

from __future__ import annotations

from cni_multus.cni.names import wrong_with_ifname

LONGEST_NAME = 253
LONGEST_NAMESPACE = 63
LONGEST_DEVICE = 128
"""Characters: with the resource's name it becomes the name of a file."""

_KERNELS_OWN = ("lo", "all", "default")
"""The loopback device, and what the kernel's settings call all interfaces and those to come."""

_ENDS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_MIDDLE = _ENDS | {"-"}


def wrong_with_object_name(text: str) -> str:
    """Why `text` cannot name an object of the API (RFC 1123's subdomains), "" if it can."""
    if len(text) > LONGEST_NAME:
        return f"it is {len(text)} characters long, more than {LONGEST_NAME}"
    if not all(map(_is_label, text.split("."))):
        return f"{text!r} is not lower-case letters, digits, '-' and '.', with a letter or digit at both ends"
    return ""


def wrong_with_namespace(text: str) -> str:
    """Why `text` cannot name a namespace (one label of RFC 1123), "" if it can."""
    if len(text) > LONGEST_NAMESPACE:
        return f"it is {len(text)} characters long, more than {LONGEST_NAMESPACE}"
    if not _is_label(text):
        return f"{text!r} is not lower-case letters, digits and '-', with a letter or digit at both ends"
    return ""


def wrong_with_interface(text: str) -> str:
    """Why `text` cannot name an interface of a pod, "" if it can."""
    return "the kernel keeps that name for itself" if text in _KERNELS_OWN else wrong_with_ifname(text)


def wrong_with_device(text: str) -> str:
    """Why `text` cannot be what a device plugin calls a device (0000:03:02.1, mlx5_core.sf.4), "" if it can."""
    if len(text) > LONGEST_DEVICE:
        return f"it is {len(text)} characters long, more than {LONGEST_DEVICE}"
    if text in (".", "..") or not all("!" <= character <= "~" and character != "/" for character in text):
        return f"{text!r} is not a device's ID (as in 0000:03:02.1): printable ASCII without blanks and '/'"
    return ""


def _is_label(text: str) -> bool:
    return bool(text) and text[0] in _ENDS and text[-1] in _ENDS and _MIDDLE.issuperset(text)
