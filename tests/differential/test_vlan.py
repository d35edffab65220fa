"""vlan: what it makes and what it leaves, on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.differential.configs import ROUTES, V4, V6, host_local, static
from tests.differential.side import UPLINK, add_uplink

if TYPE_CHECKING:
    from tests.differential.pair import Versions
    from tests.differential.side import Config

pytestmark = pytest.mark.vm  # the machine's own kernel may have no VLANs

NEW = ("1.0.0", "1.1.0")
OLD = ("0.2.0", "0.4.0")


def vlan(**keys: object) -> Config:
    return {"type": "vlan", "master": UPLINK, "vlanId": 1234, **keys}


LAYOUTS = {
    "addresses": (vlan(ipam=host_local(V4)), OLD),
    "dual stack and routes": (vlan(ipam=host_local(V4, V6, routes=ROUTES)), NEW[:1]),
    "the first VLAN, mtu": (vlan(vlanId=0, mtu=1300, ipam=static("10.9.0.7/16")), NEW[1:]),
}


@pytest.mark.parametrize(("config", "versions_"), LAYOUTS.values(), ids=LAYOUTS)
def test_the_same(versions: Versions, config: Config, versions_: tuple[str, ...]) -> None:
    assert versions.attach_and_detach(config, versions_) == {}


def test_a_master_in_the_container(versions: Versions) -> None:
    config = vlan(linkInContainer=True, ipam=host_local(V4))
    assert versions.attach_and_detach(config, NEW[1:], before=lambda side: add_uplink(side.kernel(side.pod))) == {}
