"""ptp: a pair of links, addresses and routes at both ends, in every version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.configs import pools
from tests.plugins.runtime import VERSIONS, WITH_CHECK

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.conftest import MakePod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown


def ptp(version: str = "1.1.0", /, **more: object) -> dict[str, Any]:
    return {"cniVersion": version, "name": "blue", "type": "ptp", **more}


@pytest.mark.parametrize("version", VERSIONS)
def test_it_has_the_addresses_that_the_result_tells(version: str, node: Runtime, pod: Pod, inside: Shown) -> None:
    config = ptp(version, mtu=1400, ipam=pools(node, "10.1.2.0/24", "2001:db8:1::/66"))
    result = node.add(config, pod)

    inside.run("ping -c1 -W1 10.1.2.1")
    inside.run("ping -c1 -W1 2001:db8:1::1")
    if version in WITH_CHECK:
        node.check(config, pod, result)
    node.delete(config, pod, result)
    assert inside.links() == set()
