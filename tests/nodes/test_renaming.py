"""A primary whose file has another name is found again, whatever becomes of the file of ours that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cni_multus.cli.command import DONE
from tests.nodes.machine import NET_D, Machine

if TYPE_CHECKING:
    from pathlib import Path

OURS, PRIMARY = f"{NET_D}/00-multus.conf", "10-calico.conflist"


@pytest.mark.parametrize("content", [None, "", "{"], ids=["gone", "empty", "broken"])
@pytest.mark.parametrize("options", [(), ("--rename-conf-file",)], ids=["as it was", "renamed"])
def test_an_installation_finds_what_another_one_renamed(
    tmp_path: Path, content: str | None, options: tuple[str, ...]
) -> None:
    machine = Machine(tmp_path)
    machine.install(rename=True)
    if content is None:
        machine.at(OURS).unlink()
    else:
        machine.at(OURS).write_text(content)
    program = f"{machine.program().directory}/multus"
    done = machine.command("install", "--root", str(machine.root), "--multus-bin-file", program, *options)
    assert done.returncode == DONE, done.stderr
    name = f"{PRIMARY}.old" if options else PRIMARY
    assert sorted(path.name for path in machine.at(NET_D).glob(f"{PRIMARY}*")) == [name]
    assert f"{NET_D}/{name}" in machine.at(OURS).read_text()
