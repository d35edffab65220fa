"""What tells a secret in text and in documents: names of keys, and forms that only secrets have."""

from __future__ import annotations

import re

GONE = "[removed]"

WORDS = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "psk",
    "secret",
    "token",
    "credential",
    "authorization",
    "cookie",
    "apikey",
    "key",
)
"""A key with one of these in it has a secret; the last one only at its end, or before `data`."""

_PLACES = ("file", "path", "dir", "name", "seconds", "type", "ref", "count", "total")
"""A key that ends so has no secret, but where it is, or what it is called."""
_OPEN = ("publickey", "publickeydata", "hostkey")
_NEVER = ("pass", "auth", "otp", "pin", "keydata", "keys", "bearer", "basicauth")

PEM = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL)
PEM_END = re.compile(
    r"(?:[A-Za-z0-9+/=]{12,}(?:\s|\\+[nrt])+){0,200}(?<![A-Za-z0-9+/=])[A-Za-z0-9+/=]*"
    r"-----END [A-Z0-9 ]*PRIVATE KEY-----"
)
"""A key whose beginning was cut off."""
FORMS = re.compile(
    r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*"  # a JSON web token, or what begins as one (RFC 7519)
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}"
    r"|\bAKIA[0-9A-Z]{16}\b"
    r"|\b[a-z0-9]{6}\.[a-z0-9]{16}\b"  # a bootstrap token of Kubernetes
)
SCHEME = re.compile(
    r"\b(bearer|basic|digest|negotiate)((?:\s|\\+[nrt]|%20|\+)+\\*[\"']?)[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE
)
USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]*:\\?/\\?/)[^\s\"'<>/@]*(?:@[^\s\"'<>/@]*)*@", re.IGNORECASE)
OPTION = re.compile(
    r"((?<![\w-])--?[\w-]{0,60}?(?:passw|secret|token|psk|key|credential)[\w-]*)"
    r"(\s+|\\*[\"'],?\s*\\*[\"'])(?!-)([^\s\"'\\]+)",
    re.IGNORECASE,
)
ENVIRONMENT = re.compile(r"(\benv\\*[\"']\s*:\s*)[\[{][^\]}]*(?:\}[^\]}]*)*[\]}]", re.IGNORECASE)
CODED = re.compile(r"[A-Za-z0-9+/_-]{16,}(?:(?:\r?\n[ \t]*|\\+n)[A-Za-z0-9+/_-]{16,})*={0,2}")
"""What may be base64, wrapped or not."""


def is_secret(key: str) -> bool:
    """Whether what has this name is to be kept from others."""
    plain = "".join(c for c in key.lower() if c.isalnum())
    if plain in _NEVER:
        return True
    if plain.endswith((*_PLACES, *_OPEN)):
        return False
    return any(word in plain for word in WORDS[:-1]) or plain.endswith(("key", "keydata"))
