"""A gRPC server in Go, as the kubelet is one: etcd, which can be had on a unix socket."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import ApiFailure
from cni_multus.kube.deadline import Deadline
from cni_multus.podresources.faults import Refused
from cni_multus.podresources.grpc import Channel
from cni_multus.podresources.kubelet import ask
from tools.kubekit import kubekit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def etcd(place: Path) -> Iterator[Path]:
    """Its socket; etcd takes what a URL has as host and port for the socket's name, and makes it where it stands."""
    options = {
        "data-dir": "data",
        "listen-client-urls": "unix://localhost:1",
        "advertise-client-urls": "http://localhost:1",
        "listen-peer-urls": "unix://localhost:2",
        "initial-advertise-peer-urls": "http://localhost:2",
        "initial-cluster": "default=http://localhost:2",
    }
    command = [str(kubekit(building=False).etcd), *(f"--{name}={value}" for name, value in options.items())]
    with (place.parent / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=place.parent, stdout=log, stderr=log)
    try:
        socket = place.parent / "localhost:1"
        deadline = time.monotonic() + 30
        while not socket.exists():
            assert process.poll() is None, (place.parent / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield socket
    finally:
        process.kill()
        process.wait()


def put(key: bytes, size: int) -> bytes:
    """PutRequest of etcd: key = 1, value = 2."""
    return b"\x0a" + bytes((len(key),)) + key + b"\x12" + bytes((size & 0x7F | 0x80, size >> 7)) + b"v" * size


def test_its_answers_and_refusals_are_understood(etcd: Path) -> None:
    channel = Channel(str(etcd), Deadline(60))
    try:
        for at in range(500):
            channel.call("/etcdserverpb.KV/Put", put(b"k%d" % at, 15000))
        for _ in range(3):
            with pytest.raises(Refused, match=r"^status 12: unknown service v1\.PodResourcesLister$"):
                channel.call("/v1.PodResourcesLister/Get", b"")
            with pytest.raises(Refused, match=r"^status 3: etcdserver: key is not provided$"):
                channel.call("/etcdserverpb.KV/Range", b"")
        everything = channel.call("/etcdserverpb.KV/Range", b"\x0a\1\0\x12\1\0")
        assert len(everything) > 500 * 15000
    finally:
        channel.close()


def test_a_server_without_the_service_is_named(etcd: Path) -> None:
    with pytest.raises(ApiFailure, match="it refuses: status 12: unknown service"):
        ask(str(etcd), "blue", "web")
