"""loopback: what it makes and what it leaves, on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.differential.pair import VERSIONS

if TYPE_CHECKING:
    from tests.differential.pair import Versions


IN_POD = {"CNI_IFNAME": "lo"}


def test_the_same(versions: Versions) -> None:
    assert versions.attach_and_detach({"type": "loopback"}, environment=IN_POD) == {}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_result_that_came_before_is_passed_on(versions: Versions, version: str) -> None:
    address = (
        {"ip4": {"ip": "10.0.0.2/24"}} if version < "0.3.0" else {"ips": [{"address": "10.0.0.2/24", "version": "4"}]}
    )
    before = {"cniVersion": version, **address, "dns": {"nameservers": ["10.0.0.53"]}}
    config = {"type": "loopback", "prevResult": before}
    assert versions.attach_and_detach(config, (version,), IN_POD) == {}
