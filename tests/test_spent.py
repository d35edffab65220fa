"""Time is put down to the request that a thread serves, and to no other."""

from __future__ import annotations

import time

from cni_multus import spent
from cni_multus.cni.config import Section
from cni_multus.cni.request import Request
from tests.node import in_thread


def test_requests_side_by_side_do_not_see_each_others() -> None:
    def serve() -> dict[str, float]:
        spent.note(spent.API, time.monotonic() - 5)
        return spent.so_far()

    first, second = in_thread(serve), in_thread(serve)
    assert 5 <= first[spent.API] < 10
    assert 5 <= second[spent.API] < 10
    assert in_thread(spent.so_far) == dict.fromkeys((spent.API, spent.PROGRAMS, spent.WAITING, spent.IPAM), 0.0)


def test_what_ipam_waits_for_is_not_put_down_to_it_as_well() -> None:
    def work(request: Request) -> str:
        spent.note(spent.API, time.monotonic() - 5)
        return request.container_id

    request = Request("ADD", Section({}), {}, container_id="web")

    def serve() -> dict[str, float]:
        assert spent.in_ipam(work, request) == "web"
        return spent.so_far()

    seconds = in_thread(serve)
    assert 5 <= seconds[spent.API] < 10
    assert 0 <= seconds[spent.IPAM] < 5
