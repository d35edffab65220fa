"""docs/doctor.md: its transcripts are typed on the node that it tells of, and its table has every check."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from cni_multus.cli.doctor.command import Doctor
from cni_multus.cli.doctor.registry import CHECKS
from tests.cli.doctor.illnesses import attachments
from tests.cli.terminal import ROOT

if TYPE_CHECKING:
    from tests.cli.doctor.conftest import Ward

PAGE = ROOT / "docs" / "doctor.md"
_CHANGING = (
    (re.compile(r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b"), "0a:00:00:00:00:01"),
    (re.compile(r"\bveth[0-9a-f]{8}\b"), "veth5d1c02e9"),
)


def plain(node: Ward, text: str) -> str:
    """A text with a node's own paths, and without what is different each time."""
    for there, here in (
        (node.networks, "/etc/cni/net.d"),
        (node.bin_dir, "/opt/cni/bin"),
        (node.cni_dir, "/var/lib/cni/multus"),
        (node.addresses, "/var/lib/cni/networks"),
        (node.defined, "/etc/cni/multus/nad.d"),
        (node.root, "/run/netns"),
        (os.uname().nodename, "node-a"),
    ):
        text = text.replace(str(there), here)
    for pattern, told in _CHANGING:
        text = pattern.sub(told, text)
    return text.strip()


def transcripts() -> list[tuple[str, str]]:
    """Every command of the page, and what stands below it."""
    blocks = re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    typed = [block.partition("\n") for block in blocks]
    return [(command.removeprefix("# multus doctor").strip(), printed) for command, _, printed in typed]


def test_the_page_shows_what_is_printed(ill: Ward) -> None:
    attachments.master_down(ill)
    attachments.pod_died(ill)
    attachments.leaked_link(ill)
    for command, shown in transcripts():
        printed = ill.doctor(*command.split()).stdout
        assert plain(ill, printed) == shown.strip(), f"multus doctor {command}\n{plain(ill, printed)}"


def test_the_page_has_every_check() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(check.id, check.title) for check in CHECKS]


def test_the_page_has_every_exit_status() -> None:
    rows = dict(re.findall(r"^\| (\d) \| (.+) \|$", PAGE.read_text(), re.MULTILINE))
    assert {int(code): text for code, text in rows.items() if code != "2"} == dict(Doctor.exits)
