"""What is put on a node: all of it, once, by one switch; what is somebody else's stays as it is."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import IoFailure
from cni_multus.kube.kubeconfig import load_kubeconfig
from cni_multus.node import credentials, program
from cni_multus.node.changes import CHANGE, LEAVE, Changes
from cni_multus.node.install import Foreign, install
from cni_multus.node.marker import OURS, read_mark
from cni_multus.node.receipt import Receipt
from cni_multus.node.versions import roll_back
from tests.nodes.machine import BIN, NET_D, STATE, Machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def versions(machine: Machine) -> list[str]:
    return sorted(path.name.partition("-")[0] for path in machine.at(f"{BIN}/.multus/versions").iterdir())


def test_everything_is_there_and_works(machine: Machine) -> None:
    machine.install(links=("macvlan", "bridge"))
    assert machine.says() == "1.0.0 part of 1.0.0"
    assert machine.says("macvlan") == "1.0.0 part of 1.0.0"
    assert os.readlink(machine.at(f"{BIN}/multus")) == ".multus/current/multus"
    assert machine.at(STATE).is_dir()
    assert read_mark(machine.at(f"{NET_D}/00-multus.conf").read_bytes()).owner == OURS
    assert machine.at(f"{NET_D}/multus.d/token").read_text() == "first"
    assert machine.at(f"{NET_D}/multus.d/token").stat().st_mode & 0o777 == 0o600


def test_a_plugin_s_name_that_another_program_has_is_left_to_it(machine: Machine) -> None:
    made = machine.install(links=("macvlan", "bridge"))
    assert machine.says("bridge") == "bridge of another"
    assert [change.path for change in made if change.action == LEAVE] == [f"{BIN}/bridge"]


def test_to_install_twice_is_to_change_nothing(machine: Machine) -> None:
    machine.install(links=("macvlan",))
    before = machine.tree()
    assert machine.install(links=("macvlan",)) == []
    assert machine.install() == []
    assert machine.tree() == before


def test_dry_run_changes_nothing_and_says_what_is_done_then(machine: Machine) -> None:
    before = machine.tree()
    said = machine.install(dry=True, links=("macvlan",))
    assert machine.tree() == before
    assert machine.install(links=("macvlan",)) == said
    installed = machine.tree()
    said = machine.uninstall(dry=True)
    assert machine.tree() == installed
    assert machine.uninstall() == said


def test_a_new_version_is_one_switch_and_goes_back_by_another(machine: Machine) -> None:
    machine.install()
    machine.install(source=machine.program("2.0.0"))
    assert machine.says() == "2.0.0 part of 2.0.0"
    assert versions(machine) == ["1.0.0", "2.0.0"]
    assert roll_back(str(machine.root), BIN, Changes()).startswith("1.0.0-")
    assert machine.says() == "1.0.0 part of 1.0.0"
    roll_back(str(machine.root), BIN, Changes())
    assert machine.says() == "2.0.0 part of 2.0.0"


def test_only_the_current_version_and_the_one_before_are_kept(machine: Machine) -> None:
    (machine.root / "proc").symlink_to("/nowhere")
    (machine.root / "proc").unlink()
    (machine.root / "proc" / "1").mkdir(parents=True)  # the node's processes can be seen, and there are none of ours
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        machine.install(source=machine.program(version))
    assert versions(machine) == ["2.0.0", "3.0.0"]


def test_versions_are_kept_where_no_process_can_be_seen_until_the_next_boot(machine: Machine) -> None:
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        machine.install(source=machine.program(version))
    assert versions(machine) == ["1.0.0", "2.0.0", "3.0.0"]
    receipt = Receipt.find(str(machine.root), BIN)
    assert receipt is not None
    receipt.retired = dict.fromkeys(receipt.retired, "another boot")
    receipt.write()
    machine.install(source=machine.program("3.0.0"))
    assert versions(machine) == ["2.0.0", "3.0.0"]


def test_a_damaged_version_is_not_gone_back_to_and_mended_by_installing_it(machine: Machine) -> None:
    machine.install()
    machine.install(source=machine.program("2.0.0"))
    receipt = Receipt.find(str(machine.root), BIN)
    assert receipt is not None
    (machine.at(f"{BIN}/.multus/versions") / receipt.previous / "_internal" / "part").write_text("rubbish")
    with pytest.raises(IoFailure, match="not whole any more"):
        roll_back(str(machine.root), BIN, Changes())
    machine.install(source=machine.program("1.0.0"))
    assert machine.says() == "1.0.0 part of 1.0.0"


def test_there_is_nothing_to_go_back_to_at_first(machine: Machine) -> None:
    machine.install()
    with pytest.raises(IoFailure, match="no version to go back to"):
        roll_back(str(machine.root), BIN, Changes())


def test_another_multus_is_refused_before_anything_is_touched(machine: Machine) -> None:
    machine.at(f"{BIN}/multus").write_text("the Go one")
    before = machine.tree()
    with pytest.raises(Foreign, match="--take-over"):
        machine.install()
    assert machine.tree() == before


def test_another_multus_is_taken_over_and_given_back(machine: Machine) -> None:
    machine.at(f"{BIN}/multus").write_text("the Go one")
    machine.at(f"{NET_D}/00-multus.conf").write_text(
        json.dumps({"type": "multus", "name": "go", "cniVersion": "0.3.1"})
    )
    before = machine.tree()
    with pytest.raises(Foreign, match="is another program"):
        machine.install()
    machine.install(take_over=True)
    assert machine.says() == "1.0.0 part of 1.0.0"
    machine.uninstall()
    assert machine.tree() == before


def test_the_renamed_primary_has_its_name_back(machine: Machine) -> None:
    before = machine.tree()
    machine.install(rename=True)
    assert sorted(path.name for path in machine.at(NET_D).glob("10*")) == ["10-calico.conflist.old"]
    machine.uninstall()
    assert machine.tree() == before


def test_the_kubeconfig_leads_to_the_token_as_it_is_now(machine: Machine) -> None:
    content = credentials.kubeconfig(
        {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}, str(machine.account)
    )
    machine.install(kubeconfig=content)
    access = load_kubeconfig(str(machine.at(f"{NET_D}/multus.d/multus.kubeconfig")))
    assert access.server == "https://[fd00::1]:443"
    assert access.authority == (machine.account / "ca.crt").read_bytes()
    assert access.bearer() == "first"
    machine.renew("second")
    assert credentials.refresh(str(machine.root), NET_D, str(machine.account))
    assert not credentials.refresh(str(machine.root), NET_D, str(machine.account))
    assert access.bearer() == "second"


def test_an_upgrade_begins_with_the_token_for_which_requests_wait(machine: Machine) -> None:
    machine.install()
    machine.renew("second")
    made = machine.install(source=machine.program("2.0.0"))
    assert (made[0].path, made[0].action) == (f"{NET_D}/multus.d/token", CHANGE)


def test_an_empty_token_is_not_taken(machine: Machine) -> None:
    machine.install()
    machine.renew("")
    with pytest.raises(Exception, match="empty"):
        credentials.refresh(str(machine.root), NET_D, str(machine.account))
    assert machine.at(f"{NET_D}/multus.d/token").read_text() == "first"


def test_credentials_that_came_later_go_as_well(machine: Machine) -> None:
    before = machine.tree()
    machine.install(kubeconfig=b"")
    machine.at(f"{NET_D}/multus.d").mkdir()
    credentials.refresh(str(machine.root), NET_D, str(machine.account))
    machine.uninstall()
    assert machine.tree() == before


def test_links_on_the_way_are_the_node_s(machine: Machine) -> None:
    """As k3s has it: the directory of plugins is behind an absolute link."""
    machine.at("/data/v1").mkdir(parents=True)
    machine.at(BIN).rename(machine.at("/data/v1/bin"))
    machine.at("/data/current").symlink_to("/data/v1")
    machine.at(BIN).symlink_to("/data/current/../../../../../data/current/bin")
    before = machine.tree()
    machine.install()
    assert machine.at("/data/v1/bin/multus").is_symlink()
    machine.uninstall()
    assert machine.tree() == before


def test_a_directory_behind_a_loop_of_links_is_an_error(machine: Machine) -> None:
    machine.at("/a").symlink_to("/b")
    machine.at("/b").symlink_to("/a")
    before = machine.tree()
    with pytest.raises(IoFailure, match="too many levels"):
        machine.install(bin_dir="/a/bin")
    assert machine.tree() == before


def test_a_missing_primary_leaves_only_the_configuration_out(machine: Machine) -> None:
    primary = machine.at(f"{NET_D}/10-calico.conflist")
    primary.rename(machine.place / "primary")
    waiting = install(machine.wanted(), Changes())
    assert NET_D in waiting
    assert not machine.at(f"{NET_D}/00-multus.conf").exists()
    (machine.place / "primary").rename(primary)
    assert [change.path for change in machine.install()] == [f"{NET_D}/00-multus.conf"]


def test_a_file_where_a_directory_belongs_is_named(machine: Machine) -> None:
    machine.at("/var/lib").mkdir(parents=True)
    machine.at("/var/lib/cni").write_text("in the way")
    with pytest.raises(IoFailure, match="/var/lib/cni"):
        machine.install()
    before = machine.at("/var/lib/cni").read_text()
    machine.uninstall()
    assert machine.at("/var/lib/cni").read_text() == before


def test_what_is_no_program_is_refused(machine: Machine) -> None:
    done = machine.command("install", "--root", str(machine.root), "--multus-bin-file", "/bin/true")
    assert done.returncode == 4
    assert "not the directory of a built program" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_command_line_says_what_it_does_as_json(machine: Machine) -> None:
    base = ["--root", str(machine.root), "-o", "json"]
    place = machine.program()
    done = machine.command("install", *base, "--multus-bin-file", f"{place.directory}/multus", "--link-plugins", "tap")
    assert done.returncode == 0, done.stderr
    paths = [change["path"] for change in json.loads(done.stdout)["changes"]]
    assert f"{BIN}/tap" in paths
    assert os.readlink(machine.at(f"{BIN}/tap")) == program.CURRENT_PROGRAM
    done = machine.command("uninstall", *base, "--settle", "0")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["attachments"] == []
