"""What a plugin says of itself when it is called without CNI_COMMAND."""

from __future__ import annotations

from cni_multus import VERSION
from cni_multus.cni.versions import SUPPORTED
from cni_multus.registry import load


def about(kind: str) -> str:
    """Two lines, as the reference plugins print them: who this is, and which versions of CNI it speaks."""
    plugin = load(kind)
    versions = SUPPORTED if plugin is None else plugin.versions
    return f"CNI {kind} plugin multus {VERSION}\nCNI protocol versions supported: {', '.join(versions)}\n"
