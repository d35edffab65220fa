"""Files beside attachments: one that says something else than its name is nobody's, and leads nowhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.request import Attachment
from cni_multus.state.backups import Backups

if TYPE_CHECKING:
    from pathlib import Path

OWNER = {"network": "net", "containerID": "c1", "ifname": "net1"}


@pytest.mark.parametrize(
    "owner",
    [
        {**OWNER, "containerID": "../../victim"},
        {**OWNER, "containerID": "c2"},
        {**OWNER, "ifname": "net2"},
        {**OWNER, "containerID": "x" * 300},
        {**OWNER, "network": "\0"},
        {**OWNER, "ifname": "\ud800"},
        {**OWNER, "ifname": ["net1"]},
    ],
    ids=str,
)
def test_a_file_of_another_name_than_its_owner_is_passed_over(tmp_path: Path, owner: dict[str, object]) -> None:
    directory = tmp_path / "a" / "b"
    directory.mkdir(parents=True)
    (tmp_path / "victim_net1.json").write_text("precious")
    (directory / "c1_net1.json").write_text(json.dumps(owner))
    records, asked = Backups(str(directory)), []
    records.write(Attachment("net", "c3", "net1"), {})
    records.collect("net", set(), lambda attachment, _: asked.append(attachment.container_id))
    assert asked == ["c3"]
    assert (tmp_path / "victim_net1.json").read_text() == "precious"
    assert [path.name for path in directory.iterdir()] == ["c1_net1.json"]
