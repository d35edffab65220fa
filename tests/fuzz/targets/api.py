"""What leads to the API server and what comes from it: kubeconfigs, credentials, bytes of HTTP, objects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from cni_multus.cli.execcredential import V1, _take
from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from cni_multus.kube.answers import Call, document
from cni_multus.kube.credentials import Access
from cni_multus.kube.deadline import Deadline
from cni_multus.kube.exchange import LARGEST_HEAD, CutOff, Malformed, receive
from cni_multus.kube.kubeconfig import load_kubeconfig
from cni_multus.kube.objects import NADS, confirm
from tests.fuzz.sandbox import SCRATCH
from tests.fuzz.seeds import printed
from tests.fuzz.target import target

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cni_multus.kube.connection import Connection

SECRET = "eyJhbGciOiJSUzI1NiJ9"


def kubeconfigs() -> Iterable[bytes]:
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "kube-system"}}],
        "clusters": [
            {"name": "k", "cluster": {"server": "https://[fd00::1]:6443/x", "certificate-authority-data": "eA=="}}
        ],
        "users": [{"name": "u", "user": {"token": SECRET, "tokenFile": "token"}}],
    }
    yield printed(whole)
    cluster = {"server": "http://10.0.0.1", "insecure-skip-tls-verify": True, "tls-server-name": "k", "proxy-url": ""}
    user = {"client-certificate-data": "eA==", "client-key-data": "eA=="}
    yield printed({**whole, "clusters": [{"name": "k", "cluster": cluster}], "users": [{"name": "u", "user": user}]})
    yield (
        b"current-context: c\ncontexts:\n- name: c\n  context: {cluster: k, user: u}\nclusters:\n- name: k\n"
        b"  cluster:\n    server: https://k:6443\n    certificate-authority: ca.crt\n"
        b"users:\n- name: u\n  user: &x {token: 'abc'}\n"
    )


WORDS = (
    "exec",
    "auth-provider",
    "as",
    "proxy-url",
    "client-key",
    "https://",
    "http://a:1/",
    "https://a@b",
    "token",
    "true",
)


@target(2, 5, 7, 11, seeds=kubeconfigs, words=WORDS)
def kubeconfig(data: bytes) -> None:
    """Secrets are in no error; what is read is complete."""
    path = SCRATCH / "kubeconfig"
    path.write_bytes(data)
    (SCRATCH / "token").write_text(SECRET)
    access = load_kubeconfig(str(path), pause=0.0)
    assert access.host
    assert 0 < access.port < 1 << 16
    token = access.bearer()
    assert all("!" <= mark <= "~" for mark in token)
    assert bool(access.certificate) == bool(access.key)


class Coming:
    """A connection on which these bytes come, in pieces, and then the end."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def receive(self, deadline: Deadline) -> bytes:
        taken, self._left = self._left[:97], self._left[97:]
        return taken


def answers() -> Iterable[bytes]:
    pod = printed({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "web", "namespace": "default"}})
    length = str(len(pod)).encode()
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + length + b"\r\n\r\n" + pod
    chunks = b"%x;x=y\r\n%s\r\n" % (9, pod[:9]) + b"%X\r\n%s\r\n0\r\nX: y\r\n\r\n" % (len(pod) - 9, pod[9:])
    yield b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    yield b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n" + pod
    details = {"name": "web", "kind": "pods", "causes": [{"message": "m"}]}
    status = printed(
        {"kind": "Status", "apiVersion": "v1", "reason": "NotFound", "message": SECRET, "details": details}
    )
    for code in (401, 403, 404, 409, 410, 413, 422, 429, 500):
        yield b"HTTP/1.1 %d X\r\nRetry-After: 1\r\nContent-Length: %d\r\n\r\n%s" % (code, len(status), status)
    yield b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"


@target(11, 103, seeds=answers)
def http(data: bytes) -> None:
    """An answer is an object, or one error without our token in it."""
    try:
        answer = receive(cast("Connection", Coming(data)), Deadline(5.0), 1 << 20)
    except (Malformed, CutOff):
        return
    assert len(answer.body) <= 1 << 20
    assert sum(len(name) + len(value) for name, value in answer.headers.items()) <= LARGEST_HEAD
    for call in (Call("get", "/x", "", accept="json"), Call("patch", "/x", "", accept="json")):
        try:
            document(call, answer, "cannot get it", SECRET)
        except Exception as error:
            assert SECRET not in str(error)
            raise


def objects_of_the_api() -> Iterable[bytes]:
    yield printed({"kind": NADS.kind, "metadata": {"namespace": "shop", "name": "red"}, "spec": {"config": "{}"}})


@target(6, 7, 103, seeds=objects_of_the_api)
def objects(data: bytes) -> None:
    from cni_multus.multus.kubernetes import _read

    found = parse_object(data, "the answer")
    if isinstance(found.get("metadata"), dict) and isinstance(found.get("kind"), str):
        confirm(found, NADS, "shop", "red")
    annotations = Section(found).section("metadata").section("annotations")
    json.dumps(_read(annotations))


def credentials() -> Iterable[bytes]:
    status = {"token": SECRET, "expirationTimestamp": "2030-01-01T00:00:00Z"}
    yield printed({"kind": "ExecCredential", "apiVersion": V1, "status": status})
    certificate = {
        "clientCertificateData": "x",
        "clientKeyData": "y",
        "expirationTimestamp": "2030-01-01T00:00:00.5+01:00",
    }
    yield printed({"kind": "ExecCredential", "apiVersion": V1, "status": certificate})


@target(6, 7, 11, seeds=credentials, words=("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2030-01-01"))
def execcredential(data: bytes) -> None:
    access = Access("x", "https://k", lambda: access)
    _take(access, Section(parse_object(data, "what it printed")), V1)
    assert access.token or access.certificate
    assert access.expires >= 0
