"""Kubeconfigs for tests, as dictionaries that a test changes, and files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "t0ken-that-nobody-may-see"


def config(server: str = "https://10.0.0.1:6443", **user: Any) -> dict[str, Any]:
    """One context, with a token unless the user is told to have something else."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": {"server": server}}],
        "users": [{"name": "us", "user": user or {"token": TOKEN}}],
        "contexts": [{"name": "here", "context": {"cluster": "local", "user": "us", "namespace": "kube-system"}}],
        "current-context": "here",
    }


def write(directory: Path, content: dict[str, Any] | bytes | str, name: str = "kubeconfig") -> str:
    """The path of a file with this kubeconfig."""
    path = directory / name
    if isinstance(content, dict):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)
