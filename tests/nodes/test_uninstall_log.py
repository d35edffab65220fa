"""The log's files on a node that multus leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cni.config import Section
from cni_multus.multus.logfile import LogFile
from tests.nodes.machine import Machine

if TYPE_CHECKING:
    from pathlib import Path

LOG = "/var/log/multus.log"


def test_the_log_goes_with_what_it_was_rotated_to(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.at("/var/log").mkdir(parents=True)
    machine.at("/var/log/multus.log.mine").write_text("not ours")
    machine.install(log_file=LOG)
    for options in ({"compress": True}, {"compress": False}):
        machine.at(LOG).write_bytes(b"x" * (1 << 20))
        LogFile(str(machine.at(LOG)), Section({"maxSize": 1, **options})).append(b"one more\n")
    machine.at("/var/log/multus-2026-02-03T04-05-06.789.log.gz").write_text("the Go program's")
    assert len(list(machine.at("/var/log").iterdir())) == 5
    machine.uninstall()
    assert [path.name for path in machine.at("/var/log").iterdir()] == ["multus.log.mine"]
