"""A client of the real API server, and objects for it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cni_multus.kube.client import Client
from cni_multus.kube.deadline import Deadline
from cni_multus.kube.kubeconfig import load_kubeconfig
from cni_multus.kube.objects import IP_POOLS, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


CONFIG_MAPS = Resource("v1", "configmaps", "ConfigMap")


@contextmanager
def talking(kubeconfig: Path, seconds: float = 30, **how: Any) -> Iterator[Client]:
    with Client(load_kubeconfig(str(kubeconfig)), Deadline(seconds), **how) as client:
        yield client


def pool(name: str = "10.0.0.0-24") -> dict[str, Any]:
    metadata = {"name": name}
    spec = {"range": "10.0.0.0/24", "allocations": {}}
    return {"apiVersion": IP_POOLS.api_version, "kind": IP_POOLS.kind, "metadata": metadata, "spec": spec}
