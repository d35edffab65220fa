"""Device-info files: from the device plugin to the attachment, whatever names and files there are."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cni_multus.cni.errors import IoFailure
from cni_multus.deviceinfo import DIRECTORY, LARGEST, hand_over, path_for, read, remove
from tests.stepping import calls, killed_before

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INFO = {"type": "pci", "version": "1.1.0", "pci": {"pci-address": "0000:01:00.1"}}
VF = "intel.com/vf"
ID = "0000:01:00.1"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """What stands for DIRECTORY, in which a device plugin has written."""
    directory = tmp_path / "run" / "devinfo"
    (directory / "dp").mkdir(parents=True)
    (directory / "dp" / "intel.com-vf-0000:01:00.1-device.json").write_text(json.dumps(INFO))
    return directory


@pytest.fixture
def umask() -> Iterator[None]:
    """A runtime that lets nobody read what it makes."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_the_path_is_as_multus_has_it() -> None:
    assert path_for("sriov", "c1", "net1") == "/var/run/k8s.cni.cncf.io/devinfo/cni/sriov-c1_net1"
    assert path_for("blue/sriov", "c1", "net1") == f"{DIRECTORY}/cni/blue-sriov-c1_net1"


def test_a_file_is_handed_over_read_and_removed(base: Path, umask: None) -> None:
    path = path_for("blue/sriov", "c1", "net1", str(base))
    hand_over(VF, ID, path)
    assert read(path) == INFO
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o444
    assert stat.S_IMODE((base / "cni").stat().st_mode) == 0o755
    assert os.listdir(base / "cni") == ["blue-sriov-c1_net1"]
    assert (base / "cni" / "blue-sriov-c1_net1").read_bytes() == json.dumps(INFO).encode()
    remove(path, str(base))
    remove(path, str(base))
    assert os.listdir(base / "cni") == []
    assert len(os.listdir(base / "dp")) == 1


def test_what_a_plugin_wrote_stays(base: Path) -> None:
    path = path_for("sriov", "c1", "net1", str(base))
    (base / "cni").mkdir()
    (base / "cni" / "sriov-c1_net1").write_text("the plugin's own")
    hand_over(VF, ID, path)
    assert (base / "cni" / "sriov-c1_net1").read_text() == "the plugin's own"
    assert os.listdir(base / "cni") == ["sriov-c1_net1"]
    assert read(path) is None


def test_a_device_without_a_file_is_nothing_to_hand_over(base: Path) -> None:
    path = path_for("sriov", "c1", "net1", str(base))
    hand_over(VF, "0000:01:00.2", path)
    hand_over(VF, "x" * 300, path)
    hand_over(VF, "\0", path)
    assert not (base / "cni").exists()
    assert read(path) is None
    remove(path, str(base))


def test_a_node_without_device_plugins_has_nothing(tmp_path: Path) -> None:
    path = path_for("sriov", "c1", "net1", str(tmp_path / "absent"))
    hand_over(VF, ID, path)
    assert read(path) is None
    remove(path, str(tmp_path / "absent"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[null]",
        "null",
        "{",
        "{}",
        '{"type": "pci"}',
        '{"type": 1, "version": "1"}',
        '{"type": "", "version": "1.0.0"}',
        "\xff",
        json.dumps({**INFO, "x": "y" * LARGEST}),
        '{"type":"pci","version":"1.0.0","x":' + "[" * 5000 + "]" * 5000 + "}",
    ],
)
def test_what_cannot_be_used_is_not_handed_over(base: Path, text: str) -> None:
    path = path_for("sriov", "c1", "net1", str(base))
    (base / "dp" / "intel.com-vf-0000:01:00.1-device.json").write_bytes(text.encode("latin-1"))
    hand_over(VF, ID, path)
    assert not os.path.exists(path)
    (base / "cni").mkdir()
    (base / "cni" / "sriov-c1_net1").write_bytes(text.encode("latin-1"))
    assert read(path) is None


def test_a_type_that_nobody_knows_yet_is_handed_over(base: Path) -> None:
    path = path_for("sriov", "c1", "net1", str(base))
    (base / "dp" / "intel.com-vf-0000:01:00.1-device.json").write_text('{"type":"new","version":"9","new":{"a":1}}')
    hand_over(VF, ID, path)
    assert read(path) == {"type": "new", "version": "9", "new": {"a": 1}}


def test_no_link_is_followed_from_the_device_plugin_s_name(base: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(json.dumps(INFO))
    source = base / "dp" / "intel.com-vf-0000:01:00.1-device.json"
    source.unlink()
    source.symlink_to(secret)
    path = path_for("sriov", "c1", "net1", str(base))
    hand_over(VF, ID, path)
    assert not os.path.lexists(path)
    source.unlink()
    os.mkfifo(source)
    hand_over(VF, ID, path)
    assert not os.path.lexists(path)


def test_no_link_is_followed_from_the_attachment_s_name(base: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    path = path_for("sriov", "c1", "net1", str(base))
    (base / "cni").mkdir()
    os.symlink(target, path)
    hand_over(VF, ID, path)
    assert not target.exists()
    target.write_text(json.dumps(INFO))
    assert read(path) is None
    remove(path, str(base))
    assert not os.path.lexists(path)
    assert target.exists()


def test_no_link_is_followed_from_the_directory_s_name(base: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "sriov-c2_net1").write_text(json.dumps(INFO))
    (base / "cni").symlink_to(tmp_path / "elsewhere")
    path = path_for("sriov", "c1", "net1", str(base))
    with pytest.raises(IoFailure, match=r"cannot write the device info .*cni/sriov-c1_net1: not a directory"):
        hand_over(VF, ID, path)
    assert read(path_for("sriov", "c2", "net1", str(base))) is None
    remove(path_for("sriov", "c2", "net1", str(base)), str(base))
    assert os.listdir(tmp_path / "elsewhere") == ["sriov-c2_net1"]


def test_the_run_directory_may_be_a_link(base: Path, tmp_path: Path) -> None:
    (tmp_path / "var").symlink_to(tmp_path / "run")
    path = path_for("sriov", "c1", "net1", str(tmp_path / "var" / "devinfo"))
    hand_over(VF, ID, path)
    assert read(path) == INFO
    remove(path, str(tmp_path / "var" / "devinfo"))
    assert os.listdir(base / "cni") == []


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "cni/x",
        "",
        "/",
        "{base}/dp/x",
        "{base}/cni/../x",
        "{base}/cni/",
        "{base}/cni/..",
        "{base}/cni/.",
        "{base}/cni/x\0",
    ],
)
def test_a_path_from_elsewhere_is_left_alone(base: Path, path: str) -> None:
    (base / "x").write_text("")
    (base / "dp" / "x").write_text("")
    (base / "cni").mkdir()
    remove(path.replace("{base}", str(base)), str(base))
    assert (base / "x").exists()
    assert (base / "dp" / "x").exists()
    assert os.path.exists("/etc/passwd")


def test_a_killed_process_leaves_all_of_it_or_nothing(base: Path) -> None:
    path = path_for("sriov", "c1", "net1", str(base))
    steps = calls(lambda: hand_over(VF, ID, path))
    remove(path, str(base))
    assert steps > 10
    for step in range(1, steps + 1):
        killed_before(lambda: hand_over(VF, ID, path), step)
        assert read(path) in (None, INFO)
        hand_over(VF, ID, path)
        assert read(path) == INFO
        assert os.listdir(base / "cni") == ["sriov-c1_net1"]
        remove(path, str(base))
        killed_before(lambda: hand_over(VF, ID, path), step)
        remove(path, str(base))
        assert not (base / "cni").exists() or os.listdir(base / "cni") == []


def test_a_directory_in_the_file_s_place_is_left_alone(base: Path) -> None:
    path = path_for("sriov", "c1", "net1", str(base))
    os.makedirs(path)
    hand_over(VF, ID, path)
    assert read(path) is None
    remove(path, str(base))
    assert os.path.isdir(path)


def test_a_file_in_the_directory_s_place_is_told(base: Path) -> None:
    path = path_for("sriov", "c1", "net1", str(base))
    (base / "cni").write_text("a file is in the way")
    with pytest.raises(IoFailure, match="sriov-c1_net1"):
        hand_over(VF, ID, path)


NAMES = st.text(st.characters(exclude_categories=[]), max_size=400) | st.sampled_from(["..", "../../etc/x", "/", "\0"])


@settings(max_examples=200)
@given(NAMES, NAMES, NAMES)
def test_any_name_stays_in_the_directory(network: str, container: str, ifname: str) -> None:
    path = path_for(network, container, ifname)
    parent, name = os.path.split(path)
    assert parent == f"{DIRECTORY}/cni"
    assert name not in {"", ".", ".."}
    assert "\0" not in name
    assert len(os.fsencode(name)) <= 255


def test_names_that_are_too_long_differ(base: Path) -> None:
    paths = {path_for("n" * 300, "c" * 64, f"net{at}", str(base)) for at in range(3)}
    assert len(paths) == 3
    for path in paths:
        hand_over(VF, ID, path)
        assert read(path) == INFO
        remove(path, str(base))
