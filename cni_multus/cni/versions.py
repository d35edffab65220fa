"""The specification's versions, and which of them know what."""

from __future__ import annotations

from cni_multus.cni.errors import DecodingFailure, IncompatibleVersion

SUPPORTED = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
NEWEST = "1.1.0"
OLDEST = "0.1.0"
"""What a configuration without `cniVersion` means."""

FIRST_WITH = {"CHECK": "0.4.0", "GC": "1.1.0", "STATUS": "1.1.0"}
"""The version that brought a verb; the others were always there."""


def spoken() -> str:
    """The answer to VERSION: one line of JSON, the newest version being the protocol's own."""
    listed = ",".join(f'"{version}"' for version in SUPPORTED)
    return f'{{"cniVersion":"{NEWEST}","supportedVersions":[{listed}]}}\n'


def parse_version(text: str) -> tuple[int, int, int]:
    """A version as numbers, "" meaning the oldest; raises DecodingFailure."""
    return _PARSED.get(text) or _parse(text)


def _parse(text: str) -> tuple[int, int, int]:
    parts = (text or OLDEST).split(".")
    if len(parts) > 3 or not all(part.isascii() and part.isdecimal() and len(part) < 6 for part in parts):
        raise DecodingFailure(f"cniVersion {text!r} is not a version (as in {NEWEST})")
    major, minor, patch = (*(int(part) for part in parts), 0, 0)[:3]
    return major, minor, patch


_PARSED = {version: _parse(version) for version in SUPPORTED}


def at_least(version: str, other: str) -> bool:
    """Whether `version` is `other` or newer."""
    return parse_version(version) >= parse_version(other)


def family(version: str) -> int:
    """Which of the three shapes of a result a version has: 2 (ip4, ip6), 4 (ips with version) or 1 (ips)."""
    if not at_least(version, "0.3.0"):
        return 2
    return 1 if at_least(version, "1.0.0") else 4


def require_supported(version: str, supported: tuple[str, ...] = SUPPORTED) -> None:
    """Raise IncompatibleVersion unless `version` is in the list."""
    if version not in supported:
        parse_version(version)
        known = ", ".join(supported)
        raise IncompatibleVersion(
            f"cniVersion {version!r} is not supported", f"config is {version!r}, plugin supports {known}"
        )


def require_verb(version: str, verb: str) -> None:
    """Raise IncompatibleVersion where `version` is older than `verb`."""
    first = FIRST_WITH.get(verb)
    if first and not at_least(version, first):
        raise IncompatibleVersion(f"{verb} needs cniVersion {first} or newer, and the configuration says {version}")
