"""`--fix`: what is safe is mended, each after it was said; what lives is not touched."""

from __future__ import annotations

import argparse
import io
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FOUND
from cni_multus.cli.doctor.finding import ERROR, Finding, Mending
from cni_multus.cli.doctor.leaks import CHECKS
from cni_multus.cli.doctor.mending import mend
from cni_multus.cli.doctor.patient import Patient
from cni_multus.cli.main import command
from cni_multus.cli.site import Site
from cni_multus.cni.errors import IoFailure
from tests.cli.doctor.illnesses import attachments, programs
from tests.cli.doctor.illnesses.illness import on_the_node
from tests.node import Pod

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.doctor.conftest import Ward


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of the node, with its mode and content."""
    places = [root / name for name in ("multus", "addresses", "bin", "net.d")]
    paths = [path for place in places for path in place.rglob("*") if not path.is_symlink() and path.is_file()]
    return {str(path): (path.stat().st_mode, path.read_bytes()) for path in paths}


def spoil(node: Ward) -> Pod:
    """All that can be mended, at once; the pod that died."""
    dead = Pod(str(node.root / "web-0"), "web-0")
    node.die(dead)
    attachments.leaked_link(node)
    attachments.leaked_filters(node)
    programs.journal_for_everybody(node)
    programs.anybody_may_write(node)
    attachments.address_of_nobody(node)
    return dead


def test_dry_run_says_what_would_be_done_and_does_nothing(ill: Ward) -> None:
    spoil(ill)
    before, links = tree(ill.root), ill.links()
    ended = ill.doctor("--fix", "--dry-run")
    assert ended.status == FOUND
    said = [line for line in ended.stdout.splitlines() if line.startswith("would fix ")]
    assert {line.split()[2].rstrip(":") for line in said} == {
        "record-orphan",
        "link-leaked",
        "nft-leaked",
        "modes",
        "plugin-writable",
        "address-inconsistent",
    }
    assert (tree(ill.root), ill.links()) == (before, links)


def test_what_is_mended_is_mended_and_who_lives_keeps_all(ill: Ward) -> None:
    dead, alive = spoil(ill), Pod(str(ill.root / "db-0"), "db-0")
    had = ill.record(alive).to_json(), alive.links(), alive.addresses("net1")
    ended = ill.doctor("--fix")
    assert ended.status == DONE, ended.stdout + ended.stderr
    lines = ended.stdout.splitlines()
    for at, line in enumerate(lines):
        if line.startswith("fix "):
            assert lines[at + 1].startswith("  done"), lines[at : at + 2]
    assert not ill.record_file(dead).exists()
    assert "vethdead" not in ill.links()
    assert "dead" not in on_the_node(ill, "nft list ruleset")
    assert not any("web-0" in who for who in ill.reserved("red").values())
    assert (ill.record(alive).to_json(), alive.links(), alive.addresses("net1")) == had
    again = ill.doctor()
    assert again.status == DONE, again.stdout


def test_one_check_alone_is_mended(ill: Ward) -> None:
    spoil(ill)
    assert ill.doctor("--fix", "--only", "link-leaked").status == DONE
    assert {finding["check"] for finding in ill.findings()} == {
        "record-orphan",
        "nft-leaked",
        "modes",
        "plugin-writable",
        "address-inconsistent",
    }


def test_an_address_whose_owner_is_gone_is_given_back(node: Ward) -> None:
    ipam = {"type": "whereabouts", "range": "10.8.0.0/29", "dataDir": str(node.leases), "datastore": "file"}
    node.define("blue", node.red(name="blue", ipam=ipam))
    pod = node.attach("web-0", "blue")
    node.attach("db-0")
    node.die(pod)
    node.record_file(pod).unlink()
    [leak] = [each for each in node.findings() if each["check"] == "address-leaked" and each["severity"] == ERROR]
    assert "10.8.0.1" in leak["finding"]
    node.doctor("--fix", "--only", "address-leaked")
    assert not any("10.8.0" in each["finding"] for each in node.findings())


def test_what_came_meanwhile_is_left_alone(ill: Ward) -> None:
    attachments.leaked_link(ill)
    parser = argparse.ArgumentParser()
    command("doctor").declare(parser)
    arguments = parser.parse_args(ill.places)

    def look_and_mend() -> int:
        patient = Patient.of(Site.of(arguments), arguments)
        [finding] = [each for check in CHECKS if check.id == "link-leaked" for each in check.look(patient)]
        (ill.cni_dir / "journal" / "dead@eth0").touch()
        assert finding.fix is not None
        return int(finding.fix.do())

    assert ill.run(look_and_mend) == 0
    assert "vethdead" in ill.links()


def test_what_cannot_be_mended_is_told() -> None:
    def fail() -> bool:
        raise IoFailure("the disk is full")

    finding = Finding(ERROR, "what", [], "breaks", "mend", Mending("try it", fail), check="modes")
    told = io.StringIO()
    mend(finding, dry=False, stream=told)
    assert told.getvalue() == "fix modes: try it\n  failed: the disk is full\n"
    assert finding.fixed is False
