"""The commands on what one node has: leases in files, host-local, static."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from cni_multus.cli.ipam.evidence import group_names
from cni_multus.cni.addressing import Cidr
from cni_multus.cni.request import Attachment
from cni_multus.state.leases.lease import Holder
from cni_multus.state.lock import Lock
from cni_multus.state.owners import Owner
from ipam.whereabouts.config import WhereaboutsConfig
from ipam.whereabouts.onnode import NodeEngine
from ipam.whereabouts.pool import Pool
from tests.cli.ipam.operator import Operator, container

if TYPE_CHECKING:
    from tests.conftest import MakeNamespace


def test_a_node_without_anything_has_no_pools(operator: Operator) -> None:
    assert operator.ipam("show").succeeded().stdout == "there are no pools\n"
    assert operator.json("show") == {"pools": []}
    assert operator.ipam("leaks").succeeded().stdout == "no leak was found\n"
    assert operator.ipam("fsck").succeeded().stdout == "nothing is wrong\n"
    assert not operator.data_dir.exists()


def test_show_counts_what_is_used_of_each_pool(operator: Operator) -> None:
    operator.lease("10.0.0.1/24", "fd00::1/120", number=1)
    operator.lease("10.0.0.2/24", number=2)
    operator.reserve("10.1.0.5", Owner("abc", "eth0"))
    pools = {pool["engine"]: pool for pool in operator.json("show")["pools"]}
    file = pools["file"]
    assert (file["pool"], file["used"], file["size"]) == ("_default", 3, 254 + 254)
    assert set(file["ranges"]) == {"10.0.0.0/24", "fd00::/120"}
    assert (pools["host-local"]["pool"], pools["host-local"]["used"]) == ("net1", 1)
    assert "size" not in pools["host-local"]


def test_show_knows_the_size_from_the_configuration(operator: Operator) -> None:
    operator.reserve("10.1.0.5", Owner("abc", "eth0"))
    ipam = {"type": "host-local", "subnet": "10.1.0.0/24", "rangeStart": "10.1.0.2", "rangeEnd": "10.1.0.11"}
    (operator.conf / "10-net1.conf").write_text(json.dumps({"name": "net1", "type": "bridge", "ipam": ipam}))
    operator.lease("10.0.0.1/24")
    excluding = {"type": "whereabouts", "range": "10.0.0.0/24", "exclude": ["10.0.0.128/25"]}
    network = {"name": "net2", "cniVersion": "1.0.0", "plugins": [{"type": "macvlan", "ipam": excluding}]}
    (operator.conf / "20-net2.conflist").write_text(json.dumps(network))
    (operator.conf / "30-broken.conf").write_text("{")
    pools = {pool["engine"]: pool for pool in operator.json("show")["pools"]}
    assert (pools["host-local"]["size"], pools["host-local"]["percent"]) == (10, 10.0)
    assert (pools["file"]["size"], pools["file"]["free"]) == (127, 126)


@pytest.mark.parametrize("what", ["_default", "net1", "10.0.0.0/24", "10.0.0.0/8"])
def test_show_with_a_name_or_a_range_lists_who_has_what(operator: Operator, what: str) -> None:
    operator.lease("10.0.0.7/24", number=1, pod="blue/web-0", uid="u1", netns="/run/netns/x", node="n1")
    operator.lease("10.0.0.3/24", number=2)
    shown = operator.json("show", what)
    assert [holder["address"] for holder in shown["holders"]] == ["10.0.0.3/24", "10.0.0.7/24"]
    first = shown["holders"][1]
    assert (first["pod"], first["uid"], first["node"], first["netns"]) == ("blue/web-0", "u1", "n1", "/run/netns/x")
    assert (first["containerID"], first["ifname"], first["state"]) == (container(1), "eth1", "held")
    assert first["since"].startswith("20")
    table = operator.ipam("show", what, "-o", "wide").succeeded().stdout
    assert "blue/web-0" in table
    assert "RECORD" in table


def test_show_names_the_largest_holders(operator: Operator) -> None:
    operator.lease("10.0.0.1/24", "10.0.1.1/24", number=1, pod="blue/greedy")
    operator.lease("10.0.0.2/24", number=2)
    assert operator.json("show", "_default")["largest"] == [{"holder": "blue/greedy", "addresses": 2}]


def test_show_of_a_name_that_nothing_has(operator: Operator) -> None:
    ended = operator.ipam("show", "nothing")
    assert (ended.status, ended.stdout) == (1, "there is nothing called nothing\n")


def test_what_waits_for_the_end_of_its_time_is_no_leak(operator: Operator) -> None:
    engine = NodeEngine(str(operator.data_dir))
    cidr = Cidr.parse("10.0.0.0/24")
    config = WhereaboutsConfig(
        "net1", [Pool(cidr, cidr.first + 1, cidr.last - 1)], cool_down=3600.0, data_dir=str(operator.data_dir)
    )
    holder = Holder(Attachment("net1", container(1), "eth1"), netns="/gone")
    engine.acquire(config, holder)
    engine.release(holder.attachment)
    [shown] = operator.json("show", "_default")["holders"]
    assert (shown["state"], shown["until"] > shown["since"]) == ("released", True)
    assert operator.json("leaks") == {"leaks": []}
    assert operator.ipam("release", "10.0.0.1", "--owner", shown["containerID"] + "@eth1").status == 0
    assert operator.json("show", "_default")["holders"] == []


def test_the_owner_of_an_address_is_found_with_evidence(operator: Operator, netns: MakeNamespace) -> None:
    pod = netns("pod")
    operator.lease("10.0.0.1/24", netns=pod, pod="blue/web-0")
    operator.lease("10.0.0.2/24", number=2, netns=f"{pod}-gone")
    operator.lease("10.0.0.3/24", number=3, boot="0123456789abcdef")
    operator.reserve("10.0.0.4", Owner("abc", "eth0"))
    operator.reserve("10.0.0.5", Owner("abc", "eth0"), directory=operator.static)
    found = {}
    for last in range(1, 6):
        [holder] = operator.json("owner", f"10.0.0.{last}")["holders"]
        found[last] = (holder["engine"], holder["alive"], holder["because"])
    assert found[1] == ("file", "lives", f"its namespace {pod} exists")
    assert found[2] == ("file", "gone", f"its namespace {pod}-gone is gone")
    assert found[3] == ("file", "gone", "the node has been booted since")
    assert found[4][:2] == ("host-local", "unknown")
    assert found[5][:2] == ("static", "unknown")


def test_nobody_has_it(operator: Operator) -> None:
    ended = operator.ipam("owner", "10.0.0.9")
    assert (ended.status, ended.stdout) == (1, "nobody has 10.0.0.9\n")
    assert operator.json("owner", "fd00::9", status=1) == {"address": "fd00::9", "holders": []}


def test_a_container_of_host_local_is_looked_up_in_libcni_s_cache(operator: Operator, netns: MakeNamespace) -> None:
    pod = netns("pod")
    for last, name in enumerate(("known", "gone", "unheard"), start=1):
        operator.reserve(f"10.0.0.{last}", Owner(name, "eth0"))
    operator.knows("known", pod)
    operator.knows("gone", f"{pod}-gone")
    leaks = {row["address"]: row["alive"] for row in operator.json("leaks", status=1)["leaks"]}
    assert leaks == {"10.0.0.2": "gone", "10.0.0.3": "probably gone"}
    sure = operator.json("leaks", "--sure", status=1)["leaks"]
    assert [row["address"] for row in sure] == ["10.0.0.2"]


def test_leaks_are_no_older_than_asked_for(operator: Operator) -> None:
    operator.knows("other", "/nowhere/at/all")
    path = operator.reserve("10.0.0.1", Owner("unheard", "eth0"))
    assert operator.json("leaks", "--older-than", "10m") == {"leaks": []}
    old = time.time() - 3600
    os.utime(path, (old, old))
    assert len(operator.json("leaks", "--older-than", "10m", status=1)["leaks"]) == 1
    ended = operator.ipam("leaks", "--older-than", "soon")
    assert (ended.status, ended.stderr.count("\n")) == (2, 1)
    assert "argument --older-than: 'soon' is not a time like 90s, 10m, 2h or 7d" in ended.stderr


@pytest.mark.parametrize(
    "line",
    [
        "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-4f2a.scope",
        "0::/kubepods/besteffort/pod1/4f2a",
        "1:name=systemd:/machine.slice/libpod-4f2a.scope",
        "0::/system.slice/crio-4f2a.scope",
    ],
)
def test_a_process_tells_its_container_by_its_control_group(line: str) -> None:
    assert "4f2a" in group_names(f"0::/\n{line}\n")


def test_what_is_damaged_is_shown_as_such(operator: Operator) -> None:
    record = operator.lease("10.0.0.1/24")
    path = operator.data_dir / "lease" / record.key[:2] / record.key
    path.write_bytes(b"rubbish\x1b[31m\n")
    operator.host_local.joinpath("net1").mkdir(parents=True)
    (operator.host_local / "net1" / "10.0.0.2").write_bytes(b"")
    (operator.host_local / "net1" / "10.0.0.3").mkdir()
    for last, what in enumerate(("checksum", "names nobody", "not a file"), start=1):
        [holder] = operator.json("owner", f"10.0.0.{last}")["holders"]
        assert what in holder["wrong"]
        assert holder["owner"] == "unknown"
    assert operator.ipam("show", "_default").status == 0
    leaks = operator.ipam("leaks")
    assert (leaks.status, leaks.stderr) == (0, "")


def test_a_place_that_cannot_be_read_does_not_hide_the_others(operator: Operator) -> None:
    operator.reserve("10.0.0.1", Owner("abc", "eth0"))
    operator.static.write_text("not a directory")
    ended = operator.ipam("show", "net1")
    assert ended.status == 3
    assert "10.0.0.1" in ended.stdout
    assert ended.stderr.startswith("multus ipam show: warning: static: ")
    assert operator.ipam("owner", "10.0.0.1").status == 3
    assert operator.ipam("owner", "10.0.0.2").status == 3


def test_control_characters_do_not_reach_the_terminal(operator: Operator) -> None:
    operator.lease("10.0.0.1/24", pod="blue/\x1b[2Jweb")
    shown = operator.ipam("show", "_default").succeeded().stdout
    assert "\x1b" not in shown
    assert "\\x1b[2Jweb" in shown


def test_what_is_not_utf_8_is_printed_all_the_same(operator: Operator) -> None:
    directory = operator.host_local / "net1"
    directory.mkdir(parents=True)
    (directory / "10.0.0.1").write_bytes(b"abc\r\nnet\xff")
    for form in ("table", "wide", "json", "yaml"):
        ended = operator.ipam("owner", "10.0.0.1", "-o", form)
        assert (ended.status, "net\\udcff" in ended.stdout.lower()) == (0, True), ended.stdout


def test_reading_takes_no_lock_and_writes_nothing(operator: Operator) -> None:
    operator.lease("10.0.0.1/24")
    operator.reserve("10.1.0.1", Owner("abc", "eth0"))
    locks = [
        Lock(str(path), "the test") for path in (operator.data_dir / "lock", operator.host_local / "net1" / "lock")
    ]
    before = {path: path.lstat().st_mtime_ns for path in operator.root.rglob("*")}
    with locks[0], locks[1]:
        operator.json("show", "_default")
        operator.json("owner", "10.0.0.1")
        operator.json("leaks")
        assert operator.ipam("export").status == 0
    assert {path: path.lstat().st_mtime_ns for path in operator.root.rglob("*")} == before
