"""The bits of taken addresses, against a set of numbers."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from cni_multus.cni.addressing import Ip
from cni_multus.state.blocks import Blocks

BASE = 0x0A00_FFC0  # the window below ends in the next block
WINDOW = 160

offsets = st.integers(0, WINDOW - 1)


def reference(taken: set[int], first: int, last: int) -> int | None:
    return next((number for number in range(first, last + 1) if number not in taken), None)


@given(
    steps=st.lists(st.tuples(st.sampled_from(["mark", "clear"]), offsets, st.integers(1, 100)), max_size=12),
    window=st.tuples(offsets, offsets),
    reload=st.booleans(),
)
def test_the_lowest_free_address_is_found(
    steps: list[tuple[str, int, int]], window: tuple[int, int], reload: bool
) -> None:
    with TemporaryDirectory() as directory:
        blocks, taken = Blocks(directory), set[int]()
        for act, start, length in steps:
            for number in range(BASE + start, BASE + min(start + length, WINDOW)):
                if act == "mark":
                    blocks.mark(Ip(4, number))
                    taken.add(number)
                else:
                    blocks.clear(Ip(4, number))
                    taken.discard(number)
        if reload:
            blocks.flush()
            blocks = Blocks(directory)
        first, last = BASE + window[0], BASE + window[1]
        assert blocks.find_free(4, first, last) == reference(taken, first, last)


def test_families_do_not_meet(tmp_path: Path) -> None:
    blocks = Blocks(str(tmp_path))
    blocks.mark(Ip(4, 5))
    assert blocks.find_free(6, 5, 5) == 5
    assert blocks.find_free(4, 5, 5) is None


def test_a_large_pool_that_is_full_is_searched_at_once(tmp_path: Path) -> None:
    for number in range(64):
        (tmp_path / f"4-{0xA00 + number:x}").write_bytes(b"\xff" * 8192)
    blocks = Blocks(str(tmp_path))
    assert blocks.find_free(4, 0x0A000000, 0x0A3FFFFF) is None
    assert blocks.find_free(4, 0x0A000000, 0x0A7FFFFF) == 0x0A400000


def test_addresses_far_apart_do_not_fill_the_memory(tmp_path: Path) -> None:
    blocks = Blocks(str(tmp_path))
    spread = [Ip(6, (0x2001 << 112) + (at << 40)) for at in range(300)]
    for ip in spread:
        blocks.mark(ip)
    blocks.flush()
    assert len(os.listdir(tmp_path)) == 300
    again = Blocks(str(tmp_path))
    assert all(again.find_free(6, ip.number, ip.number + 1) == ip.number + 1 for ip in spread)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 300


def test_a_reset_forgets_everything(tmp_path: Path) -> None:
    blocks = Blocks(str(tmp_path))
    blocks.mark(Ip(4, 5))
    blocks.flush()
    blocks.reset()
    assert blocks.find_free(4, 5, 5) == 5
    assert os.listdir(tmp_path) == []
