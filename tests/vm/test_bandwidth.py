"""bandwidth on Debian's kernel, and on kinds of links that the machine's own kernel may lack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.node import UPLINK, Pod
from tests.plugins.limited import OF_KIND, Limited, seconds
from tests.plugins.runtime import Runtime
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.conftest import MakeNamespace

pytestmark = pytest.mark.vm

SIZE = 1_500_000
RATE = 8_000_000  # bits: the transfer takes a second and a half less the burst
BURST = 800_000
SHAPED = 1.0
OTHERS: dict[str, dict[str, Any]] = {"bridge": {}, "ipvlan": {"master": UPLINK}, "vlan": {"master": "up1", "vlanId": 7}}


@pytest.mark.parametrize("kind", OTHERS)
def test_both_ways_are_limited(kind: str, host: Namespace, netns: MakeNamespace, tmp_path: Path) -> None:
    node, pod, other = Runtime(host, tmp_path), Pod(netns("pod"), "c1"), Pod(netns("other"), "c2")
    keys = {**OF_KIND, "ipvlan": OTHERS["ipvlan"], "vlan": {"master": UPLINK, "vlanId": 7}}[kind]
    limited = Limited(node, pod, Shown(pod.netns), kind, **keys)
    node.add({**limited.network, **OTHERS[kind]}, other)
    node.ask("STATUS", limited.config()).succeeded()
    before = limited.shown()
    config = limited.config(ingressRate=RATE, ingressBurst=BURST, egressRate=RATE, egressBurst=BURST)
    result = limited.add(config)
    assert seconds(other.netns, pod.netns, "10.1.2.2", SIZE) > SHAPED
    assert seconds(pod.netns, other.netns, "10.1.2.3", SIZE) > SHAPED
    node.check(config, pod, result)
    node.delete(config, pod, result)
    assert limited.shown() == before
