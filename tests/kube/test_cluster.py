"""The client against a real API server: who we are, what it refuses, and lists in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.kube.client import Client
from cni_multus.kube.credentials import in_cluster
from cni_multus.kube.deadline import Deadline
from cni_multus.kube.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Lost,
    NotFound,
    NotServed,
    NotTrusted,
    Refused,
    TooLarge,
    Unauthorized,
    Unprocessable,
)
from cni_multus.kube.objects import IP_POOLS, PODS, RESERVATIONS, Resource, pointer
from tests.cluster.cluster import SUPERUSERS, Cluster, rule
from tests.cluster.pki import Authority
from tests.kube.real import CONFIG_MAPS, pool, talking

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def entry(owner: str) -> dict[str, str]:
    return {"id": owner, "podref": f"ns/{owner}", "ifname": "net1"}


def names(objects: Iterable[dict[str, Any]]) -> list[str]:
    return [each["metadata"]["name"] for each in objects]


@pytest.fixture
def admin(cluster: Cluster) -> Iterator[Client]:
    with talking(cluster.kubeconfig()) as client:
        yield client


@pytest.mark.parametrize("style", ["json", "yaml"])
@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize("by", ["token", "token_file", "certificate"])
def test_every_kind_of_credentials_is_taken(
    cluster: Cluster, tmp_path: Path, style: str, inline: bool, by: str
) -> None:
    token = tmp_path / "token"
    token.write_text(f"{cluster.server.token}\n")
    who: dict[str, Any] = {"token": cluster.server.token, "token_file": token}
    who["certificate"] = cluster.certificate("us", SUPERUSERS)
    with talking(cluster.kubeconfig(style=style, inline=inline, **{by: who[by]})) as client:
        assert client.access.namespace == cluster.namespace
        created = client.create(IP_POOLS.path(cluster.namespace), pool())
        assert client.get(IP_POOLS.path(cluster.namespace, "10.0.0.0-24")) == created


def test_a_pod_s_service_account_is_taken(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(cluster.token(rule("ippools", "list")))
    (tmp_path / "ca.crt").write_bytes(cluster.server.ca.read_bytes())
    (tmp_path / "namespace").write_text(cluster.namespace)
    host, port = cluster.server.url.removeprefix("https://").split(":")
    environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    with Client(in_cluster(environment, str(tmp_path)), Deadline(30)) as client:
        assert list(client.list(IP_POOLS.path(client.access.namespace))) == []


def test_one_connection_carries_a_whole_life(cluster: Cluster, admin: Client) -> None:
    collection, path = IP_POOLS.path(cluster.namespace), IP_POOLS.path(cluster.namespace, "10.0.0.0-24")
    uid = admin.create(collection, pool())["metadata"]["uid"]  # type: ignore[index]
    place = pointer("spec", "allocations", "5")
    take = [{"op": "test", "path": place, "value": None}, {"op": "add", "path": place, "value": entry("a")}]
    assert admin.patch(path, take)["spec"]["allocations"] == {"5": entry("a")}  # type: ignore[index]
    merged = admin.merge_patch(path, {"metadata": {"labels": {"a": "b"}}})
    assert merged["metadata"]["labels"] == {"a": "b"}  # type: ignore[index]
    admin.delete(path, uid=uid)
    with pytest.raises(NotFound) as caught:
        admin.get(path)
    assert (caught.value.kind, caught.value.name, admin.calls) == ("ippools", "10.0.0.0-24", 5)


def test_metadata_alone_comes_back_where_that_is_asked_for(cluster: Cluster, admin: Client) -> None:
    path = IP_POOLS.path(cluster.namespace, "10.0.0.0-24")
    answers = [
        admin.create(IP_POOLS.path(cluster.namespace), pool(), metadata_only=True),
        admin.get(path, metadata_only=True),
        admin.get(path, resource_version="0", metadata_only=True),
        admin.patch(path, [{"op": "add", "path": "/spec/allocations/5", "value": entry("a")}], metadata_only=True),
        *admin.list(IP_POOLS.path(cluster.namespace), metadata_only=True),
    ]
    assert all("spec" not in answer and answer["metadata"]["name"] == "10.0.0.0-24" for answer in answers)  # type: ignore[index]


def test_a_test_that_fails_is_told_from_an_object_that_is_not_valid(cluster: Cluster, admin: Client) -> None:
    path = IP_POOLS.path(cluster.namespace, "10.0.0.0-24")
    admin.create(IP_POOLS.path(cluster.namespace), pool())
    with pytest.raises(Unprocessable) as caught:
        admin.patch(path, [{"op": "test", "path": "/spec/range", "value": "10.9.0.0/24"}], repeatable=True)
    assert caught.value.test_failed
    with pytest.raises(Unprocessable) as caught:
        admin.patch(path, [{"op": "remove", "path": "/spec/allocations/7"}])
    assert caught.value.test_failed
    with pytest.raises(Unprocessable, match=r"spec\.range") as caught:
        admin.patch(path, [{"op": "replace", "path": "/spec/range", "value": 5}])
    assert not caught.value.test_failed


def test_refusals_have_their_classes(cluster: Cluster, admin: Client) -> None:
    collection = IP_POOLS.path(cluster.namespace)
    admin.create(collection, pool())
    with pytest.raises(AlreadyExists):
        admin.create(collection, pool())
    with pytest.raises(Conflict, match="UID"):
        admin.delete(IP_POOLS.path(cluster.namespace, "10.0.0.0-24"), uid="another")
    with pytest.raises(Conflict):
        admin.merge_patch(IP_POOLS.path(cluster.namespace, "10.0.0.0-24"), {"metadata": {"resourceVersion": "1"}})
    with pytest.raises(Unprocessable):
        admin.create(collection, pool("Not A Name"))
    with pytest.raises(Refused, match="400 BadRequest"):
        admin.patch(IP_POOLS.path(cluster.namespace, "10.0.0.0-24"), {"op": "no list"})


def test_what_is_not_served_is_told_from_what_is_not_there(cluster: Cluster, admin: Client) -> None:
    for unknown in (Resource("nobody.example/v1", "things", "Thing"), Resource(IP_POOLS.api_version, "things", "T")):
        with pytest.raises(NotServed, match="not installed"):
            admin.get(unknown.path(cluster.namespace, "x"))
    with pytest.raises(NotFound) as caught:
        admin.create(RESERVATIONS.path("no-such-namespace"), pool("x") | {"kind": RESERVATIONS.kind})
    assert caught.value.kind == "namespaces"
    with pytest.raises(NotFound):
        admin.delete(PODS.path(cluster.namespace, "x"))


def test_a_role_that_lacks_something_is_told_what(cluster: Cluster) -> None:
    token = cluster.token(rule("ippools", "get"))
    with talking(cluster.kubeconfig(token=token)) as client:
        with pytest.raises(NotFound):
            client.get(IP_POOLS.path(cluster.namespace, "x"))
        with pytest.raises(Forbidden, match=r"cannot patch resource \"ippools\".*verb 'patch'") as caught:
            client.patch(IP_POOLS.path(cluster.namespace, "x"), [])
        with pytest.raises(Forbidden, match="'list'"):
            list(client.list(IP_POOLS.path(cluster.namespace)))
    assert token not in caught.value.message


def test_a_token_that_is_none_is_not_told(cluster: Cluster) -> None:
    with (
        talking(cluster.kubeconfig(token="expired-or-invented")) as client,
        pytest.raises(Unauthorized, match="401 Unauthorized") as caught,
    ):
        client.get(PODS.path(cluster.namespace, "x"))
    assert client.calls == 1
    assert "invented" not in caught.value.message


def test_a_token_that_was_rotated_meanwhile_is_read_again(cluster: Cluster, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("revoked")
    path = PODS.path(cluster.namespace)
    with talking(cluster.kubeconfig(token_file=token)) as client:
        with pytest.raises(Unauthorized):
            list(client.list(path))
        token.write_text(cluster.server.token)
        assert list(client.list(path)) == []
    assert client.calls == 3


def test_another_authority_is_not_trusted(cluster: Cluster, tmp_path: Path) -> None:
    kubeconfig = cluster.kubeconfig(ca=Authority(tmp_path / "other").ca)
    with talking(kubeconfig) as client, pytest.raises(NotTrusted):
        client.get(PODS.path(cluster.namespace, "x"))


def test_a_list_comes_in_parts(cluster: Cluster, admin: Client) -> None:
    for number in range(7):
        labels = {"odd": str(number % 2)}
        content = {"metadata": {"name": f"c{number}", "labels": labels}}
        admin.create(CONFIG_MAPS.path(cluster.namespace), content)
    before = admin.calls
    found = names(admin.list(CONFIG_MAPS.path(cluster.namespace), limit=3, labels="odd"))
    assert sorted(found) == [f"c{number}" for number in range(7)]
    assert admin.calls - before == 3
    odd = admin.list(CONFIG_MAPS.path(cluster.namespace), labels="odd=1", limit=2)
    assert len(list(odd)) == 3
    one = admin.list(CONFIG_MAPS.path(cluster.namespace), fields="metadata.name=c5")
    assert names(one) == ["c5"]


def test_an_object_that_is_too_large_is_told(cluster: Cluster, admin: Client) -> None:
    content = {"metadata": {"name": "large"}, "data": {"x": "y" * (2 << 20)}}
    with pytest.raises((TooLarge, Unprocessable)):
        admin.create(CONFIG_MAPS.path(cluster.namespace), content)
    allocations = {str(number): entry("o" * 150) for number in range(8000)}
    with pytest.raises(TooLarge) as caught:
        admin.create(IP_POOLS.path(cluster.namespace), pool() | {"spec": {"range": "x", "allocations": allocations}})
    assert len(caught.value.message) < 1000
    with pytest.raises((TooLarge, Lost)):
        admin.create(CONFIG_MAPS.path(cluster.namespace), content | {"data": {"x": "y" * (4 << 20)}})
