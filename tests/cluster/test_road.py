"""The way to the server that tests make bad: it does what it says, and otherwise nothing."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.cluster.client import Client
from tests.cluster.disturbances import refusal
from tests.conftest import entered

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.cluster.cluster import Cluster
    from tests.cluster.road import Road


@pytest.fixture
def road(cluster: Cluster) -> Road:
    return cluster.road()


@pytest.fixture
def traveller(cluster: Cluster, road: Road) -> Client:
    return client_of(cluster, road)


def client_of(cluster: Cluster, road: Road) -> Client:
    return Client(road.url, cluster.server.ca, cluster.server.token)


def test_a_namespace_reaches_the_server(cluster: Cluster, host: Namespace) -> None:
    road = cluster.road(host.path)
    with entered(host.path):
        client_of(cluster, road).post(cluster.path("ippools"), pool("there")).expect(201)
    assert set(cluster.objects("ippools")) == {"there"}


def test_calls_are_written_down(cluster: Cluster, road: Road, traveller: Client) -> None:
    traveller.post(cluster.path("ippools"), pool("some"))
    traveller.get(cluster.path("ippools", "none"))
    seen = [(call.method, call.path, call.status) for call in road.calls]
    assert seen == [("POST", cluster.path("ippools"), 201), ("GET", cluster.path("ippools", "none"), 404)]
    assert road.calls[0].document == pool("some")
    assert (road.count("POST"), road.count(path="/none"), road.count()) == (1, 1, 2)


def test_another_writer_comes_between(cluster: Cluster, road: Road, traveller: Client) -> None:
    road.disturb("POST", "/ippools", before=lambda call: cluster.add_pool("some", "10.0.0.0/24"))
    assert traveller.post(cluster.path("ippools"), pool("some")).status == 409


def test_the_server_does_it_and_the_answer_is_lost(cluster: Cluster, road: Road, traveller: Client) -> None:
    road.disturb("POST", lose=True)
    with pytest.raises(ConnectionResetError):
        traveller.post(cluster.path("ippools"), pool("some"))
    assert set(cluster.objects("ippools")) == {"some"}
    assert traveller.get(cluster.path("ippools")).status == 200


def test_a_request_is_cut_before_the_server_sees_it(cluster: Cluster, road: Road, traveller: Client) -> None:
    road.disturb("POST", cut=True, skip=1)
    traveller.post(cluster.path("ippools"), pool("some")).expect(201)
    with pytest.raises(ConnectionResetError):
        traveller.post(cluster.path("ippools"), pool("other"))
    assert set(cluster.objects("ippools")) == {"some"}


def test_an_answer_is_given_instead(cluster: Cluster, road: Road, traveller: Client) -> None:
    road.disturb(times=2, answer=refusal(429, "slow down", {"Retry-After": "1"}))
    for _ in range(2):
        reply = traveller.get(cluster.path("ippools"))
        assert (reply.status, reply.message, reply.headers["Retry-After"]) == (429, "slow down", "1")
    assert traveller.get(cluster.path("ippools")).status == 200


def test_an_answer_is_cut_off(cluster: Cluster, road: Road, traveller: Client) -> None:
    cluster.add_pool("some", "10.0.0.0/24")
    road.disturb(truncate=10)
    with pytest.raises(http.client.IncompleteRead):
        traveller.get(cluster.path("ippools", "some"))


def test_every_request_is_slow(cluster: Cluster, road: Road, traveller: Client) -> None:
    road.delay_request, road.delay_answer = 0.1, 0.15
    begun = time.monotonic()
    traveller.get(cluster.path("ippools")).expect(200)
    assert time.monotonic() - begun > 0.25
    with pytest.raises(TimeoutError):
        traveller.get(cluster.path("ippools"), timeout=0.1)


def test_a_closed_road_refuses_until_it_is_open(cluster: Cluster, road: Road, traveller: Client) -> None:
    road.close()
    with pytest.raises(ConnectionRefusedError):
        traveller.get(cluster.path("ippools"))
    road.open()
    traveller.get(cluster.path("ippools")).expect(200)


@pytest.mark.parametrize("raw", [False, True])
def test_connections_are_reset(cluster: Cluster, raw: bool) -> None:
    road = cluster.road(raw=raw)
    context = ssl.create_default_context(cafile=cluster.server.ca)
    connection = http.client.HTTPSConnection(urlsplit(road.url).netloc, context=context, timeout=10)
    try:
        connection.request("GET", "/readyz")
        assert connection.getresponse().read() == b"ok"
        road.cut()
        with pytest.raises(ConnectionResetError):  # asked below TLS, which may take it for an end
            socket.socket.recv(connection.sock, 1 << 16)
    finally:
        connection.close()


def test_a_certificate_is_shown_to_the_server_itself(cluster: Cluster, tmp_path: Path) -> None:
    road = cluster.road(raw=True)
    road.delay_answer = 0.05
    certificate = cluster.certificate("somebody")
    client = Client(road.url, cluster.server.ca, "")
    client._context.load_cert_chain(certificate.certificate, certificate.key)
    client._token = "nothing"  # a token that is wrong counts for nothing where the certificate is right
    reply = client.get(cluster.path("ippools"))
    assert (reply.status, '"somebody"' in reply.message) == (403, True), reply


def pool(name: str) -> dict[str, object]:
    return {
        "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
        "kind": "IPPool",
        "metadata": {"name": name},
        "spec": {"range": "10.0.0.0/24", "allocations": {}},
    }
