"""What is inconsistent on a node, what that breaks, and what is mended."""

from __future__ import annotations

import os
import time

from cni_multus.state.owners import Owner
from tests.cli.ipam.operator import Operator


def kinds(operator: Operator, *arguments: str, status: int = 1) -> dict[str, bool]:
    """Each kind that is found, and whether it can be mended."""
    found = operator.json("fsck", *arguments, status=status)["findings"]
    return {finding["kind"]: finding["mendable"] for finding in found}


def test_every_finding_says_what_it_breaks_and_how_it_is_mended(operator: Operator) -> None:
    directory = operator.reserve("10.0.0.9", Owner("abc", "eth0")).parent
    (directory / "10.0.0.1").write_bytes(b"")
    [finding] = operator.json("fsck", status=1)["findings"]
    assert (finding["engine"], finding["kind"], finding["what"]) == ("host-local", "names nobody", "net1/10.0.0.1")
    assert all(finding[member] for member in ("message", "breaks", "cure"))
    assert finding["mendable"]
    assert "mended" not in finding


def test_host_local_s_debris_is_mended_where_that_is_safe(operator: Operator) -> None:
    directory = operator.reserve("10.0.0.9", Owner("abc", "eth0")).parent
    (directory / "10.0.0.1").write_bytes(b"")
    (directory / "10.0.0.2").mkdir()
    (directory / "010.0.0.3").write_bytes(b"abc\r\neth0")
    (directory / ".multus-1-2").write_bytes(b"")
    old = time.time() - 3600
    os.utime(directory / ".multus-1-2", (old, old))
    expected = {"names nobody": True, "not a file": False, "spelling": False, "temporary file": True}
    assert kinds(operator) == expected
    assert kinds(operator, "--fix", "--dry-run") == expected
    assert kinds(operator, "--fix") == expected
    assert kinds(operator) == {"not a file": False, "spelling": False}
    assert sorted(path.name for path in directory.iterdir()) == ["010.0.0.3", "10.0.0.2", "10.0.0.9", "lock"]


def test_a_fresh_temporary_file_is_somebody_s_work(operator: Operator) -> None:
    directory = operator.reserve("10.0.0.9", Owner("abc", "eth0")).parent
    (directory / ".multus-1-2").write_bytes(b"")
    assert kinds(operator, status=0) == {}


def test_the_store_s_findings_are_mended(operator: Operator) -> None:
    record = operator.lease("10.0.0.1/24")
    attachment = next(path for path in (operator.data_dir / "attachment").rglob("*@eth1"))
    attachment.unlink()
    assert kinds(operator) == {"lease without attachment": True}
    assert kinds(operator, "--fix", status=0) == {"lease without attachment": True}
    assert operator.ipam("fsck").succeeded().stdout == "nothing is wrong\n"
    assert operator.store.lease_of(record.lease.holder.attachment) is not None


def test_a_damaged_lease_that_nothing_leads_to_is_for_a_person(operator: Operator) -> None:
    record = operator.lease("10.0.0.1/24")
    (operator.data_dir / "lease" / record.key[:2] / record.key).write_bytes(b"rubbish")
    for path in (operator.data_dir / "attachment").rglob("*@eth1"):
        path.unlink()
    assert kinds(operator, "--fix").get("damaged lease") is False
    table = operator.ipam("fsck", "-o", "wide")
    assert (table.status, "by hand" in table.stdout) == (1, True)


def test_a_damaged_journal_is_found_without_an_api_server(operator: Operator) -> None:
    path = operator.data_dir / "journal" / "holder" / "aa" / ("aa" * 20)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\n00000000 {}\n")
    assert kinds(operator) == {"damaged record": False}
