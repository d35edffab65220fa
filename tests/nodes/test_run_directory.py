"""/run/multus, which the kubelet makes for the DaemonSet's pod, goes with an uninstallation unless others use it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.nodes.kit import ROOT
from tests.nodes.machine import Machine

RUN = "/run/multus"


def test_what_the_kubelet_made_for_us_goes(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.at(RUN).mkdir(parents=True)
    machine.install()
    (machine.at(RUN) / "sbr").mkdir()
    (machine.at(RUN) / "sbr" / "lock").touch()
    machine.uninstall()
    assert not machine.at(RUN).exists()
    assert machine.at("/run").exists()


def test_what_others_have_there_stays(tmp_path: Path) -> None:
    """As on OpenShift, where the primary's configuration is below it."""
    machine = Machine(tmp_path)
    machine.at(f"{RUN}/cni").mkdir(parents=True)
    machine.install()
    machine.uninstall()
    assert machine.at(f"{RUN}/cni").exists()


def test_what_is_mounted_into_our_container_goes_where_the_node_has_it(tmp_path: Path) -> None:
    """The node's own /run is a file system of its own here, and its first process that of a namespace of its own."""
    inner = f"from tests.nodes.test_run_directory import in_a_container; in_a_container({str(tmp_path)!r})"
    command = ["unshare", "--pid", "--fork", "--mount", "--mount-proc", sys.executable, "-c", inner]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def in_a_container(place: str) -> None:
    def mount(*arguments: object) -> None:
        subprocess.run(["mount", *map(str, arguments)], check=True)

    machine = Machine(Path(place))
    mount("-t", "tmpfs", "none", "/run")
    for path in (Path(RUN), machine.at(RUN), machine.at("/proc")):
        path.mkdir(parents=True)
    mount("--bind", RUN, machine.at(RUN))
    mount("--rbind", "/proc", machine.at("/proc"))
    machine.install()
    machine.uninstall()
    assert not Path(RUN).exists()
