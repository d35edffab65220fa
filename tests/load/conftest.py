"""What the tests about turns stand on: a node, and pods."""

from tests.pods import make_pod, node, pod

__all__ = ["make_pod", "node", "pod"]
