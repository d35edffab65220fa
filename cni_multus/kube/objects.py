"""Where the API server has the objects that we use, and the escaping of names in paths and patches."""

from __future__ import annotations

from cni_multus.cni.errors import InvalidNetworkConfig
from cni_multus.kube.errors import BadAnswer

PARTIAL = "PartialObjectMetadata"
"""The kind of every object of which only the metadata was asked for."""

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
"""Bytes that stand for themselves in a URL (RFC 3986, 2.3)."""


class Resource:
    """A kind of objects, by its group, version and plural; `kind` is for those that we create."""

    __slots__ = ("api_version", "kind", "plural")

    def __init__(self, api_version: str, plural: str, kind: str) -> None:
        self.api_version = api_version
        self.plural = plural
        self.kind = kind

    def path(self, namespace: str = "", name: str = "") -> str:
        """Of an object, or of the collection (no `name`), over all namespaces (no `namespace`)."""
        root = "apis" if "/" in self.api_version else "api"
        inside = f"/namespaces/{segment(namespace)}" if namespace else ""
        return f"/{root}/{self.api_version}{inside}/{self.plural}" + (f"/{segment(name)}" if name else "")


PODS = Resource("v1", "pods", "Pod")
NODES = Resource("v1", "nodes", "Node")
NADS = Resource("k8s.cni.cncf.io/v1", "network-attachment-definitions", "NetworkAttachmentDefinition")
IP_POOLS = Resource("whereabouts.cni.cncf.io/v1alpha1", "ippools", "IPPool")
RESERVATIONS = Resource(
    "whereabouts.cni.cncf.io/v1alpha1", "overlappingrangeipreservations", "OverlappingRangeIPReservation"
)
SLICE_POOLS = Resource("whereabouts.cni.cncf.io/v1alpha1", "nodeslicepools", "NodeSlicePool")
IPAM_CLAIMS = Resource("k8s.cni.cncf.io/v1alpha1", "ipamclaims", "IPAMClaim")


def segment(name: str) -> str:
    """A name as one segment of a path; raises InvalidNetworkConfig for one that no object can have."""
    try:
        if name not in {"", ".", ".."} and "/" not in name and "%" not in name:
            return escape(name)
    except UnicodeEncodeError:
        pass  # half of a surrogate pair
    raise InvalidNetworkConfig(f"no object of the Kubernetes API can be called {name[:80]!r}")


def confirm(found: dict[str, object], resource: Resource, namespace: str, name: str) -> None:
    """Raise BadAnswer where the server sent something else than the object that was asked for, whole or in part."""
    metadata = found["metadata"]
    told = (metadata.get("namespace"), metadata.get("name")) if isinstance(metadata, dict) else ()
    if found["kind"] not in (resource.kind, PARTIAL) or told != (namespace, name):
        kind = str(found["kind"])[:80]
        asked = f"the {resource.kind} {namespace}/{name}"
        raise BadAnswer(f"the API server answers with another object ({kind}) than {asked}")


def escape(text: str) -> str:
    """A value for the path or the query of a URL."""
    data = text.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in data)


def pointer(*names: str) -> str:
    """The JSON pointer (RFC 6901) that leads through these names."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)
