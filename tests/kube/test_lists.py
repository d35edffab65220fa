"""Lists in parts."""

from typing import Any

import pytest

from cni_multus.kube.client import Client
from cni_multus.kube.errors import (
    BadAnswer,
    Expired,
)
from cni_multus.kube.objects import PODS
from tests.kube.lying import answer, refusal, status
from tests.kube.talking import Talk


def part(*names: str, **metadata: str) -> dict[str, Any]:
    items = [{"metadata": {"name": name}} for name in names]
    return {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items}


def names(client: Client, **how: Any) -> list[str]:
    return [item["metadata"]["name"] for item in client.list(PODS.path(), **how)]  # type: ignore[index]


def test_a_list_comes_in_parts(talk: Talk) -> None:
    client, server = talk(answer(200, part("a", "b", **{"continue": "k&1"})), answer(200, part("c")))
    assert names(client, limit=2, labels="a=b,c", fields="spec.nodeName=x") == ["a", "b", "c"]
    query = "/api/v1/pods?limit=2&labelSelector=a%3Db%2Cc&fieldSelector=spec.nodeName%3Dx"
    assert [request.target for request in server.requests] == [query, f"{query}&continue=k%261"]


def test_a_list_that_expired_goes_on_where_the_server_lets_it(talk: Talk) -> None:
    expired = status(410, "Expired") | {"metadata": {"continue": "k2"}}
    lies = answer(200, part("a", **{"continue": "k1"})), answer(410, expired), answer(200, part("b"))
    client, server = talk(*lies)
    assert names(client) == ["a", "b"]
    assert server.requests[2].target.endswith("continue=k2")


def test_a_list_that_cannot_go_on_is_an_error(talk: Talk) -> None:
    client, _ = talk(answer(200, part("a", **{"continue": "k1"})), refusal(410, "Expired"))
    with pytest.raises(Expired):
        names(client)


@pytest.mark.parametrize("items", ["x", {"a": 1}, [1], [None]])
def test_a_list_that_is_none_is_an_error(talk: Talk, items: object) -> None:
    client, _ = talk(answer(200, part() | {"items": items}))
    with pytest.raises(BadAnswer):
        names(client)


def test_a_list_that_turns_in_circles_is_an_error(talk: Talk) -> None:
    client, _ = talk(answer(200, part("a", **{"continue": "k1"})))
    with pytest.raises(BadAnswer, match="does not go on"):
        names(client)


def test_an_empty_list_of_go_is_null(talk: Talk) -> None:
    client, _ = talk(answer(200, part() | {"items": None}))
    assert names(client) == []
