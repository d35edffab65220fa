"""What becomes of spooled events at a real API server."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from fcntl import LOCK_EX, LOCK_NB, flock
from threading import Timer
from typing import TYPE_CHECKING

import pytest

from cni_multus.events.event import WARNING
from cni_multus.events.spool import Spool
from tests.cluster.cluster import Cluster, rule
from tests.cluster.disturbances import refusal
from tests.events.spooling import delivered, event, run

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.events.event import Event
    from tests.cluster.apiserver import ApiServer
    from tests.cluster.messages import Call


def test_an_event_arrives_as_the_api_has_it(cluster: Cluster, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    spooled = event(cluster.namespace, "there is none", kind=WARNING, reason="NoNetworkFound")
    assert spool.add(spooled) == ""
    assert run(spool, cluster.kubeconfig()) == []
    [(name, found)] = cluster.objects("events").items()
    when = datetime.fromtimestamp(spooled.moment // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert name == spooled.name
    assert {key: value for key, value in found.items() if key not in ("metadata", "eventTime")} == {
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": "pod",
            "namespace": cluster.namespace,
            "uid": "uid-of-the-pod",
        },
        "type": "Warning",
        "reason": "NoNetworkFound",
        "message": "there is none",
        "source": {"component": "multus", "host": "node1"},
        "firstTimestamp": when,
        "lastTimestamp": when,
        "count": 1,
        "reportingComponent": "multus",
        "reportingInstance": "node1",
    }
    assert spool.waiting() == []


def test_they_arrive_in_their_order_through_one_connection(cluster: Cluster, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    road = cluster.road()
    now = time.time_ns()
    for at in (3, 1, 2, 0):
        spool.add(event(cluster.namespace, str(at), moment=now + at))
    assert run(spool, cluster.kubeconfig(server=road.url)) == []
    assert [call.document["message"] for call in road.calls] == ["0", "1", "2", "3"]
    assert spool.is_empty()


def test_what_comes_meanwhile_is_delivered_too(cluster: Cluster, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    road = cluster.road()
    road.disturb("POST", before=lambda _: spool.add(event(cluster.namespace, "second")))
    spool.add(event(cluster.namespace, "first"))
    assert run(spool, cluster.kubeconfig(server=road.url)) == []
    assert delivered(cluster) == ["first", "second"]


def test_one_delivers_and_the_others_do_not_wait(cluster: Cluster, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    road = cluster.road()
    others: list[list[str]] = []

    def another(_: Call) -> None:
        spool.add(event(cluster.namespace, "late"))
        began = time.monotonic()
        others.append(run(spool, cluster.kubeconfig(server=road.url)))
        assert time.monotonic() - began < 0.5

    road.disturb("POST", before=another)
    spool.add(event(cluster.namespace, "early"))
    assert run(spool, cluster.kubeconfig(server=road.url)) == []
    assert others == [[]]
    assert delivered(cluster) == ["early", "late"]
    assert road.count() == 2


class Unlucky(Spool):
    """Somebody else's event comes just when there is nothing left to do, and he finds the lock taken."""

    def __init__(self, cni_dir: str, late: Event) -> None:
        super().__init__(cni_dir)
        self.late: Event | None = late

    def waiting(self) -> list[str]:
        found = super().waiting()
        if not found and self.late:
            late, self.late = self.late, None
            assert self.add(late) == ""
            with pytest.raises(BlockingIOError), open(self.lock) as lock:
                flock(lock, LOCK_EX | LOCK_NB)
        return found


def test_what_comes_when_the_lock_is_given_back_is_delivered(cluster: Cluster, tmp_path: Path) -> None:
    spool = Unlucky(str(tmp_path), event(cluster.namespace, "late"))
    Spool(str(tmp_path)).add(event(cluster.namespace, "early"))
    assert run(spool, cluster.kubeconfig()) == []
    assert delivered(cluster) == ["early", "late"]


def test_no_event_falls_between_two_deliveries(cluster: Cluster, tmp_path: Path) -> None:
    """Whoever finds the lock taken leaves its event to the holder, be he just giving it back."""
    spool = Spool(str(tmp_path))
    kubeconfig = cluster.kubeconfig()
    messages = [f"{thread} {at}" for thread in range(6) for at in range(8)]

    def request(message: str) -> None:
        assert spool.add(event(cluster.namespace, message)) == ""
        assert run(spool, kubeconfig) == []

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(request, messages))
    assert spool.is_empty()
    assert delivered(cluster) == sorted(messages)


# Bad days of a server.


def test_an_answer_that_is_lost_makes_no_second_event(cluster: Cluster, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    road = cluster.road()
    road.disturb("POST", lose=True)
    road.disturb("POST", truncate=10)
    road.disturb("POST", cut=True)
    spool.add(event(cluster.namespace, "once"))
    assert run(spool, cluster.kubeconfig(server=road.url)) == []
    assert road.count() >= 4
    assert delivered(cluster) == ["once"]
    assert spool.is_empty()


def test_a_server_that_is_gone_for_a_while_is_waited_for(cluster: Cluster, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    road = cluster.road()
    road.close()
    spool.add(event(cluster.namespace, "late"))
    Timer(3, road.open).start()
    assert run(spool, cluster.kubeconfig(server=road.url)) == []
    assert delivered(cluster) == ["late"]


def test_a_server_that_is_gone_for_long_gets_them_with_the_next_request(cluster: Cluster, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    road = cluster.road()
    road.close()
    for message in "abcde":
        spool.add(event(cluster.namespace, message))
    [said] = run(spool, cluster.kubeconfig(server=road.url), 3)
    assert said.startswith("Events wait for the next request: cannot create ")
    assert said.endswith("not reachable: connection refused")
    assert len(spool.waiting()) == 5
    road.open()
    spool.add(event(cluster.namespace, "f"))
    assert run(spool, cluster.kubeconfig(server=road.url)) == []
    assert delivered(cluster) == list("abcdef")


def test_a_server_that_stands_still_gets_each_once(own_api_server: ApiServer, tmp_path: Path) -> None:
    cluster = Cluster(own_api_server.address, tmp_path)
    spool = Spool(str(tmp_path / "cni"))
    spool.add(event(cluster.namespace, "during"))
    own_api_server.pause()
    began = time.monotonic()
    [said] = run(spool, cluster.kubeconfig(), 2)
    assert time.monotonic() - began < 5
    assert "no answer within" in said
    own_api_server.resume()
    spool.add(event(cluster.namespace, "after"))
    assert run(spool, cluster.kubeconfig()) == []
    assert delivered(cluster) == ["after", "during"]
    cluster.close()


def test_a_slow_server_gets_them(cluster: Cluster, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    road = cluster.road()
    road.delay_answer = 2
    for message in "ab":
        spool.add(event(cluster.namespace, message))
    assert run(spool, cluster.kubeconfig(server=road.url)) == []
    assert delivered(cluster) == ["a", "b"]


@pytest.mark.parametrize("status", [500, 503])
def test_namespaces_for_which_it_fails_do_not_hold_up_the_others(cluster: Cluster, tmp_path: Path, status: int) -> None:
    spool = Spool(str(tmp_path))
    road = cluster.road()
    for at in range(9):
        spool.add(event(f"poison{at % 5}", "poison"))
    for message in "abc":
        spool.add(event(cluster.namespace, message))
    road.disturb("POST", "/namespaces/poison", times=-1, answer=refusal(status, "webhook is away"))
    [said] = run(spool, cluster.kubeconfig(server=road.url), 2)
    assert "webhook is away" in said
    assert delivered(cluster) == ["a", "b", "c"]
    assert len(spool.waiting()) == 9


def test_an_event_at_which_it_fails_does_not_hold_up_its_namespace(cluster: Cluster, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    road = cluster.road()
    road.disturb("POST", answer=refusal(500, "webhook is away"))
    for message in "abc":
        spool.add(event(cluster.namespace, message))
    assert run(spool, cluster.kubeconfig(server=road.url)) == []
    assert [call.document["message"] for call in road.calls] == ["a", "b", "c", "a"]


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_is_left_alone_as_long_as_it_says(cluster: Cluster, tmp_path: Path, status: int) -> None:
    spool = Spool(str(tmp_path))
    road = cluster.road()
    spool.add(event(cluster.namespace, "patient"))
    road.disturb("POST", answer=refusal(status, "starting", {"Retry-After": "2"}))
    began = time.monotonic()
    assert run(spool, cluster.kubeconfig(server=road.url)) == []
    assert time.monotonic() - began >= 2
    assert delivered(cluster) == ["patient"]


# What the server does not take.


def test_an_account_that_may_not_tells_so_and_keeps_them(cluster: Cluster, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    road = cluster.road()
    for message in "ab":
        spool.add(event(cluster.namespace, message))
    [said] = run(spool, cluster.kubeconfig(server=road.url, token=cluster.token(rule("pods", "get"))))
    assert said.startswith("the Event AddedInterface waits for the next request: cannot create ")
    assert "the account needs the verb 'create' on this (RBAC)" in said
    assert (len(spool.waiting()), road.count()) == (2, 1)
    may = cluster.token(rule("events", "create"))
    assert run(spool, cluster.kubeconfig(server=road.url, token=may)) == []
    assert delivered(cluster) == ["a", "b"]


def test_an_account_that_may_in_one_namespace_tells_there(cluster: Cluster, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    spool.add(event("kube-system", "elsewhere"))
    spool.add(event(cluster.namespace, "here"))
    said = run(spool, cluster.kubeconfig(token=cluster.token(rule("events", "create"))))
    assert len(said) == 1
    assert delivered(cluster) == ["here"]
    assert len(spool.waiting()) == 1


def test_an_account_that_may_nowhere_does_not_ask_everywhere(cluster: Cluster, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    road = cluster.road()
    for at in range(20):
        spool.add(event(f"namespace{at}"))
    said = run(spool, cluster.kubeconfig(server=road.url, token=cluster.token(rule("pods", "get"))))
    assert said[-1].startswith("Events wait for the next request: ")
    assert road.count() == 3
    assert len(spool.waiting()) == 20


def test_a_token_that_has_expired_keeps_them(cluster: Cluster, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    for _ in range(3):
        spool.add(event(cluster.namespace))
    [said] = run(spool, cluster.kubeconfig(token="nobodys"))
    assert "the credentials are wrong, or have expired" in said
    assert "nobodys" not in said
    assert len(spool.waiting()) == 3


def test_a_namespace_that_is_gone_hears_nothing(cluster: Cluster, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    spool.add(event("never-was"))
    spool.add(event(cluster.namespace, "next"))
    [said] = run(spool, cluster.kubeconfig())
    assert said.startswith("the Event AddedInterface is lost: cannot create /api/v1/namespaces/never-was/events")
    assert spool.is_empty()
    assert delivered(cluster) == ["next"]


def test_a_namespace_that_is_going_hears_nothing(cluster: Cluster, tmp_path: Path) -> None:
    going = Cluster(cluster.server, tmp_path, "going")
    going.api.delete(f"/api/v1/namespaces/{going.namespace}").expect(200)
    spool = Spool(str(tmp_path))
    spool.add(event(going.namespace))
    [said] = run(spool, cluster.kubeconfig())
    assert said.startswith("the Event AddedInterface is lost: ")
    assert "because it is being terminated" in said
    assert spool.is_empty()


@pytest.mark.parametrize("wrong", [{"pod": "a/b"}, {"namespace": "../../x"}, {"namespace": "A"}, {"namespace": "."}])
def test_what_is_not_valid_is_lost_and_nothing_else(cluster: Cluster, tmp_path: Path, wrong: dict[str, str]) -> None:
    spool = Spool(str(tmp_path))
    spool.add(event(**{"namespace": cluster.namespace, **wrong}))
    spool.add(event(cluster.namespace, "valid"))
    assert len(run(spool, cluster.kubeconfig())) == 1
    assert spool.is_empty()
    assert delivered(cluster) == ["valid"]


def test_the_longest_that_there_is_is_taken(cluster: Cluster, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    pod = ".".join(["x" * 63, "y" * 63, "z" * 63, "w" * 43, "-" * 3]) + "v" * 10  # cut where no name may end
    spool.add(event(cluster.namespace, "ü" * 5000, pod=pod, reason="R" * 300, host="h" * 300))
    assert run(spool, cluster.kubeconfig()) == []
    [found] = cluster.objects("events").values()
    assert len(found["message"].encode()) in range(1020, 1025)
    assert len(found["reason"]) == 128


BROKEN = {
    "missing": None,
    "empty": "",
    "no YAML": "{[",
    "a directory": ...,
    "no server": '{"current-context": "x"}',
    "exec": '{"current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}], '
    '"clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}], '
    '"users": [{"name": "x", "user": {"exec": {"command": "rm"}}}]}',
    "a bad authority": '{"current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "x"}}], '
    '"clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:1", "certificate-authority-data": "eHg="}}]}',
    "a bad token": '{"current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}], '
    '"clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:1"}}], '
    '"users": [{"name": "x", "user": {"token": "a b"}}]}',
    "a token's file that is not there": '{"current-context": "x", "contexts": [{"name": "x", "context": '
    '{"cluster": "x", "user": "x"}}], "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:1"}}], '
    '"users": [{"name": "x", "user": {"tokenFile": "/none"}}]}',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_kubeconfig_that_is_broken_keeps_them(tmp_path: Path, content: object) -> None:
    spool = Spool(str(tmp_path))
    kubeconfig = tmp_path / "kubeconfig"
    if content is ...:
        kubeconfig.mkdir()
    elif content is not None:
        kubeconfig.write_text(str(content))
    for _ in range(3):
        spool.add(event())
    [said] = run(spool, kubeconfig, 3)
    assert said.startswith("Events wait for the next request: ")
    assert len(spool.waiting()) == 3


def test_a_warning_that_comes_again_is_counted(cluster: Cluster, tmp_path: Path) -> None:
    """As often as its runtime tries, and not for deliveries that are done twice."""
    spool = Spool(str(tmp_path))
    now = time.time_ns() // 10**9
    for seconds in (0, 0, 5, 10):
        again = event(cluster.namespace, "element 1", kind=WARNING, reason="Bad", moment=(now - 20 + seconds) * 10**9)
        assert spool.add(again) == ""
        assert run(spool, cluster.kubeconfig()) == []
    [found] = cluster.objects("events").values()
    assert found["count"] == 3
    first, last = (datetime.fromisoformat(found[f"{which}Timestamp"]) for which in ("first", "last"))
    assert (last - first).total_seconds() == 10
    spool.add(event(cluster.namespace, "element 2", kind=WARNING, reason="Bad"))
    run(spool, cluster.kubeconfig())
    assert delivered(cluster) == ["element 1", "element 2"]
