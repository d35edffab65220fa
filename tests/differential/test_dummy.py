"""dummy: what it makes and what it leaves, on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.differential.configs import ROUTES, V4, V6, host_local, static

if TYPE_CHECKING:
    from tests.differential.pair import Versions
    from tests.differential.side import Config

pytestmark = pytest.mark.vm  # the machine's own kernel may have no dummies

NEW = ("1.0.0", "1.1.0")
OLD = ("0.2.0", "0.4.0")


def dummy(**keys: object) -> Config:
    return {"type": "dummy", **keys}


LAYOUTS = {
    "addresses": (dummy(ipam=host_local(V4)), OLD),
    "dual stack and routes": (dummy(ipam=host_local(V4, V6, routes=ROUTES)), NEW[:1]),
    "dns of the IPAM": (dummy(ipam=static("10.9.0.7/32", dns={"nameservers": ["10.9.0.53"]})), NEW[1:]),
}


@pytest.mark.parametrize(("config", "versions_"), LAYOUTS.values(), ids=LAYOUTS)
def test_the_same(versions: Versions, config: Config, versions_: tuple[str, ...]) -> None:
    assert versions.attach_and_detach(config, versions_) == {}
