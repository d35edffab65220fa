"""Paths of objects, and the escaping of names."""

import pytest

from cni_multus.cni.errors import InvalidNetworkConfig
from cni_multus.kube.objects import IP_POOLS, PODS, escape, pointer, segment


def test_paths_and_pointers_are_escaped() -> None:
    assert IP_POOLS.path("ns", "fd00--64") == "/apis/whereabouts.cni.cncf.io/v1alpha1/namespaces/ns/ippools/fd00--64"
    assert PODS.path("ns", "a b\r\n?x=ü") == "/api/v1/namespaces/ns/pods/a%20b%0D%0A%3Fx%3D%C3%BC"
    assert pointer("metadata", "labels", "a/b~c") == "/metadata/labels/a~1b~0c"
    assert escape("a&b=c") == "a%26b%3Dc"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../../x", "a%2fb"])
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(InvalidNetworkConfig):
        segment(name)
