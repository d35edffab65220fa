"""A network that fails: one clear error, and everything that was done is taken back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.node import in_private_mounts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod
    from tests.pods import MakePod

WHERE = '[blue/pod-1/u1:{0}]: error adding container to network "{0}": '

ERROR = {"cniVersion": "1.0.0", "code": 11, "msg": "the fabric is busy", "details": "port 7"}


def failing_program(node: Node, **behaviour: object) -> dict[str, Any]:
    return node.program("fabric", ADD=behaviour)


@pytest.mark.parametrize(
    ("network", "code", "reason"),
    [
        ({"master": "nowhere"}, 7, "there is no link nowhere"),
        ({"mtu": 9000}, 7, "9000"),
        ({"ipam": {"type": "host-local", "subnet": "10.2.0.0/33"}}, 7, "ipam.subnet"),
        ({"mode": "strange"}, 7, "mode: 'strange'"),
    ],
    ids=["master", "mtu", "subnet", "mode"],
)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_what_is_found_late_takes_everything_back(
    node: Node, pod: Pod, at: int, network: dict[str, object], code: int, reason: str
) -> None:
    delegates = [node.bridge("one"), node.macvlan("two", "10.2.0.0/24"), node.macvlan("three", "10.3.0.0/24")]
    delegates[at] = {**node.macvlan("bad"), **network}
    message = node.call("ADD", node.config(*delegates), pod).failed(code)
    assert message.startswith(WHERE.format("bad")), message
    assert reason in message
    assert node.remains(pod) == {}


def test_an_exhausted_pool_is_told_as_such(node: Node, make_pod: MakePod) -> None:
    config = node.config(node.bridge(), node.macvlan("tiny", "10.2.0.0/30"))
    first, second = make_pod("pod-1"), make_pod("pod-2")
    node.call("ADD", config, first).succeeded()
    message = node.call("ADD", config, second).failed(11)
    assert message.startswith(
        '[blue/pod-2/u1:tiny]: error adding container to network "tiny": no IP addresses available'
    )
    assert second.links() == {}
    assert set(node.reserved("primary").values()) == {"pod-1 eth0"}
    assert node.records() == ["pod-1@eth0"]
    node.call("CHECK", config, first).succeeded()


@pytest.mark.parametrize(
    ("behaviour", "code", "reason"),
    [
        ({"status": 1, "stdout": json.dumps(ERROR)}, 11, "the fabric is busy"),
        ({"status": 1, "stderr": "panic: nil"}, 101, "failed with status 1"),
        ({"stdout": "hello"}, 101, "not JSON"),
        ({"stdout": "[]"}, 101, "not a JSON object"),
        ({"stdout": '{"cniVersion": "1.0.0", "ips": [{"address": "everywhere"}]}'}, 101, "everywhere"),
        ({"stdout": '{"cniVersion": "7.0.0"}'}, 101, "7.0.0"),
        ({"signal": int(signal.SIGKILL)}, 101, "killed by signal 9"),
        ({"sleep": 30}, 11, "did not end within 1 s"),
    ],
    ids=["error", "status", "garbage", "list", "address", "version", "signal", "hang"],
)
@pytest.mark.parametrize("at", [0, 2])
def test_a_program_that_fails_takes_everything_back(
    node: Node, pod: Pod, at: int, behaviour: dict[str, object], code: int, reason: str
) -> None:
    delegates = [node.bridge("one"), node.macvlan("two", "10.2.0.0/24"), node.macvlan("three", "10.3.0.0/24")]
    delegates[at] = failing_program(node, **behaviour)
    answer = node.call("ADD", node.config(*delegates, delegateTimeout=1), pod)
    message = answer.failed(code)
    assert message.startswith(WHERE.format("net-fabric")), message
    assert reason in message
    assert node.remains(pod) == {}
    assert [call["command"] for call in node.calls()] == ["ADD", "DEL"], "a failed ADD is followed by a DEL"


def test_a_programs_own_details_are_passed_on(node: Node, pod: Pod) -> None:
    answer = node.call("ADD", node.config(failing_program(node, status=1, stdout=json.dumps(ERROR))), pod)
    answer.failed(11)
    assert answer.document["details"] == "port 7"


def test_programs_side_by_side_are_all_taken_back(node: Node, pod: Pod) -> None:
    config = node.config(node.bridge(), node.program("one"), failing_program(node, status=1), node.program("three"))
    assert node.call("ADD", config, pod).failed(101).startswith(WHERE.format("net-fabric"))
    deleted = [call["name"] for call in node.calls("DEL")]
    assert sorted(deleted) == ["fabric", "one", "three"]
    assert deleted.index("three") < deleted.index("one"), "the last first"
    assert node.remains(pod) == {}


def test_a_broken_chain_is_taken_apart_backwards(node: Node, pod: Pod) -> None:
    chain = {
        "cniVersion": "1.0.0",
        "name": "chain",
        "plugins": [node.macvlan("ignored", "10.2.0.0/24"), node.program("one"), failing_program(node, status=1)],
    }
    assert node.call("ADD", node.config(node.bridge(), chain), pod).failed(101).startswith(WHERE.format("chain"))
    assert [call["name"] for call in node.calls("DEL")] == ["fabric", "one"]
    assert node.remains(pod) == {}


def test_what_cannot_be_taken_back_stays_on_record(node: Node, pod: Pod) -> None:
    """The next DEL tries again, and only what is left."""
    stubborn = node.program("stubborn", DEL={"status": 1, "stdout": json.dumps(ERROR)})
    answer = node.call("ADD", node.config(node.bridge(), stubborn, failing_program(node, status=1)), pod)
    answer.failed(101)
    assert "taking it back failed too" in answer.document["details"]
    assert "the fabric is busy" in answer.document["details"]
    assert [one.ifname for one in node.record(pod).attachments] == ["net1"]
    assert pod.links() == {}
    assert "eth0" not in str(node.reserved("primary"))
    node.program("stubborn")
    node.call("DEL", node.config(), pod).succeeded()
    assert node.remains(pod) == {}


def test_an_add_after_that_clears_it_first(node: Node, pod: Pod) -> None:
    stubborn = node.program("stubborn", DEL={"status": 1, "stdout": json.dumps(ERROR)})
    config = node.config(node.bridge(), stubborn, failing_program(node, status=1))
    node.call("ADD", config, pod).failed(101)
    sizes = []
    for _ in range(3):
        message = node.call("ADD", config, pod).failed(11)
        assert "cannot clear what an earlier ADD left" in message
        sizes.append(node.record_file(pod).stat().st_size)
    assert len(set(sizes)) == 1
    assert pod.links() == {}
    node.program("stubborn")
    node.program("fabric")
    node.call("ADD", config, pod).succeeded()
    node.call("CHECK", config, pod).succeeded()


def test_a_result_that_the_version_cannot_tell_is_taken_back(node: Node, pod: Pod) -> None:
    """0.2.0 knows no result without an address."""
    nothing = node.program("calico", ADD={"stdout": '{"cniVersion": "1.0.0"}'})
    node.call("ADD", node.config(nothing, node.macvlan("red", "10.2.0.0/24"), cniVersion="0.2.0"), pod).failed(1)
    assert [call["command"] for call in node.calls()] == ["ADD", "DEL"]
    assert node.remains(pod) == {}


def test_a_journal_that_cannot_be_completed_takes_everything_back(node: Node, pod: Pod, tmp_path: Path) -> None:
    """The disk is full by the time that all is attached: no record of it, so nothing may stay."""
    disk = tmp_path / "disk"
    disk.mkdir()
    long = json.dumps({"cniVersion": "1.0.0", "ips": [{"address": f"192.0.2.{at}/24"} for at in range(250)]})
    fill = node.bin_dir / "fill"
    fill.write_text(f"#!/bin/sh\nhead -c 1M /dev/zero > {disk}/ballast 2> /dev/null\necho '{long}'\n")
    fill.chmod(0o755)
    config = node.config(
        node.bridge(), {"cniVersion": "1.0.0", "name": "fill", "type": "fill"}, cniDir=str(disk / "multus")
    )

    def add() -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
        answer = node.call("ADD", config, pod)
        assert "no space left on device" in answer.failed(5)
        assert "the file system is full" in answer.document["details"]
        assert node.remains(pod) == {}
        assert os.listdir(disk / "multus" / "journal") == []

    in_private_mounts(add)


def test_the_second_of_two_pods_does_not_cost_the_first_its_bridge(node: Node, make_pod: MakePod) -> None:
    first, second = make_pod("pod-1"), make_pod("pod-2")
    config = node.config(node.bridge())
    node.call("ADD", config, first).succeeded()
    node.call("ADD", node.config(node.bridge(), failing_program(node, status=1)), second).failed(101)
    node.call("CHECK", config, first).succeeded()
    ping = ["nsenter", f"--net={first.netns}", "ping", "-c1", "-W2", "10.1.0.1"]
    assert subprocess.run(ping, capture_output=True, check=False).returncode == 0
