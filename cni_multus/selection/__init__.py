"""What a pod's annotations ask for, as data: parsed and validated as a whole."""

from __future__ import annotations

NETWORKS = "k8s.v1.cni.cncf.io/networks"
"""Which networks a pod wants besides its own (NPWG de-facto standard 1.3, section 4.1)."""

DEFAULT_NETWORK = "v1.multus-cni.io/default-network"
"""Which one it wants in the place of the cluster's (Multus)."""
