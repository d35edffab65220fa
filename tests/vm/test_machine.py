"""The virtual machine itself: that marked tests are in it, what it has, and what is told where it cannot be had."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import crikit, reference
from tools.build import ROOT
from tools.vmkit import OVERRIDE, vmkit

OVERRIDES = (OVERRIDE, crikit.OVERRIDE, reference.OVERRIDE)

NO_MIRROR = """
Acquire::http::Proxy "http://127.0.0.1:9";
Acquire::https::Proxy "http://127.0.0.1:9";
Acquire::Retries "0";
"""


@pytest.mark.vm
def test_marked_tests_are_in_it() -> None:
    assert os.uname().release == vmkit().modules.name


@pytest.mark.vm
def test_it_has_what_a_node_has() -> None:
    assert "pids" in Path("/sys/fs/cgroup/cgroup.controllers").read_text()
    os.close(os.open("/dev/net/tun", os.O_RDWR))
    for terminal in os.openpty():
        os.close(terminal)
    (ROOT / "written").touch()  # in memory, and gone with the machine


def test_without_a_kit_marked_tests_fail(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/vm/test_links.py"]
    environment = {**os.environ, OVERRIDE: str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "passed" not in done.stdout
    assert f"{OVERRIDE}={tmp_path} holds no kernel/boot/vmlinux" in done.stdout


@pytest.mark.parametrize("kit", ["vmkit", "reference", "crikit"])
def test_what_cannot_be_fetched_says_why(kit: str, tmp_path: Path) -> None:
    (tmp_path / "apt.conf").write_text(NO_MIRROR)
    given = {name: value for name, value in os.environ.items() if name not in OVERRIDES}
    environment = {**given, "APT_CONFIG": str(tmp_path / "apt.conf"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-m", f"tools.{kit}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{kit}: cannot fetch" in done.stderr
    assert "127.0.0.1" in done.stderr
    assert sorted(path.name for path in (tmp_path / "cache/multus-tests" / kit).iterdir()) == ["lock"]
