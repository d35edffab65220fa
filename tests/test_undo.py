"""Reversals: all of them run, backwards, unless the work is kept; what fails of them is told."""

from __future__ import annotations

import pytest

from cni_multus.cni.errors import NetlinkFailure, TryAgainLater
from cni_multus.undo import Undo, do_all


class World:
    """What has been taken back, in order."""

    def __init__(self) -> None:
        self.taken_back: list[str] = []

    def take_back(self, name: str, failure: BaseException | None = None) -> None:
        self.taken_back.append(name)
        if failure is not None:
            raise failure

    def change(self, error: BaseException, **steps: BaseException | None) -> None:
        """Do these steps, whose reversals may fail, and then fail altogether."""
        with Undo() as undo:
            for name, failure in steps.items():
                undo.callback(self.take_back, name, failure)
            raise error


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    "error", [TryAgainLater("x"), OSError("disk"), RecursionError(), MemoryError(), KeyboardInterrupt()]
)
def test_every_kind_of_failure_takes_everything_back_in_reverse(world: World, error: BaseException) -> None:
    with pytest.raises(type(error)) as failure:
        world.change(error, address=None, link=None)
    assert world.taken_back == ["link", "address"]
    assert failure.value is error


def test_what_is_kept_is_not_taken_back(world: World) -> None:
    with Undo() as undo:
        undo.callback(world.take_back, "link")
        undo.keep()
    assert world.taken_back == []


def test_what_comes_after_keep_is_taken_back_alone(world: World) -> None:
    with Undo() as undo:
        undo.callback(world.take_back, "kept")
        undo.keep()
        undo.callback(world.take_back, "later")
    assert world.taken_back == ["later"]


def test_work_that_nobody_kept_is_taken_back_once(world: World) -> None:
    undo = Undo()
    with undo:
        undo.callback(world.take_back, "link")
    with undo:
        pass
    assert world.taken_back == ["link"]


def test_reversals_that_fail_are_told_with_the_failure_and_stop_no_other(world: World) -> None:
    with pytest.raises(TryAgainLater) as failure:
        world.change(
            TryAgainLater("pool is empty", "10.0.0.0/24"),
            first=None,
            link=NetlinkFailure("cannot remove net1", "EBUSY"),
            file=PermissionError(13, "Permission denied", "/var/lib/x"),
            last=None,
        )
    assert world.taken_back == ["last", "file", "link", "first"]
    assert failure.value.message == "pool is empty"
    assert failure.value.details == (
        "10.0.0.0/24; taking it back failed too: [Errno 13] Permission denied: '/var/lib/x'; cannot remove net1"
    )
    assert failure.value.leftovers


def test_a_clean_reversal_says_nothing(world: World) -> None:
    with pytest.raises(TryAgainLater) as failure:
        world.change(TryAgainLater("x"), link=None)
    assert failure.value.details == ""
    assert not failure.value.leftovers


def test_a_failure_of_another_kind_is_told_what_is_left_too(world: World) -> None:
    with pytest.raises(ZeroDivisionError) as failure:
        world.change(ZeroDivisionError(), link=NetlinkFailure("cannot remove net1"))
    assert failure.value.__notes__ == ["taking it back failed too: cannot remove net1"]


@pytest.mark.parametrize("unforeseen", [TypeError("bug"), RecursionError(), MemoryError(), KeyboardInterrupt()])
def test_a_reversal_that_fails_as_nobody_foresaw_stops_no_other(world: World, unforeseen: BaseException) -> None:
    with pytest.raises(type(unforeseen)) as failure:
        world.change(TryAgainLater("busy"), first=None, link=unforeseen, last=None)
    assert world.taken_back == ["last", "link", "first"]
    assert isinstance(failure.value.__context__, TryAgainLater)


def test_all_is_done_and_the_first_failure_told() -> None:
    done: list[int] = []

    def do(number: int) -> None:
        done.append(number)
        if number > 1:
            raise TryAgainLater(f"not {number}")

    with pytest.raises(TryAgainLater, match=r"^not 2$"):
        do_all(do, iter([1, 2, 3, 1]))
    assert done == [1, 2, 3, 1]
    do_all(do, [1])


def test_what_nobody_foresaw_is_told_at_once() -> None:
    done: list[str] = []
    with pytest.raises(TypeError):
        do_all(lambda thing: done.append(thing + "!"), ["a", 7, "c"])  # type: ignore[operator]
    assert done == ["a!"]
