"""A node with an uplink, and pods on it."""

from tests.pods import make_pod, node, pod

__all__ = ["make_pod", "node", "pod"]
