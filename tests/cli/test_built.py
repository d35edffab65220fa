"""The built program by its names: everything that the command line imports is in the bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from cni_multus import VERSION
from tests.cli.terminal import Terminal
from tests.plugins.shown import Shown
from tools.build import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace


class Built(Terminal):
    """A terminal where the names are links to the built program."""

    def command(self, name: str) -> list[str]:
        link = self.names / name
        if not link.is_symlink():
            link.symlink_to(PROGRAM)
        return [str(link)]


@pytest.fixture
def node(host: Namespace, tmp_path: Path) -> Built:
    return Built(host, tmp_path)


def test_the_command_line_works(node: Built) -> None:
    assert node.run_as("multus", "--version").succeeded().stdout == f"multus {VERSION}\n"
    assert node.run_as("multus", "version").succeeded().stdout.startswith(f"multus {VERSION}\n")
    assert "host-local" in node.run_as("multus", "plugins").succeeded().stdout
    assert "commands:" in node.run_as("multus", "--help").succeeded().stdout


def test_the_ipam_commands_read_and_print_yaml(node: Built, tmp_path: Path) -> None:
    pools = tmp_path / "pools.yaml"
    pools.write_text(
        "kind: IPPool\nmetadata: {name: 10.0.0.0-24}\n"
        "spec: {range: 10.0.0.0/24, allocations: {'5': {id: abc, podref: blue/web-0, ifname: net1}}}\n"
    )
    places = [f"--data-dir={tmp_path}/leases", f"--host-local-dir={tmp_path}/none", f"--static-dir={tmp_path}/none"]
    imported = node.run_as(
        "multus", "ipam", "import", "--from", str(pools), "--network", "storage", "--no-api", *places[:1]
    )
    assert (imported.status, "imported" in imported.stdout) == (0, True)
    shown = node.run_as("multus", "ipam", "show", "storage", "-o", "yaml", "--no-api", *places).succeeded().stdout
    assert yaml.safe_load(shown)["holders"][0]["pod"] == "blue/web-0"
    exported = node.run_as("multus", "ipam", "export", "--as", "ippools", *places)
    assert [one["kind"] for one in yaml.safe_load_all(exported.stdout)] == ["IPPool"]
    assert node.run_as("multus", "ipam", "fsck", "--no-api", *places).succeeded().stdout == "nothing is wrong\n"


def test_lint_has_its_schemas(node: Built, tmp_path: Path) -> None:
    file = tmp_path / "x.conf"
    file.write_text('{"cniVersion": "1.0.0", "name": "n", "type": "macvlan", "mater": "ens5", "mtu": "x"}')
    ended = node.run_as("multus", "lint", "-o", "yaml", str(file))
    found = yaml.safe_load(ended.stdout)["findings"]
    assert (ended.status, [each["rule"] for each in found]) == (1, ["unknown-key", "bad-type"])


def test_a_link_is_the_plugin_of_its_name(node: Built) -> None:
    ended = node.run_as("host-local")
    assert (ended.status, ended.stdout) == (0, "")
    assert ended.stderr.startswith("CNI host-local plugin ")


def test_a_link_named_cnitool_is_cnitool(node: Built, pod: str, inside: Shown) -> None:
    node.write("10-net.conf", {"cniVersion": "1.0.0", **node.bridge("net")})
    node.cnitool("add", "net", pod).succeeded()
    assert inside.addresses("eth0") == {"10.1.0.2/24"}
    node.cnitool("check", "net", pod).succeeded()
    node.cnitool("status", "net").succeeded()
    node.cnitool("gc", "net", "--none-valid").succeeded()
    assert inside.links() == set()
    node.cnitool("del", "net", pod).succeeded()
    assert (node.remembered(), node.reserved("net")) == ([], {})


def test_a_program_that_is_executed_does_not_see_the_bundle_s_environment(node: Built, pod: str) -> None:
    node.write("10-net.conf", node.program("foreign"))
    node.cnitool("add", "net-foreign", pod).succeeded()
    [call] = node.calls("ADD")
    assert [name for name in call["environment"] if name.startswith(("_", "LD_"))] == []
