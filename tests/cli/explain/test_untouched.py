"""Explaining changes nothing: no file, no link, no rule, no process of a plugin; and what it looks like."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cni_multus.cli.command import DONE, FOUND, PARTIAL
from tests.cli.explain.conftest import NETWORKS
from tests.cli.inspect.conftest import shell
from tests.cli.terminal import LAUNCHER, ROOT, seen_on_a_terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.explain.conftest import Explained
    from tests.cluster.cluster import Cluster

CHANGING = re.compile(
    r"\b(mkdir|mkdirat|rename\w*|unlink\w*|symlink\w*|link|linkat|mount|umount2|setns|unshare|chmod|fchmod\w*|chown"
    r"|ftruncate|truncate|flock|fsync|fdatasync)\(|O_(WRONLY|RDWR|CREAT)|RTM_(NEW|DEL|SET)\w+.*NLM_F_ACK|F_SETLK"
)


def arrange(node: Explained) -> list[str]:
    """A node with a pod on it, and the arguments for another one that asks for two networks."""
    node.define("red", node.macvlan("red", "10.2.0.0/24"))
    wide = {"ipam": {"type": "whereabouts", "range": "10.4.0.0/24", "dataDir": str(node.leases)}}
    node.define("wide", {**node.macvlan("wide"), **wide})
    config = node.config(node.bridge(ipMasq=True, macspoofchk=True), nadDir=str(node.nads))
    node.write("00-multus.conf", config)
    node.call("ADD", config, node.pod("first")).succeeded()
    return ["--annotation", "red,wide", "--namespace", "blue"]


def audit(root: Path, netns: str) -> tuple[dict[str, str], str]:
    """Every file below a directory with its content and times, and everything that the kernel lists."""
    found = {}
    for directory, names, files in os.walk(root):
        for name in [*names, *files]:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            content = b""
            if os.path.isfile(path) and "netns" not in path and status.st_size:
                with open(path, "rb") as file:
                    content = file.read()
            found[path] = f"{status.st_mtime_ns} {status.st_mode} {hashlib.sha256(content).hexdigest()}"
    dump = shell(
        netns, "ip -d link; ip -4 address; ip -4 route show table all; ip rule; nft list ruleset 2>/dev/null || true"
    )
    return found, re.sub(r"\w*_timer +[0-9.]+|state \w+", "", dump)


def test_no_file_and_no_link_is_touched(node: Explained) -> None:
    arguments = arrange(node)
    before = audit(node.root, node.host.path)
    assert node.explain(*arguments).status == DONE
    assert node.explain(*arguments, "-o", "yaml").status == DONE
    assert audit(node.root, node.host.path) == before


def test_no_system_call_changes_anything(node: Explained, tmp_path: Path) -> None:
    arguments = arrange(node)
    command = node.command("multus")
    log = tmp_path / "calls"
    command = [command[0], "-B", *command[1:], "explain", *arguments, *node.places]
    traced = ["nsenter", f"--net={node.host.path}", "strace", "-f", "-o", str(log), *command]
    subprocess.run(traced, check=True, capture_output=True)
    changing = [line for line in log.read_text().splitlines() if CHANGING.search(line) and "/dev/null" not in line]
    assert not changing


def test_a_terminal_has_colours_and_a_width(node: Explained) -> None:
    arguments = arrange(node)
    command = ["nsenter", f"--net={node.host.path}", *node.command("multus"), "explain", *arguments, *node.places]
    text = seen_on_a_terminal(command, columns=70)
    assert "\033[32mblue/pod: an ADD would work: 3 networks" in text
    tables = re.sub(r"\033\[[0-9;]*m", "", text).splitlines()[1:]
    assert max(map(len, tables)) <= 70


@pytest.mark.parametrize("name", ["explain", "call"])
def test_help_imports_nothing_heavy(name: str) -> None:
    code = LAUNCHER.format(root=str(ROOT))
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code, name, "--help"], capture_output=True, text=True, check=True
    )
    assert "exit status:" in told.stdout
    imported = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}
    heavy = {"rich", "pyroute2", "jsonschema", "netaddr", "yaml", "cni_multus.cli.call.session", "cni_multus.network"}
    assert not heavy & imported


def test_a_pod_of_the_api_server_is_explained(node: Explained, cluster: Cluster) -> None:
    road = cluster.road(node.host.path)
    kubeconfig = cluster.kubeconfig(server=road.url)
    node.write("00-multus.conf", node.config(node.bridge(), kubeconfig=str(kubeconfig)))
    cluster.add_pod("web-0", annotations={NETWORKS: json.dumps([{"name": "missing"}])})
    ended = node.explain(f"{cluster.namespace}/web-0")
    assert ended.status == FOUND
    assert "cannot find a network-attachment-definition (missing)" in ended.stdout.splitlines()[0]
    cluster.add_pod("web-1")
    ended = node.explain(f"{cluster.namespace}/web-1")
    assert (ended.status, ended.stderr) == (DONE, "")
    ended = node.explain(f"{cluster.namespace}/nobody")
    assert ended.status == FOUND
    assert "is not there any more" in ended.stdout.splitlines()[0]
    road.close()
    ended = node.explain(f"{cluster.namespace}/web-1")
    assert ended.status == PARTIAL
    assert "it cannot be told" in ended.stdout.splitlines()[0]
    assert "an ADD would fail now, and be tried again" in ended.stdout.splitlines()[0]


def test_who_may_not_look_is_told_what_it_takes(node: Explained) -> None:
    arguments = arrange(node)
    network = node.addresses / "primary"
    network.chmod(0o700)
    os.chown(network, 65534, 65534)
    plain = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    command = [
        "nsenter", f"--net={node.host.path}", *plain, *node.command("multus"), "explain", *arguments, *node.places
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == PARTIAL, done.stdout + done.stderr
    assert "CAP_DAC_READ_SEARCH" in done.stdout.splitlines()[0]
