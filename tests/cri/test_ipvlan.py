"""Networks that this machine's kernel may lack, in pods of a containerd in the virtual machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cri.site import Site

pytestmark = [pytest.mark.vm, pytest.mark.parametrize("containerd", ["2"], indirect=True)]


def test_pods_of_one_ipvlan_reach_each_other(site: Site) -> None:
    site.containerd.configure(site.config(site.node.bridge(), site.node.macvlan("red", "10.2.0.0/24", type="ipvlan")))
    first, second = site.runtime.run_pod("one"), site.runtime.run_pod("two")
    found = second.interfaces()
    assert found.keys() == {"eth0", "net1"}
    [target] = found["net1"]
    answer = first.execute("ping", "-c1", "-W20", "-I", "net1", target.partition("/")[0])
    assert "1 packets received" in answer
    for sandbox in (first, second):
        sandbox.stop()
        sandbox.remove()
    assert site.remains() == {}
