"""What the harness found: each fault that was not recovered from once, at the call by its name and what it is about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.faults.inject import Fault
from tests.faults.points import REQUEST, Point

if TYPE_CHECKING:
    from tests.faults.inject import Call
    from tests.faults.judge import Stand

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def calls(stand: Stand) -> dict[str, list[Call]]:
    found = {}
    for verb in ("ADD", "DEL", "GC"):
        stand.bring(attached=verb != "ADD")
        found[verb] = stand.calls(verb)
        stand.bring(attached=False)
    return found


FOUND = [
    # The address was reserved although it was refused, and nobody knew whose it was.
    ("ADD", "unlink", r"/host-local/pointed/\.multus-", "EACCES", "DEL"),
    # A record of no boot was one of no namespace: DEL left what was in it.
    ("ADD", "openat", r"/boot_id$", "EIO", "DEL"),
    ("DEL", "openat", r"/boot_id$", "EMFILE", "GC"),
    # So was a namespace that could not be looked at, or told from others.
    ("DEL", "newfstatat", r"/pod$", "ENOMEM", "DEL"),
    ("DEL", "ioctl", r"/pod$", "EIO", "DEL"),
    # A record that could not be looked at was none, or a damaged one, which GC had to guess.
    ("GC", "openat", r"/journal/pod-0@eth0$", "ENOMEM", "DEL"),
    ("DEL", "newfstatat", r"/journal/pod-0@eth0$", "EACCES", "DEL"),
    # The one document was missing where a thread could not come back.
    ("ADD", "setns", r"^net:", "ENOMEM", "ADD"),
    ("DEL", "setns", r"^net:", "ENOMEM", "DEL"),
]


@pytest.mark.parametrize(("verb", "name", "about", "kind", "recovery"), FOUND)
def test_it_is_recovered_from(
    stand: Stand, calls: dict[str, list[Call]], verb: str, name: str, about: str, kind: str, recovery: str
) -> None:
    meant = [each for each in calls[verb] if each.name == name and re.search(about, each.about)]
    assert meant
    for call in {id(each): each for each in (meant[0], meant[-1])}.values():
        verdict = stand.attempt(Point(verb, Fault(name, call.number, kind), recovery, REQUEST))
        assert verdict.problems == []


def test_a_killed_del_that_had_moved_a_device_is_made_good(stand: Stand, calls: dict[str, list[Call]]) -> None:
    """Before every message after it is on its way home, and before every answer."""
    for call in around_the_device(calls["DEL"]):
        for recovery in ("DEL", "GC"):
            verdict = stand.attempt(Point("DEL", Fault(call.name, call.number, "KILL"), recovery, REQUEST))
            assert verdict.problems == []


def test_what_the_kernel_refuses_is_taken_back(stand: Stand, calls: dict[str, list[Call]]) -> None:
    requests = [each for each in calls["ADD"] if each.name == "sendto" and each.about.startswith("socket:")]
    for call in requests[:: len(requests) // 12]:
        verdict = stand.attempt(Point("ADD", Fault("netlink", call.number, "EBUSY"), "DEL", REQUEST))
        assert verdict.problems == []


def test_an_answer_that_is_late_is_waited_for(stand: Stand, calls: dict[str, list[Call]]) -> None:
    """Else the link that was made stays where nobody knows of it."""
    answers = [each for each in calls["ADD"] if each.name == "recvmsg"]
    for call in answers[:: len(answers) // 8]:
        for kind in ("ENOMEM", "ENOBUFS"):
            verdict = stand.attempt(Point("ADD", Fault("recvmsg", call.number, kind), "DEL", REQUEST))
            assert verdict.problems == []


def around_the_device(calls: list[Call]) -> list[Call]:
    """The messages between the look at a loan, and its end."""
    paths = [at for at, each in enumerate(calls) if "/host-device/pod-0_net3.json" in each.about]
    return [each for each in calls[paths[0] : paths[-1]] if each.name in ("sendto", "recvmsg")]
