"""Time is put down to the request that a thread serves, and to no other."""

from __future__ import annotations

import time

from cni_multus import spent
from tests.node import in_thread


def test_requests_side_by_side_do_not_see_each_others() -> None:
    def serve() -> dict[str, float]:
        spent.note(spent.API, time.monotonic() - 5)
        return spent.so_far()

    first, second = in_thread(serve), in_thread(serve)
    assert 5 <= first[spent.API] < 10
    assert 5 <= second[spent.API] < 10
    assert in_thread(spent.so_far) == dict.fromkeys((spent.API, spent.PROGRAMS, spent.WAITING), 0.0)
