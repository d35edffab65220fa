"""The cases that need another kernel, by containerd, in the virtual machine; a real API has their definitions and pods.

Nothing in them is changed, the node has what installers leave, and what the pods got is read in the API.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.cases.asked import OLDER_STATUS, STATUS
from tests.cases.running import CaseRun, Running
from tests.cases.scene import CASES
from tests.cri.runtime import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cases.asked import Case
    from tests.cluster.apiserver import Address

pytestmark = pytest.mark.vm

IPVLAN = sorted(name for name, case in CASES.items() if "ipvlan" in json.dumps(case["networks"]))
RANGE, SIZE = "192.168.1.13-192.168.1.17", 5
"""That of ipvlan-l3-host-local."""


@pytest.fixture(scope="module")
def running(api_server: Address, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A node with a containerd."""
    running = Running(api_server, tmp_path_factory.mktemp("running"))
    yield running
    running.close()


@pytest.mark.parametrize("name", IPVLAN)
def test_operators_see_what_they_are_promised(running: Running, name: str) -> None:
    with CaseRun(running, CASES[name]) as run:
        for told in CASES[name]["pods"]:
            if told["expect"].get("refused"):
                is_refused(run, told)
                continue
            sandbox = run.run(told)
            run.expect(told, sandbox)
            run.check(told, sandbox)
            annotations = run.asked.annotations(told)
            assert annotations[OLDER_STATUS] == annotations[STATUS]
        run.remove()
        assert running.remains() == {}


def is_refused(run: CaseRun, told: Case) -> None:
    """A pod that names a network of another namespace gets none at all, and its owner is told."""
    network = told["annotations"]["k8s.v1.cni.cncf.io/networks"]
    with pytest.raises(Refused, match=network):
        run.run(told)
    event = run.asked.event(told, "NetworkNotAllowed")
    assert event["type"] == "Warning"
    assert network in event["message"]
    assert STATUS not in run.asked.annotations(told)


def test_a_range_that_is_used_up_is_told_by_its_name(running: Running) -> None:
    case = CASES["ipvlan-l3-host-local"]
    with CaseRun(running, case) as run:
        pods = [{**case["pods"][0], "name": f"sampleapp-{number}"} for number in range(SIZE + 1)]
        for told in pods[:SIZE]:
            run.run(told)
        with pytest.raises(Refused, match=re.escape(RANGE)):
            run.run(pods[SIZE])
        assert RANGE in run.refusal(pods[SIZE]).failed(11)
        assert RANGE in run.asked.event(pods[SIZE], "AddressPoolExhausted")["message"]
        run.remove()
        assert running.remains() == {}
