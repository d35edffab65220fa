"""An address given back by hand, and everything that keeps one from doing it wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.addressing import Ip
from cni_multus.state.owners import Owner, read_owner
from tests.cli.ipam.operator import Operator, container

if TYPE_CHECKING:
    from tests.conftest import MakeNamespace

GONE = "/proc/1/gone/netns"


def test_without_an_owner_it_only_shows_who_has_it(operator: Operator) -> None:
    operator.lease("10.0.0.1/24", netns=GONE)
    ended = operator.ipam("release", "10.0.0.1")
    assert ended.status == 1
    assert "10.0.0.1/24" in ended.stdout
    assert ended.stderr == (
        f"multus ipam release: nothing was released: say who it is taken from, with --owner {container(1)}@eth1\n"
    )
    assert operator.store.holder_of("_default", Ip.parse("10.0.0.1"))


def test_a_lease_goes_with_all_its_addresses(operator: Operator) -> None:
    seen = operator.lease("10.0.0.1/24", "fd00::1/64", netns=GONE)
    operator.ipam("release", "10.0.0.1", "--owner", f"{container(1)}@eth1").succeeded()
    assert operator.store.lease(seen.key) is None
    assert operator.ipam("owner", "fd00::1").status == 1


def test_an_attachment_is_released_whole_and_twice_is_nothing(operator: Operator) -> None:
    operator.lease("10.0.0.1/24", "fd00::1/64", netns=GONE)
    attachment = f"net1/{container(1)}/eth1"
    dry = operator.json("release", "--attachment", attachment, "--dry-run")
    assert [row["address"] for row in dry["would_be_released"]] == ["10.0.0.1/24", "fd00::1/64"]
    done = operator.json("release", "--attachment", attachment)
    assert done["released"]
    again = operator.ipam("release", "--attachment", attachment)
    assert (again.status, again.stderr) == (1, f"multus ipam release: nobody has {attachment}\n")


def test_somebody_else_s_address_is_not_taken(operator: Operator) -> None:
    operator.lease("10.0.0.1/24", netns=GONE)
    ended = operator.ipam("release", "10.0.0.1", "--owner", f"{container(2)}@eth1", "--force")
    assert ended.status == 1
    assert f"{container(2)}@eth1 does not have 10.0.0.1, {container(1)}@eth1 has it" in ended.stderr
    assert operator.store.holder_of("_default", Ip.parse("10.0.0.1"))


def test_an_owner_who_lives_keeps_it_unless_forced(operator: Operator, netns: MakeNamespace) -> None:
    operator.lease("10.0.0.1/24", netns=netns("pod"), pod="blue/web-0")
    ended = operator.ipam("release", "10.0.0.1", "--owner", f"{container(1)}@eth1")
    assert ended.status == 1
    assert "blue/web-0" in ended.stderr
    assert "looks alive: its namespace" in ended.stderr
    operator.ipam("release", "10.0.0.1", "--owner", f"{container(1)}@eth1", "--force").succeeded()
    assert operator.ipam("owner", "10.0.0.1").status == 1


def test_without_any_evidence_it_takes_force(operator: Operator) -> None:
    operator.reserve("10.0.0.1", Owner("abc", "eth0"))
    ended = operator.ipam("release", "10.0.0.1", "--owner", "abc@eth0")
    assert (ended.status, "may be alive" in ended.stderr) == (1, True)


def test_host_local_and_static_are_released_too(operator: Operator) -> None:
    operator.knows("other", "/nowhere/at/all")
    paths = [
        operator.reserve("10.0.0.1", Owner("abc", "eth0")),
        operator.reserve("10.0.0.1", Owner("abc", "eth0"), directory=operator.static),
    ]
    released = operator.json("release", "10.0.0.1", "--owner", "abc@eth0")["released"]
    assert [row["engine"] for row in released] == ["host-local", "static"]
    assert [path.exists() for path in paths] == [False, False]
    other = operator.reserve("10.0.0.1", Owner("def", "eth0"))
    assert read_owner(str(other)) is not None


def test_a_damaged_lease_is_released_by_force_address_by_address(operator: Operator) -> None:
    record = operator.lease("10.0.0.1/24", "10.0.0.2/24")
    (operator.data_dir / "lease" / record.key[:2] / record.key).write_bytes(b"")
    assert operator.ipam("release", "10.0.0.1", "--owner", "unknown").status == 1
    operator.ipam("release", "10.0.0.1", "--owner", "unknown", "--force").succeeded()
    assert operator.ipam("owner", "10.0.0.1").status == 1
    assert operator.ipam("owner", "10.0.0.2").status == 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "one of the arguments ADDRESS --attachment is required"),
        (["10.0.0.300"], "'10.0.0.300' is not an IP address"),
        (["--attachment", "net1/abc"], "'net1/abc' is not NETWORK/CONTAINER/INTERFACE"),
        (["10.0.0.1", "--attachment", "a/b/c"], "not allowed with"),
    ],
)
def test_what_cannot_be_meant_is_one_line(operator: Operator, arguments: list[str], why: str) -> None:
    ended = operator.ipam("release", *arguments)
    assert (ended.status, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert why in ended.stderr
