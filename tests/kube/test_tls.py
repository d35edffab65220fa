"""Who is trusted, and how we are known: certificates, right and wrong."""

from __future__ import annotations

import socket
import ssl
import subprocess
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.errors import InvalidNetworkConfig
from cni_multus.kube.client import Client
from cni_multus.kube.deadline import Deadline
from cni_multus.kube.errors import Lost, NotTrusted, TimedOut, Unreachable
from cni_multus.kube.kubeconfig import load_kubeconfig
from tests.cluster.pki import Authority, Certificate
from tests.kube.configs import TOKEN, config, write
from tests.kube.lying import POOL, LyingServer, raw, silence
from tests.kube.talking import OK, POOL_PATH, at_most

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    return authority.issue(authority.ca.parent, "/CN=server", "IP:127.0.0.1,DNS:kubernetes")


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Certificate:
    return authority.issue(authority.ca.parent, "/O=system:nodes/CN=us")


def spoken(certificate: Certificate, authority: Authority | None = None) -> ssl.SSLContext:
    """TLS as a server; it wants a certificate of ours where an authority is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    if authority:
        context.load_verify_locations(authority.ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture
def server(certificate: Certificate) -> Iterator[LyingServer]:
    with LyingServer(OK, tls=spoken(certificate)) as server:
        yield server


def client(directory: Path, url: str, ca: Path | None, *, user: Any = None, **cluster: Any) -> Client:
    whole = config(url, **(user or {}))
    whole["clusters"][0]["cluster"].update(cluster)
    if ca:
        whole["clusters"][0]["cluster"]["certificate-authority"] = str(ca)
    return Client(load_kubeconfig(write(directory, whole)), Deadline(5), attempt=1.0)


def test_a_server_that_the_authority_vouches_for_is_trusted(
    tmp_path: Path, authority: Authority, server: LyingServer
) -> None:
    with client(tmp_path, server.url, authority.ca) as us:
        assert us.get(POOL_PATH) == us.get(POOL_PATH) == POOL
    assert server.connections == 1


def test_a_server_that_nobody_vouches_for_never_sees_the_token(tmp_path: Path, server: LyingServer) -> None:
    other = Authority(tmp_path / "other").ca
    with client(tmp_path, server.url, other) as us, pytest.raises(NotTrusted, match="local issuer") as caught:
        us.patch(POOL_PATH, [])
    assert (us.calls, server.requests, caught.value.code) == (0, [], 103)
    assert "kubeconfig" in caught.value.details
    assert TOKEN not in caught.value.message + caught.value.details


def test_without_an_authority_the_system_s_count(tmp_path: Path, server: LyingServer) -> None:
    with client(tmp_path, server.url, None) as us, pytest.raises(NotTrusted):
        us.get(POOL_PATH)


def test_a_certificate_for_another_name_is_not_trusted(
    tmp_path: Path, authority: Authority, server: LyingServer
) -> None:
    url = server.url.replace("127.0.0.1", "localhost")
    with client(tmp_path, url, authority.ca) as us, pytest.raises(NotTrusted, match="Hostname mismatch"):
        us.get(POOL_PATH)
    with client(tmp_path, url, authority.ca, **{"tls-server-name": "kubernetes"}) as us:
        assert us.get(POOL_PATH) == POOL


def test_nobody_checks_where_that_is_switched_off(tmp_path: Path, server: LyingServer) -> None:
    with client(tmp_path, server.url, None, **{"insecure-skip-tls-verify": True}) as us:
        assert us.get(POOL_PATH) == POOL


def test_an_intermediate_authority_vouches_too(tmp_path: Path, authority: Authority) -> None:
    """As it does for every client in Go, so such kubeconfigs exist."""
    between = Certificate(tmp_path / "between.crt", tmp_path / "between.key")
    extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"]
    authority._make(between, "/CN=between", extensions, "-CA", str(authority.ca), "-CAkey", str(authority._key))
    inner = Authority.__new__(Authority)
    inner.ca, inner._key = between.certificate, between.key
    with (
        LyingServer(OK, tls=spoken(inner.issue(tmp_path, "/CN=below", "IP:127.0.0.1"))) as server,
        client(tmp_path, server.url, inner.ca) as us,
    ):
        assert us.get(POOL_PATH) == POOL


@pytest.mark.parametrize("inline", [True, False])
def test_a_client_certificate_is_shown(
    tmp_path: Path, authority: Authority, certificate: Certificate, ours: Certificate, inline: bool
) -> None:
    files = {"client-certificate": ours.certificate, "client-key": ours.key}
    user = {name: str(path) for name, path in files.items()}
    if inline:
        user = {f"{name}-data": b64encode(path.read_bytes()).decode() for name, path in files.items()}
    with (
        LyingServer(OK, tls=spoken(certificate, authority)) as server,
        client(tmp_path, server.url, authority.ca, user=user) as us,
    ):
        assert us.get(POOL_PATH) == POOL
        assert "authorization" not in server.requests[0].headers


def test_a_server_that_wants_a_certificate_which_we_lack_says_so(
    tmp_path: Path, authority: Authority, certificate: Certificate
) -> None:
    with (
        LyingServer(OK, tls=spoken(certificate, authority)) as server,
        client(tmp_path, server.url, authority.ca) as us,
        pytest.raises((NotTrusted, Lost)) as caught,
    ):
        us.get(POOL_PATH)
    if isinstance(caught.value, NotTrusted):  # else the server's reset was faster than its alert
        assert "alert certificate required" in caught.value.message


def test_a_key_that_does_not_fit_is_named(
    tmp_path: Path, authority: Authority, certificate: Certificate, ours: Certificate, server: LyingServer
) -> None:
    user = {"client-certificate": str(ours.certificate), "client-key": str(certificate.key)}
    with (
        client(tmp_path, server.url, authority.ca, user=user) as us,
        pytest.raises(InvalidNetworkConfig, match=r"not a pair.*mismatch") as caught,
    ):
        us.get(POOL_PATH)
    assert f"{tmp_path}/kubeconfig" in caught.value.message
    assert "PRIVATE" not in caught.value.message


def test_nobody_is_asked_for_the_password_of_a_key(
    tmp_path: Path, authority: Authority, ours: Certificate, server: LyingServer
) -> None:
    locked = tmp_path / "locked.key"
    command = ["openssl", "pkcs8", "-topk8", "-in", str(ours.key), "-out", str(locked), "-passout", "pass:secret"]
    subprocess.run(command, check=True, capture_output=True)
    user = {"client-certificate": str(ours.certificate), "client-key": str(locked)}
    with (
        client(tmp_path, server.url, authority.ca, user=user) as us,
        at_most(10),
        pytest.raises(InvalidNetworkConfig, match="without a password"),
    ):
        us.get(POOL_PATH)


@pytest.mark.parametrize("content", [b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_an_authority_that_is_no_certificate_is_named(tmp_path: Path, server: LyingServer, content: bytes) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_bytes(content)
    with client(tmp_path, server.url, ca) as us, pytest.raises(InvalidNetworkConfig, match="not a certificate"):
        us.get(POOL_PATH)


class Instead:
    """What a server does that has no TLS: say something else, or hang up."""

    def __init__(self, said: bytes) -> None:
        self.said = said

    def wrap_socket(self, connection: socket.socket, *, server_side: bool) -> socket.socket:
        connection.recv(1 << 16)
        connection.sendall(self.said)
        raise ConnectionResetError


def test_a_server_without_tls_is_no_mystery(tmp_path: Path, authority: Authority) -> None:
    with (
        LyingServer(OK, tls=Instead(b"HTTP/1.0 400 Bad Request\r\n\r\n")) as server,
        client(tmp_path, server.url, authority.ca) as us,
        pytest.raises(NotTrusted, match="does not speak TLS"),
    ):
        us.get(POOL_PATH)


def test_tls_without_a_word_is_given_up(tmp_path: Path, authority: Authority) -> None:
    """A server that was stopped: the kernel still takes connections for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        us = client(tmp_path, url, authority.ca)
        with at_most(15), us, pytest.raises(TimedOut) as caught:
            us.patch(POOL_PATH, [])
    assert (caught.value.ambiguous, us.calls) == (False, 0)


def test_a_server_that_hangs_up_before_tls_is_gone(tmp_path: Path, authority: Authority) -> None:
    """A balancer with nothing behind it."""
    with (
        LyingServer(OK, tls=Instead(b"")) as server,
        client(tmp_path, server.url, authority.ca) as us,
        at_most(10),
        pytest.raises(Unreachable) as caught,
    ):
        us.patch(POOL_PATH, [])
    assert (caught.value.ambiguous, us.calls) == (False, 0)
    assert server.connections > 1


def test_an_answer_that_is_cut_off_inside_tls_is_lost(
    tmp_path: Path, authority: Authority, certificate: Certificate
) -> None:
    cut = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
    with (
        LyingServer(cut, tls=spoken(certificate)) as server,
        client(tmp_path, server.url, authority.ca) as us,
        pytest.raises(Lost) as caught,
    ):
        us.patch(POOL_PATH, [])
    assert caught.value.ambiguous


def test_silence_inside_tls_is_given_up(tmp_path: Path, authority: Authority, certificate: Certificate) -> None:
    with (
        LyingServer(silence(), tls=spoken(certificate)) as server,
        client(tmp_path, server.url, authority.ca) as us,
        at_most(10),
        pytest.raises(TimedOut) as caught,
    ):
        us.patch(POOL_PATH, [])
    assert caught.value.ambiguous
