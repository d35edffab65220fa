"""What a node has seen of a pool may say anything: it costs a look at most."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.addressing import Cidr
from ipam.whereabouts.cluster.seen import Seen
from ipam.whereabouts.pool import Pool

if TYPE_CHECKING:
    from pathlib import Path

POOL = Pool(Cidr.parse("10.0.0.0/30"), 10 << 24 | 1, 10 << 24 | 2)


@pytest.mark.parametrize("recent", [str(10**12), "-1", "0", str(2**128)])
def test_an_address_that_the_pool_does_not_have_is_none_that_was_given(tmp_path: Path, recent: str) -> None:
    with Seen(str(tmp_path), "server", "ns", "pool", "try", 1.0):
        pass
    (state,) = tmp_path.glob("seen/*/state")
    state.write_text(json.dumps({"generation": 3, "range": "10.0.0.0/30", "last": recent, "recent": [recent]}))
    with Seen(str(tmp_path), "server", "ns", "pool", "try", 1.0) as seen:
        seen.learn(None, POOL.cidr)
        assert str(seen.choose(POOL, POOL.first, 0)) == "10.0.0.1"
