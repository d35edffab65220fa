"""STATUS: whether an ADD would work, in milliseconds; and the ADD that waits for the primary CNI."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.node import in_private_mounts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod


def answer(code: int, message: str) -> dict[str, object]:
    return {"status": 1, "stdout": json.dumps({"cniVersion": "1.1.0", "code": code, "msg": message})}


def test_a_node_in_order_says_nothing_and_makes_nothing(node: Node) -> None:
    config = node.config(node.bridge(), node.macvlan("red", "10.2.0.0/24"))
    assert node.call("STATUS", config).succeeded().stdout == b""
    assert not node.cni_dir.exists()
    assert not node.addresses.exists()
    assert node.links() == {}


def test_a_missing_readiness_file_is_told_at_once(node: Node, tmp_path: Path) -> None:
    """The Go Multus blocks for 45 seconds."""
    config = node.config(node.program("calico"), readinessindicatorfile=str(tmp_path / "ready"))
    before = time.monotonic()
    message = node.call("STATUS", config).failed(50)
    assert time.monotonic() - before < 20
    assert message.startswith("readinessindicatorfile: ")
    assert node.calls() == []
    (tmp_path / "ready").touch()
    node.call("STATUS", config).succeeded()


@pytest.mark.parametrize("code", [50, 51, 11, 120])
@pytest.mark.parametrize("at", [0, 1])
def test_a_programs_own_code_is_passed_on(node: Node, at: int, code: int) -> None:
    """The Go Multus asks the primary alone."""
    delegates = [{**node.program(name), "cniVersion": "1.1.0"} for name in ("one", "two")]
    node.program(("one", "two")[at], STATUS=answer(code, "no route to the fabric"))
    assert "no route to the fabric" in node.call("STATUS", node.config(*delegates)).failed(code)


def test_a_program_of_a_version_without_status_is_not_asked(node: Node) -> None:
    node.call("STATUS", node.config(node.program("calico"))).succeeded()
    assert node.calls() == []


def test_a_program_that_is_missing_is_told(node: Node) -> None:
    node.call("STATUS", node.config(node.bridge(), {"name": "fabric", "type": "sriov"})).failed(101)


def test_a_missing_master_is_told(node: Node) -> None:
    assert "nowhere" in node.call("STATUS", node.config(node.macvlan("red", master="nowhere"))).failed(50)


def test_a_broken_configuration_is_told(node: Node) -> None:
    assert "delegates[0].type" in node.call("STATUS", node.config({"name": "bridge"})).failed(7)


@pytest.mark.parametrize("why", ["read-only", "full", "file"])
def test_a_directory_where_no_record_could_be_written_is_told(node: Node, tmp_path: Path, why: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    node.cni_dir = disk / "multus"

    def ask() -> None:
        if why == "file":
            node.cni_dir.touch()
        else:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", disk], check=True)
            if why == "full":
                (disk / "ballast").write_bytes(b"x" * 4096)
            else:
                subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        assert node.call("STATUS", node.config(node.bridge())).failed(50).startswith("cniDir: ")

    in_private_mounts(ask)


def test_a_version_without_status_is_refused(node: Node) -> None:
    node.call("STATUS", node.config(node.bridge(), cniVersion="1.0.0")).failed(1)


def test_add_waits_for_the_readiness_file(node: Node, pod: Pod, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    config = node.config(node.bridge(), readinessindicatorfile=str(ready))
    timer = threading.Timer(1.0, ready.touch)
    before = time.monotonic()
    timer.start()
    node.call("ADD", config, pod).succeeded()
    assert 0.9 < time.monotonic() - before < 30
    timer.join()


def test_a_program_may_come_with_the_readiness_file(node: Node, pod: Pod, tmp_path: Path) -> None:
    """At boot the primary CNI installs its program, then says that it is ready."""
    ready = tmp_path / "ready"
    config = node.config({"name": "late", "type": "calico"}, readinessindicatorfile=str(ready))

    def install() -> None:
        node.program("calico")
        ready.touch()

    timer = threading.Timer(0.5, install)
    timer.start()
    node.call("ADD", config, pod).succeeded()
    timer.join()


def test_the_cluster_s_network_may_come_with_the_readiness_file(node: Node, pod: Pod, tmp_path: Path) -> None:
    """Its configuration is what the primary CNI installs last, and what many wait for."""
    ready = tmp_path / "10-primary.conf"
    config = node.config(clusterNetwork=str(ready), readinessindicatorfile=str(ready))
    primary = tmp_path / "primary"
    primary.write_text(json.dumps(node.bridge()))
    timer = threading.Timer(0.5, primary.rename, [ready])
    timer.start()
    node.call("ADD", config, pod).succeeded()
    timer.join()


def test_a_mistake_is_told_without_waiting_for_anything(node: Node, pod: Pod, tmp_path: Path) -> None:
    config = node.config({"name": "bridge"}, readinessindicatorfile=str(tmp_path / "never"))
    before = time.monotonic()
    node.call("ADD", config, pod).failed(7)
    assert time.monotonic() - before < 20
