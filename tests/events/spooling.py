"""Events for pods of the tests, and what becomes of them in the API."""

from __future__ import annotations

import os
import sys
import time
from subprocess import DEVNULL, PIPE, Popen
from typing import TYPE_CHECKING, Any

from cni_multus.events.delivery import deliver
from cni_multus.events.event import NORMAL, Event
from cni_multus.events.spool import Spool
from cni_multus.kube.deadline import Deadline
from cni_multus.kube.kubeconfig import load_kubeconfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cluster.cluster import Cluster

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))


def event(namespace: str = "somewhere", message: str = "Add net1 [10.0.0.2/24] from net", **members: Any) -> Event:
    """An event of a pod called `pod`, unless `members` say something else."""
    about = {"kind": NORMAL, "reason": "AddedInterface", "pod": "pod", "uid": "uid-of-the-pod", "host": "node1"}
    kind, reason = (members.pop(key, about[key]) for key in ("kind", "reason"))
    rest = {key: members.pop(key, about[key]) for key in ("pod", "uid", "host")}
    return Event(kind, reason, message, namespace=namespace, **rest, **members)


def delivered(cluster: Cluster) -> list[str]:
    """The messages of the events that the API has."""
    return sorted(each["message"] for each in cluster.objects("events").values())


def run(spool: Spool, kubeconfig: Path, seconds: float = 30) -> list[str]:
    """Deliver in this process; what was said."""
    said: list[str] = []
    deliver(spool, lambda: load_kubeconfig(str(kubeconfig)), None, Deadline(seconds), said.append)
    return said


def within(seconds: float, condition: Callable[[], object]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, condition
        time.sleep(0.005)


REQUEST = """
import os, sys
FIND
before = set(sys.modules)
from cni_multus.events.event import Event
from cni_multus.events.detached import start_delivery
from cni_multus.events.spool import Spool
spool = Spool(sys.argv[2])
client = None
options = {}
def access():
    from cni_multus.kube.kubeconfig import load_kubeconfig
    return load_kubeconfig(sys.argv[3])
def say(text):
    with open(sys.argv[2] + "/said", "a") as file:
        print(text, file=file)
for message in sys.argv[5:]:
    assert spool.add(Event("Normal", "AddedInterface", message, namespace=sys.argv[4], pod="pod", uid="")) == ""
BEFORE
os.write(1, b"answer")
begun = start_delivery(spool, access, client, say, **options)
AFTER
os._exit(0 if begun else 3)
"""
"""What the meta-plugin does at its end, as a program: the events that its arguments say, then their delivery."""


AS_SOURCE = "sys.path.insert(0, sys.argv[1])"


def program(*, before: str = "", after: str = "", find: str = AS_SOURCE) -> str:
    """`before` is done when its events are spooled, `after` when their delivery has begun; `find` leads to our code."""
    return REQUEST.replace("FIND", find).replace("BEFORE", before).replace("AFTER", after)


def request(
    spool: Spool,
    kubeconfig: Path,
    namespace: str,
    *messages: str,
    before: str = "",
    after: str = "",
    find: str = AS_SOURCE,
    **options: Any,
) -> Popen[bytes]:
    """Start such a request."""
    words = [sys.executable, "-I", "-S", "-c", program(before=before, after=after, find=find), ROOT]
    words += [os.path.dirname(spool.directory), str(kubeconfig), namespace, *messages]
    return Popen(words, **{"stdin": DEVNULL, "stdout": PIPE, "stderr": PIPE, **options})
