"""What a token says of itself (RFC 7519); nothing of it is verified, and the token itself stands nowhere."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode

_LATEST = 1 << 37


def claims(token: str) -> dict[str, object]:
    """The claims of a token; empty for one that is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        found = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def number(told: dict[str, object], key: str) -> float:
    """A moment as seconds since 1970; 0 where none is told."""
    value = told.get(key)
    return float(value) if isinstance(value, int | float) and 0 < value < _LATEST else 0.0


def moment(seconds: float) -> str:
    """It as text."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
