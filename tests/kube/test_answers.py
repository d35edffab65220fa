"""What the server's answers mean: objects, refusals told apart, and what is no answer of an API server."""

import json

import pytest

from cni_multus.cni.errors import CniError
from cni_multus.kube.errors import (
    AlreadyExists,
    BadAnswer,
    Conflict,
    Expired,
    Forbidden,
    NotFound,
    NotServed,
    Refused,
    TooLarge,
    Unauthorized,
    Unprocessable,
)
from tests.kube.configs import TOKEN
from tests.kube.lying import Lie, answer, drip, late, raw, refusal
from tests.kube.talking import OK, POOL_PATH, Talk, at_most

OBJECT = b'{"kind":"x","metadata":{}}'
SMALL = b"HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n" + OBJECT
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED += b'b;x=y\r\n{"kind":"x"\r\n0F \r\n,"metadata":{}}\r\n0\r\nTrailer: x\r\n\r\n'


def test_what_is_sent_is_what_an_api_server_expects(talk: Talk) -> None:
    client, server = talk(OK)
    client.get(POOL_PATH, resource_version="0", metadata_only=True)
    client.patch(POOL_PATH, [{"op": "test", "path": "/a", "value": None}])
    client.merge_patch(POOL_PATH, {"status": {}}, subresource="status")
    client.delete(POOL_PATH, uid="u-1")
    get, patch, merge, delete = server.requests
    assert get.target == f"{POOL_PATH}?resourceVersion=0"
    assert get.headers["accept"].startswith("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
    assert get.headers["authorization"] == f"Bearer {TOKEN}"
    assert get.headers["host"] == f"127.0.0.1:{server.port}"
    assert patch.headers["content-type"] == "application/json-patch+json"
    assert json.loads(patch.body) == [{"op": "test", "path": "/a", "value": None}]
    assert merge.target.startswith(f"{POOL_PATH}/status?timeout=")
    assert merge.headers["content-type"] == "application/merge-patch+json"
    assert json.loads(delete.body)["preconditions"] == {"uid": "u-1"}


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(raw(b"HTTP/1.1 100 Continue\r\n\r\n" + SMALL), id="100-continue"),
        pytest.param(raw(CHUNKED), id="chunks"),
        pytest.param(raw(b"HTTP/1.0 200 OK\r\n\r\n" + OBJECT), id="until the end"),
        pytest.param(raw(b"HTTP/1.1 200\nContent-Length: 26\n\n" + OBJECT), id="bare newlines"),
        pytest.param(drip(SMALL, 0.002), id="drip"),
        pytest.param(late(2.0, OK), id="slow"),
    ],
)  # fmt: skip
def test_unusual_answers_are_answers(talk: Talk, lie: Lie) -> None:
    client, _ = talk(lie)
    assert client.get(POOL_PATH)["metadata"] is not None
    assert client.calls == 1


@pytest.mark.parametrize(
    ("lie", "error"),
    [
        (refusal(404, "NotFound", details={"kind": "ippools", "name": "pool"}), NotFound),
        (refusal(404, "NotFound", "the server could not find the requested resource", details={}), NotServed),
        (answer(404, b"404 page not found\n"), NotServed),
        (refusal(403, "Forbidden", "User x cannot get resource y"), Forbidden),
        (answer(403, b"<html>no</html>"), Forbidden),
        (refusal(409, "AlreadyExists"), AlreadyExists),
        (refusal(409, "Conflict"), Conflict),
        (answer(409, b"?"), Refused),
        (refusal(410, "Expired"), Expired),
        (refusal(413, "RequestEntityTooLarge"), TooLarge),
        (refusal(500, "", "etcdserver: request is too large"), TooLarge),
        (refusal(422, "Invalid"), Unprocessable),
        (answer(422, b"?"), Refused),
        (refusal(400, "BadRequest"), Refused),
        (refusal(501, "x"), Refused),
        (refusal(401, "Unauthorized"), Unauthorized),
    ],
)
def test_refusals_are_told_apart_and_never_repeated(talk: Talk, lie: Lie, error: type[CniError]) -> None:
    client, _ = talk(lie)
    with pytest.raises(CniError) as caught:
        client.patch(POOL_PATH, [], repeatable=True)
    assert type(caught.value) is error
    assert client.calls == 1
    assert caught.value.message.startswith(f"cannot patch {POOL_PATH} at http://127.0.0.1:")
    assert TOKEN not in caught.value.message + caught.value.details
    assert caught.value.code == (11 if error in {Conflict, Expired} else 103)


def test_the_message_says_what_the_server_said(talk: Talk) -> None:
    said = "testing value /spec/allocations/5 failed: test failed"
    details = {"causes": [{"reason": "UnexpectedServerResponse", "message": said}], "kind": "ippools", "name": "pool"}
    causes = [{"reason": "FieldValueInvalid", "message": "Invalid value", "field": "spec.range"}]
    invalid = refusal(422, "Invalid", details={"causes": causes, "kind": "IPPool", "name": "pool"})
    client, _ = talk(refusal(422, "Invalid", "rejected " + "x" * 1000, details=details), invalid)
    with pytest.raises(Unprocessable, match=r"422 Invalid: rejected x{100,400} \.\.\.$") as caught:
        client.patch(POOL_PATH, [])
    assert (caught.value.test_failed, caught.value.kind, caught.value.name) == (True, "ippools", "pool")
    with pytest.raises(Unprocessable) as caught:
        client.patch(POOL_PATH, [])
    assert not caught.value.test_failed


@pytest.mark.parametrize("as_status", [True, False])
def test_a_server_that_repeats_our_token_does_not_make_us_tell_it(talk: Talk, as_status: bool) -> None:
    said = f"what is Authorization: Bearer {TOKEN} ?"
    client, _ = talk(refusal(400, "BadRequest", said) if as_status else answer(400, said.encode()))
    with pytest.raises(Refused, match=r"Bearer \*\*\*") as caught:
        client.get(POOL_PATH)
    assert TOKEN not in caught.value.message + repr(caught.value) + caught.value.said


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(answer(200, b""), id="empty"),
        pytest.param(answer(200, b"<html>"), id="no JSON"),
        pytest.param(answer(200, b'{"kind":"x","metadata"'), id="cut JSON"),
        pytest.param(answer(200, []), id="a list"),
        pytest.param(answer(200, {"kind": "x"}), id="no object"),
        pytest.param(answer(200, b"[" * 100_000), id="deep"),
        pytest.param(answer(302, b"", Location="http://evil/"), id="redirect"),
        pytest.param(raw(b"HTTP/1.1 101 Switching\r\n\r\n"), id="switch"),
        pytest.param(raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 50), id="continue for ever"),
        pytest.param(raw(b"SSH-2.0-OpenSSH\r\n"), id="no HTTP"),
        pytest.param(raw(b"HTTP/1.1 2x0 OK\r\n\r\n"), id="no status"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), id="negative length"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}"), id="two lengths"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"), id="too long, said"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n"), id="too long a length"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (9 << 20)), id="too long, unsaid"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n"), id="a huge chunk"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n"), id="no chunk"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n"), id="a lying chunk"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"), id="gzip"),
        pytest.param(answer(200, b"\x1f\x8b", Content_Encoding="gzip"), id="compressed"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000 + b"\r\n"), id="many headers"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nA: " + b"b" * (1 << 20)), id="a long header"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"), id="no header"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_one_clear_error(talk: Talk, lie: Lie) -> None:
    client, _ = talk(lie)
    with at_most(8), pytest.raises(BadAnswer) as caught:
        client.get(POOL_PATH)
    assert (caught.value.code, caught.value.ambiguous, client.calls) == (103, False, 1)
    assert caught.value.message.startswith(f"cannot get {POOL_PATH}")


def test_nonsense_after_a_change_leaves_doubt(talk: Talk) -> None:
    client, _ = talk(answer(200, b"<html>"))
    with pytest.raises(BadAnswer) as caught:
        client.patch(POOL_PATH, [], repeatable=True)
    assert (caught.value.ambiguous, client.calls) == (True, 1)
