"""The kubelet is asked over gRPC: one that answers, in each of its ages, and one that does not."""

from __future__ import annotations

import resource
import socket
import threading
import time
from typing import TYPE_CHECKING

import grpc
import pytest

from cni_multus.cni.errors import ApiFailure, InvalidEnvironment, TryAgainLater
from cni_multus.podresources.kubelet import ask
from tests.podresources.api import pod
from tests.podresources.kubelet import DISABLED, Kubelet

if TYPE_CHECKING:
    from pathlib import Path

VFS = {"intel.com/vf": ["0000:01:00.3", "0000:01:00.1", "0000:01:00.2"]}


def test_all_containers_of_the_pod_count(place: Path) -> None:
    with Kubelet(
        place, pod("other", VFS), pod("web", VFS, {"intel.com/vf": ["0000:01:00.9"], "x/y": ["z"]})
    ) as kubelet:
        found = ask(str(place), "blue", "web")
    assert found == {"intel.com/vf": {*VFS["intel.com/vf"], "0000:01:00.9"}, "x/y": {"z"}}
    assert kubelet.calls == ["Get"]


@pytest.mark.parametrize("kubelet", [{"has_get": False}, {"refuse": {"Get": [DISABLED]}}], ids=["1.26", "1.33"])
def test_a_kubelet_without_get_lists_the_node(place: Path, kubelet: dict[str, object]) -> None:
    pods = [pod("web", {"a/b": ["wrong"]}, namespace="red"), pod("web", VFS), pod("web-2", {"a/b": ["wrong"]})]
    with Kubelet(place, *pods, **kubelet) as server:  # type: ignore[arg-type]
        assert ask(str(place), "blue", "web") == {"intel.com/vf": set(VFS["intel.com/vf"])}
    assert server.calls[-1] == "List"


def test_a_pod_without_devices_has_none(place: Path) -> None:
    with Kubelet(place, pod("web", {})):
        assert ask(str(place), "blue", "web") == {}


def test_a_pod_that_the_kubelet_does_not_know_has_none(place: Path) -> None:
    with Kubelet(place, pod("other", VFS)):
        assert ask(str(place), "blue", "web") == {}


def test_nobody_listens(place: Path) -> None:
    assert ask(str(place), "blue", "web") is None
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(place))
    assert ask(str(place), "blue", "web") is None
    place.unlink()
    place.write_text("no socket")
    assert ask(str(place), "blue", "web") is None


@pytest.mark.parametrize("has_get", [True, False], ids=["get", "list"])
def test_an_answer_of_10_mib(place: Path, *, has_get: bool) -> None:
    ids = [f"{at:020}-{'x' * 80}" for at in range(100_000)]
    with Kubelet(place, pod("web", {"a/b": ids}), has_get=has_get):
        assert ask(str(place), "blue", "web") == {"a/b": set(ids)}


def test_a_node_with_many_pods(place: Path) -> None:
    pods = [pod(f"web-{at}", {"a/b": [f"{at}"]}, {"c/d": [f"{at}-2"]}) for at in range(2000)]
    with Kubelet(place, *pods, has_get=False):
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_utime
        assert ask(str(place), "blue", "web-1234") == {"a/b": {"1234"}, "c/d": {"1234-2"}}
        assert resource.getrusage(resource.RUSAGE_THREAD).ru_utime - before < 2


def test_an_answer_that_is_too_large_is_refused(place: Path) -> None:
    with (
        Kubelet(place, pod("web", {"a/b": ["x" * (17 << 20)]})),
        pytest.raises(ApiFailure, match="larger than 16 MiB"),
    ):
        ask(str(place), "blue", "web")


def test_a_kubelet_that_does_not_answer_is_not_waited_for(place: Path) -> None:
    with Kubelet(place, pod("web", VFS)) as kubelet:
        kubelet.slow.clear()
        began = time.monotonic()
        with pytest.raises(TryAgainLater, match="pod blue/web: no answer within 1 s"):
            ask(str(place), "blue", "web", patience=1)
        assert time.monotonic() - began < 5


def test_a_kubelet_that_is_slow_is_waited_for(place: Path) -> None:
    with Kubelet(place, pod("web", VFS)) as kubelet:
        kubelet.slow.clear()
        threading.Timer(0.5, kubelet.slow.set).start()
        assert ask(str(place), "blue", "web") == {"intel.com/vf": set(VFS["intel.com/vf"])}


def test_a_refusal_is_told_in_the_kubelet_s_words(place: Path) -> None:
    said = "who are you? \n 100 % ünknown " + "x" * 1000
    with (
        Kubelet(place, refuse={"Get": [DISABLED], "List": [(grpc.StatusCode.PERMISSION_DENIED, said)]}),
        pytest.raises(ApiFailure, match=r"it refuses: status 7: who are you\? 100 % ünknown x+ \.\.\.$") as raised,
    ):
        ask(str(place), "blue", "web")
    assert str(place) in raised.value.message
    assert len(raised.value.message) < 700


def test_a_kubelet_without_the_v1_api_refuses(place: Path) -> None:
    with (
        Kubelet(place, refuse={"Get": [DISABLED], "List": [(grpc.StatusCode.UNIMPLEMENTED, "unknown service")]}),
        pytest.raises(ApiFailure, match="status 12: unknown service") as raised,
    ):
        ask(str(place), "blue", "web")
    assert "1.20" in raised.value.details


def test_a_kubelet_that_limits_its_rate_is_asked_again(place: Path) -> None:
    limit = (grpc.StatusCode.RESOURCE_EXHAUSTED, "rejected by rate limit")
    refuse = {"Get": [limit, limit, DISABLED], "List": [limit, None]}
    with Kubelet(place, pod("web", VFS), refuse=refuse) as kubelet:  # type: ignore[arg-type]
        assert ask(str(place), "blue", "web") == {"intel.com/vf": set(VFS["intel.com/vf"])}
    assert kubelet.calls == ["Get", "Get", "Get", "List", "List"]


def test_a_kubelet_that_goes_on_limiting_is_busy(place: Path) -> None:
    limit = (grpc.StatusCode.RESOURCE_EXHAUSTED, "rejected by rate limit")
    with (
        Kubelet(place, refuse={"Get": [limit]}),
        pytest.raises(TryAgainLater, match="busy: status 8: rejected by rate limit"),
    ):
        ask(str(place), "blue", "web", patience=1)


def test_a_name_that_no_pod_has_is_not_asked_for(place: Path) -> None:
    with Kubelet(place) as kubelet, pytest.raises(InvalidEnvironment, match="K8S_POD_NAME"):
        ask(str(place), "blue", "w" * 5000)
    assert kubelet.calls == []
