"""Whatever the API server, or what stands in its place, answers: one CNI error in time, and nothing attached."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.cluster.disturbances import refusal
from tests.kubernetes.failing import changed, failing, of_network, of_pod
from tests.kubernetes.site import NETWORKS, RESOURCE, STATUS
from tests.nads.defined import VALUES

if TYPE_CHECKING:
    from tests.kubernetes.site import Member, Site

LATE = 11
REFUSED = 103
RETRIED = {429, 500, 502, 503, 504}
HTML = b"<html><body><h1>It works!</h1></body></html>"
LONG = 9 << 20

NO_OBJECTS: dict[str, object] = {
    "null": None,
    "a list": [],
    "a list of objects": [{"kind": "Pod", "metadata": {}}],
    "text": "yes",
    "a number": 7,
    "an empty object": {},
    "nothing": b"",
    "blanks": b" \n",
    "HTML": HTML,
    "cut off": b'{"kind": "Po',
    "two documents": b"{}{}",
    "not UTF-8": b'{"kind": "\xff"}',
    "deep": b'{"kind": "Pod", "metadata": {}, "x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "deeper": b"[" * 1_000_000,
    "NaN": b'{"kind": NaN}',
    "more than anything has": b'"' + b"x" * LONG + b'"',
    "a Status": refusal(404)[1],
    "no metadata": {"kind": "Pod", "apiVersion": "v1"},
    "metadata null": {"kind": "Pod", "apiVersion": "v1", "metadata": None},
    "metadata a list": {"kind": "Pod", "apiVersion": "v1", "metadata": []},
    "metadata empty": {"kind": "Pod", "apiVersion": "v1", "metadata": {}},
    "a kind of no type": {"kind": 7, "metadata": {}},
}
"""Answers with status 200 that are no object at all."""


@pytest.fixture
def pod(site: Site) -> Member:
    """One that asks for the network `red`, which is there."""
    site.macvlan("red", "10.7.0.0/24")
    return site.pod("web", "red")


def test_a_pod_that_is_none_is_refused(site: Site, pod: Member) -> None:
    right = of_pod(pod)
    wrong = {
        **NO_OBJECTS,
        "another kind": {**right, "kind": "Secret"},
        "another one's name": changed(right, name="other"),
        "another one's namespace": changed(right, namespace="default"),
        "a name of no type": changed(right, name=["web"]),
        "no name": changed(right, name=None),
        "a UID that is a number": changed(right, uid=7),
        "a UID that is a list": changed(right, uid=[pod.uid]),
        "annotations a list": changed(right, annotations=[NETWORKS]),
        "annotations text": changed(right, annotations=NETWORKS),
        "a number for networks": of_pod(pod, 7),
        "a list for networks": of_pod(pod, ["red"]),
        "an object for networks": of_pod(pod, {"name": "red"}),
        "a yes for networks": of_pod(pod, True),
    }
    for why, document in wrong.items():
        said = failing(site, pod, "GET", "/pods/", answer=(200, document, {}))
        assert said.startswith(f"{REFUSED} "), (why, said)
    for uid in ("another", "", None):
        assert failing(site, pod, "GET", "/pods/", answer=(200, changed(right, uid=uid), {})).startswith("3 "), uid
    assert site.road.count("PATCH") == 0


def test_a_definition_that_is_none_is_refused(site: Site, pod: Member) -> None:
    right = of_network(site)
    wrong = {
        **NO_OBJECTS,
        "another kind": {**right, "kind": "Secret"},
        "a pod": of_pod(pod),
        "another one's name": changed(right, name="green"),
        "another one's namespace": changed(right, namespace="default"),
    }
    for why, document in wrong.items():
        said = failing(site, pod, "GET", "network-attachment", answer=(200, document, {}))
        assert said.startswith(f"{REFUSED} "), (why, said)
    assert site.events("NoNetworkFound", 0) == []
    mistyped = {
        "spec a list": {**right, "spec": ["config"]},
        "spec text": {**right, "spec": "config"},
        "config an object": of_network(site, {"type": "macvlan"}),
        "config a list": of_network(site, []),
        "config a number": of_network(site, 7),
        "annotations a list": changed(right, annotations=[]),
        "a resource that is a number": changed(right, annotations={RESOURCE: 7}),
        "half of a surrogate pair": of_network(site, "\ud800"),
        "NUL": of_network(site, "\0"),
    }
    for why, document in mistyped.items():
        said = failing(site, pod, "GET", "network-attachment", answer=(200, document, {}))
        assert said.startswith("7 "), (why, said)
        assert f"NetworkAttachmentDefinition {site.cluster.namespace}/red" in said
    site.await_delivery()
    assert len(site.events("NoNetworkFound", len(mistyped) - 1)) >= len(mistyped) - 1


def test_an_answer_to_the_status_that_is_none_takes_everything_back(site: Site, pod: Member) -> None:
    for why, document in NO_OBJECTS.items():
        if why not in ("metadata empty", "a Status"):  # objects all the same, and nothing of them is looked at
            said = failing(site, pod, "PATCH", "/status", answer=(200, document, {}))
            assert said.startswith(f"{REFUSED} "), (why, said)
            assert "cannot write network-status" in said
    assert STATUS not in pod.annotations


@pytest.mark.parametrize("kind", ["GET /pods/", "GET network-attachment", "PATCH /status"])
def test_every_status_has_its_code(site: Site, pod: Member, kind: str) -> None:
    method, path = kind.split()
    for status in HTTPStatus:
        if status < 300:
            continue
        body = refusal(status)[1] if status % 2 else HTML
        said = failing(site, pod, method, path, answer=(int(status), body, {"Retry-After": "3600", "Location": "/"}))
        late = status in RETRIED or (status in (409, 410) and body != HTML)
        assert said.startswith(f"{LATE if late else REFUSED} "), (status, said)


def test_a_status_that_others_have_just_changed_is_no_pod_that_is_gone(site: Site, pod: Member) -> None:
    conflict = refusal(409, 'Operation cannot be fulfilled on pods "web": the object has been modified')
    assert failing(site, pod, "PATCH", "/status", answer=conflict).startswith(f"{LATE} ")


def test_a_404_is_believed_only_of_an_api_server(site: Site, pod: Member) -> None:
    path = "network-attachment"
    for body in (HTML, b"", b"404 page not found or so"):
        assert failing(site, pod, "GET", path, answer=(404, body, {})).startswith(f"{REFUSED} ")
    said = failing(site, pod, "GET", path, answer=(404, b"404 page not found\n", {"Content-Type": "text/plain"}))
    assert said.startswith("7 ")
    assert "CRD" in said
    status, document, headers = refusal(404)
    assert isinstance(document, dict)
    document["details"] = {"name": "red", "kind": "network-attachment-definitions"}
    assert failing(site, pod, "GET", path, answer=(status, document, headers)).startswith("7 ")


@pytest.mark.parametrize(
    ("disturbance", "code"),
    [
        pytest.param({"delay": 3.0}, LATE, id="late"),
        pytest.param({"cut": True}, LATE, id="cut"),
        pytest.param({"lose": True}, LATE, id="lost"),
        pytest.param({"truncate": 0}, LATE, id="no body"),
        pytest.param({"truncate": 7}, LATE, id="half a body"),
        pytest.param({"answer": (200, {}, {"Content-Length": "5"})}, REFUSED, id="two lengths"),
        pytest.param({"answer": (200, {}, {"content-length": "99999999999"})}, REFUSED, id="another length"),
        pytest.param({"answer": (200, b"{}\r\n", {"Transfer-Encoding": "chunked"})}, REFUSED, id="not in chunks"),
        pytest.param({"answer": (200, {}, {"Transfer-Encoding": "gzip"})}, REFUSED, id="compressed"),
        pytest.param({"answer": (200, {}, {"X": "y" * 70_000})}, REFUSED, id="a long header"),
        pytest.param({"answer": (200, {}, {"X\r\nno header": "y"})}, REFUSED, id="no header"),
        pytest.param({"answer": (204, b"", {})}, REFUSED, id="no content"),
        pytest.param({"answer": refusal(401)}, REFUSED, id="unknown"),
    ],
)
def test_connections_of_a_bad_day(site: Site, pod: Member, disturbance: dict[str, Any], code: int) -> None:
    for method, path in (("GET", "/pods/"), ("GET", "network-attachment"), ("PATCH", "/status")):
        said = failing(site, pod, method, path, **disturbance)
        assert said.startswith(f"{code} "), (method, path, said)


@given(
    document=VALUES, member=st.sampled_from(["metadata", "annotations", "networks", "kind", "all", "spec", "config"])
)
@example(document="\ud800", member="networks")
@example(document="\0", member="networks")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_answer(site: Site, document: object, member: str) -> None:
    """One error, with nothing attached; or it is attached, and goes without a trace."""
    pod = Members.of(site)
    whole: object = {**of_pod(pod), member: document}
    path = "/pods/"
    if member == "all":
        whole = document
    elif member in ("spec", "config"):
        path = "network-attachment"
        whole = {**of_network(site), "spec": document} if member == "spec" else of_network(site, document)
    elif member in ("annotations", "networks"):
        whole = changed(of_pod(pod), annotations=document if member == "annotations" else {NETWORKS: document})
    disturbance = site.road.disturb("GET", path, times=-1, answer=(200, whole, {}))
    config = site.config(apiTimeout=2)
    answer = site.call("ADD", config, pod)
    site.road.disturbances.remove(disturbance)
    if answer.status:
        assert answer.document["code"] in (3, 6, 7, REFUSED), answer.document
        answer.failed(answer.document["code"])
    site.call("DEL", config, pod).succeeded()
    assert site.node.remains(pod) == {}


class Members:
    """One pod of a site for many examples."""

    _made: dict[int, Member] = {}

    @classmethod
    def of(cls, site: Site) -> Member:
        if id(site) not in cls._made:
            site.macvlan("red", "10.7.0.0/24")
            cls._made = {id(site): site.pod("web", "red")}
        return cls._made[id(site)]
