"""What is wrong with a node's configuration, as `kubectl describe node` shows it, with a real API server."""

from __future__ import annotations

import os
import threading
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from cni_multus.kube.credentials import in_cluster
from cni_multus.node.herald import TELLING, Herald
from tests.cluster.cluster import Cluster
from tests.nodes.kit import NET_D, Site, primary, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.nodes.conftest import Start

RIGHTS = {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "get", "patch"]}
EVENTS = "/api/v1/namespaces/default/events"


class Telling:
    """A watch that knows its node, and what the cluster hears of that."""

    def __init__(self, place: Path, cluster: Cluster, watch: Start, token: str) -> None:
        self.cluster = cluster
        self.node = f"node-{uuid.uuid4().hex[:8]}"
        self.account = place / "account"
        self.account.mkdir()
        (self.account / "token").write_text(token)
        (self.account / "ca.crt").write_bytes(cluster.server.ca.read_bytes())
        self._watch = watch
        address = urlsplit(cluster.server.url)
        self.environment = {
            "PATH": os.environ["PATH"],
            "KUBERNETES_SERVICE_HOST": str(address.hostname),
            "KUBERNETES_SERVICE_PORT": str(address.port),
            "NODE_NAME": self.node,
        }

    def start(self, *arguments: str, log: str = "log") -> Any:
        account = f"--service-account-dir={self.account}"
        return self._watch(account, *arguments, log=log, settle="0", environment=self.environment)

    def events(self) -> list[dict[str, Any]]:
        found = self.cluster.api.get(f"{EVENTS}?fieldSelector=involvedObject.name={self.node}").expect(200)
        return list(found["items"])

    def wait_for(self, reason: str, count: int = 1) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            return [event for event in self.events() if event["reason"] == reason and event["count"] == count]

        until(lambda: bool(found()), lambda: f"no {reason} in {self.events()}")
        [event] = found()
        return event


@pytest.fixture
def telling(tmp_path: Path, cluster: Cluster, watch: Start) -> Telling:
    return Telling(tmp_path, cluster, watch, cluster.token(RIGHTS, cluster_wide=True))


def test_a_node_without_a_primary_is_told_of_once_and_again_by_the_next_process(telling: Telling) -> None:
    watcher = telling.start()
    event = telling.wait_for("PrimaryUnusable")
    assert event["type"] == "Warning"
    assert f"there is no configuration of a primary CNI in {NET_D}" in event["message"]
    about = event["involvedObject"]
    assert (about["kind"], about["name"], about["uid"]) == ("Node", telling.node, telling.node)
    watcher.wait_for("health at")
    looks = watcher.metric("looks_total")
    until(lambda: watcher.metric("looks_total") > looks + 2, lambda: watcher.said, watcher)
    assert [event["count"] for event in telling.events()] == [1]
    watcher.end()
    telling.start(log="second")
    telling.wait_for("PrimaryUnusable", count=2)


def test_a_broken_primary_and_one_of_several_are_told(telling: Telling, site: Site) -> None:
    site.put("10-calico.conflist", "{")
    telling.start()
    assert "cannot be the primary's configuration" in telling.wait_for("PrimaryUnusable")["message"]
    (site.net_d / "10-calico.conflist").unlink()
    for name in ("20-calico.conflist", "87-podman.conflist"):
        site.put(name, primary("10-calico.conflist"))
    event = telling.wait_for("SeveralPrimaries")
    assert (event["type"], "passed over: 87-podman.conflist" in event["message"]) == ("Normal", True)


def test_an_account_that_may_not_is_said_and_keeps_nothing_from_working(
    tmp_path: Path, cluster: Cluster, watch: Start, site: Site
) -> None:
    telling = Telling(tmp_path, cluster, watch, cluster.token())
    watcher = telling.start()
    watcher.wait_for("cannot tell the cluster of it by an Event")
    site.put("10-calico.conflist")
    watcher.wait_until_ready()
    assert watcher.said.count("cannot tell the cluster") == 1
    assert telling.events() == []


def test_what_lasts_is_counted_now_and_then_and_its_end_is_told(telling: Telling) -> None:
    said: list[str] = []
    herald = Herald(telling.node, lambda: in_cluster(telling.environment, str(telling.account)), said.append, settle=10)
    wrong = {"primary": "there is none", "standby": "another process does it"}

    def look(at: float, wrong: dict[str, str]) -> None:
        """And let what was begun be delivered."""
        herald.look(wrong, at)
        for thread in threading.enumerate():
            if thread.name == TELLING:
                thread.join()

    look(0.0, wrong)
    look(9.9, wrong)
    assert telling.events() == []
    for at, shown in ((10.0, 1), (71.0, 1), (1809.0, 1), (1810.0, 2)):
        look(at, wrong)
        assert [(event["message"], event["count"]) for event in telling.events()] == [("there is none", shown)]
    look(1869.0, {})
    assert len(telling.events()) == 1
    look(1870.0, {})
    assert telling.wait_for("ConfigurationGood")["message"] == "over: there is none"
    look(1871.0, wrong)
    look(1931.0, wrong)
    telling.wait_for("PrimaryUnusable", count=3)
    assert said == []
