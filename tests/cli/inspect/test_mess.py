"""The mess that the command is there to explain: damaged records, namespaces that are gone, files of others."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from cni_multus.cli.command import DONE, FOUND, PARTIAL
from cni_multus.linux.netns import Namespace
from cni_multus.state import lines
from cni_multus.state.journal import Attachment, Journal, Record
from cni_multus.state.libcni_cache import Entry
from cni_multus.state.libcni_cache import write as remember
from tests.cli.inspect.conftest import shell
from tests.cli.inspect.networks import primary, red
from tests.multus.gomultus import write_cached, write_scratch

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.inspect.conftest import Inspected
    from tests.node import Pod


@pytest.fixture
def web(node: Inspected) -> Pod:
    return node.attach("web-0", primary(node), red(node))


def unmount(path: str) -> None:
    subprocess.run(["umount", "-l", path], check=True)


def test_nothing_at_all(node: Inspected) -> None:
    node.write("00-multus.conf", node.config())
    ended = node.inspect()
    assert (ended.status, ended.stdout) == (DONE, "nothing is attached on this node\n")


def test_a_namespace_that_is_gone_is_told_with_what_is_left(node: Inspected, web: Pod) -> None:
    with Namespace.open(web.netns):  # somebody has it still: so has the node its end of the pair
        unmount(web.netns)
        found = node.differences(web)
    assert found[""][0].startswith("its namespace is gone: ")
    assert f"left on the node: link {node.record(web).attachments[0].result.interfaces[1].name}" in found["eth0"]  # type: ignore[union-attr]
    assert any("chain primary-web-0-eth0-" in each for each in found["eth0"])
    os.unlink(web.netns)
    assert node.differences(web)[""] == [f"its namespace is gone: there is nothing at {web.netns}"]


def test_another_namespace_at_the_path_is_not_taken_for_it(node: Inspected, web: Pod) -> None:
    unmount(web.netns)
    other = node.pod("other")
    subprocess.run(["mount", "--bind", other.netns, web.netns], check=True)
    try:
        assert node.differences(web)[""] == [f"its namespace is gone: {web.netns} is another one by now"]
    finally:
        unmount(web.netns)


def test_a_record_of_an_earlier_boot_is_told(node: Inspected, web: Pod) -> None:
    record = node.record(web)
    record.boot = "0" * 36
    Journal(str(node.cni_dir)).write(record)
    assert node.differences(web)[""][0].startswith("its namespace was of an earlier boot")


@pytest.mark.parametrize("content", [b"garbage", b"\xff\0\n", b"00000000 {}\n", b"{" * 100_000])
def test_a_damaged_record_does_not_hide_the_others(node: Inspected, web: Pod, content: bytes) -> None:
    db = node.attach("db-0", primary(node))
    node.record_file(db).write_bytes(content)
    ended = node.inspect()
    assert ended.status == PARTIAL
    assert "holds no record that is whole" in ended.stdout
    assert [line.split()[-2:] for line in ended.stdout.splitlines() if line.startswith("blue/web-0")] == [
        ["as", "recorded"]
    ] * 2
    assert "its record cannot be read" in ended.stdout  # and so what is left on the node is explained


def test_a_record_of_nonsense_is_told(node: Inspected) -> None:
    node.write("00-multus.conf", node.config())
    nonsense = Record("nonsense", "eth0", "relative/\0path", {"K8S_POD_NAME": "a\033[31m\nb"})
    nonsense.attachments = [
        Attachment(
            {"name": 7, "plugins": [{"type": ["bridge"]}, "x", {"type": "tuning", "sysctl": 5}]}, "", "e" * 40, {}
        ),
        Attachment({}, "9.9", "", {}),
    ]
    (node.cni_dir / "journal").mkdir(parents=True)
    Journal(str(node.cni_dir)).write(nonsense)
    for arguments in (
        (),
        ("nonsense",),
        ("-o", "json"),
        ("--graph", "svg"),
        ("--graph", "text"),
        ("--graph", "mermaid"),
    ):
        ended = node.inspect(*arguments)
        assert ended.status in (DONE, FOUND, PARTIAL)
        assert "\033" not in ended.stdout
        assert "Traceback" not in ended.stderr


def test_an_add_that_was_killed_is_told(node: Inspected, web: Pod) -> None:
    record = node.record(web)
    record.complete = False
    Journal(str(node.cni_dir)).write(record)
    assert node.differences(web)[""][0].startswith("its ADD has not been completed: it was killed")
    (node.cni_dir / "journal" / "begun@eth0").touch()
    assert node.differences(node.pod("begun"))[""][0].startswith("an ADD began, and wrote nothing")


def test_who_works_for_a_pod_is_told(node: Inspected, web: Pod) -> None:
    record = node.record(web)
    record.complete = False
    Journal(str(node.cni_dir)).write(record)
    with subprocess.Popen(
        ["flock", str(node.record_file(web)), "sh", "-c", "echo held; read line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert "is working on it just now" in node.differences(web)[""][0]
        holder.communicate("\n")


def test_a_dangling_delete_is_told(node: Inspected, web: Pod) -> None:
    record = node.record(web)
    record.failed = True
    Journal(str(node.cni_dir)).write(record)
    assert node.differences(web)[""] == ["a DEL was begun and has not ended: what is listed could not be detached"]


def test_what_is_left_of_nobody_is_told(node: Inspected, web: Pod) -> None:
    node.record_file(web).unlink()
    ended = node.inspect()
    assert ended.status == FOUND
    assert "Left on the node" in ended.stdout
    document = node.document()
    assert {each["owner"] for each in document["leftovers"]} == {"multus:primary:web-0:eth0"}
    assert any(each["what"].startswith("link veth") for each in document["leftovers"])


def test_pods_of_the_go_multus_are_shown(node: Inspected) -> None:
    pod = node.pod("go-pod")
    node.write("00-multus.conf", node.config())
    shell(pod.netns, "ip link add eth0 type veth peer name x0 && ip address add 10.1.0.9/24 dev eth0")
    network = {"cniVersion": "1.0.0", **node.bridge()}
    write_scratch(node, pod, network)
    result = {
        "cniVersion": "1.0.0",
        "interfaces": [{"name": "eth0", "sandbox": pod.netns}],
        "ips": [{"address": "10.1.0.8/24", "interface": 0}],
    }
    write_cached(node, pod, network, "eth0", result)
    [sandbox] = node.document("go-pod")["sandboxes"]
    assert sandbox["origin"] == "go-multus"
    [interface] = sandbox["interfaces"]
    assert "address 10.1.0.8/24 is not on eth0" in interface["differences"]
    (node.cni_dir / "cut").write_text('[{"Bytes": ')
    ended = node.inspect()
    assert ended.status == PARTIAL
    assert "written by the Go Multus, cannot be read" in ended.stdout


def test_what_only_the_runtime_remembers_is_shown(node: Inspected) -> None:
    pod = node.pod("old")
    entry = Entry("plain", "old", "eth0", netns=pod.netns, config=json.dumps({"name": "plain", "type": "ptp"}).encode())
    entry.result = {"cniVersion": "1.0.0", "interfaces": [{"name": "eth0", "sandbox": pod.netns}]}
    remember(str(node.cache), entry)
    node.write("00-multus.conf", node.config())
    (node.cache / "broken").write_text("{")
    [sandbox] = node.document("old")["sandboxes"]
    assert (sandbox["origin"], sandbox["interfaces"][0]["differences"]) == (
        "libcni",
        [f"eth0 is gone from {pod.netns}"],
    )
    assert node.inspect("old").status == PARTIAL  # for the broken file


def test_a_record_in_another_s_place_is_not_believed(node: Inspected, web: Pod) -> None:
    lines.append(str(node.cni_dir / "journal" / "db-0@eth0"), node.record(web).to_json(), durable=False)
    ended = node.inspect()
    assert ended.status == PARTIAL
    assert "web-0@eth0" in ended.stdout


def test_the_node_s_root_may_be_elsewhere(node: Inspected, web: Pod) -> None:
    record = node.record(web)
    record.netns = "/web-0"  # as the node has it
    for attachment in record.attachments:
        attachment.network["plugins"][0]["ipam"]["dataDir"] = "/addresses"  # type: ignore[index]
    Journal(str(node.cni_dir)).write(record)
    places = ["--root", str(node.root), "--conf-dir", "/net.d", "--cni-dir", "/multus", "--results-dir", "/cache"]
    for typed in ("web-0", "/web-0"):
        ended = node.run_as("multus", "inspect", typed, *places)
        assert (ended.status, ended.stderr) == (DONE, ""), ended.stdout
        assert "10.2.0.2: container web-0, interface net1 (host-local)" in ended.stdout


WITHOUT = {
    "-sys_admin": "it takes CAP_SYS_ADMIN: run it as root on the node",
    "-net_admin": "it takes CAP_NET_ADMIN: run it as root on the node",
    "-dac_override,-dac_read_search": "it takes CAP_DAC_READ_SEARCH: run it as root on the node",
}


@pytest.mark.parametrize("dropped", WITHOUT)
def test_a_missing_capability_is_named(node: Inspected, web: Pod, dropped: str, tmp_path: Path) -> None:
    if "dac" in dropped:
        os.chmod(node.cni_dir / "journal", 0)
    command = ["setpriv", f"--bounding-set={dropped}", *node.command("multus"), "inspect", *node.places]
    done = subprocess.run(
        ["nsenter", f"--net={node.host.path}", *command], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == PARTIAL, done
    assert WITHOUT[dropped] in done.stdout
    assert "Traceback" not in done.stderr
