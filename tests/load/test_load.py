"""A short load: nothing is lost, left or given twice, and requests need no more with many pods than with few."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from bench.rows.memory import BUDGET
from tests.load.audit import Audit
from tests.load.course import Course
from tests.load.site import Site
from tools.build import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)

FEW, MANY = 6, 40
SCARCE = 44


def in_site(root: Path, pods: int, work: Callable[[Site], None]) -> None:
    """Do it with a site of so many pods, which goes then."""
    assert PROGRAM.exists(), "run `make build` first"
    site = Site(root, PROGRAM, pods, SCARCE)
    try:
        work(site)
    finally:
        site.close()


def test_nothing_is_lost_in_bursts(tmp_path: Path) -> None:
    def load(site: Site) -> None:
        course = Course(site, Audit(site), seed=7)
        course.run(FEW, MANY, churns=3)
        assert course.violations == []
        assert sum(count for (_, how), count in course.model.held.items() if how == "killed") > 0
        few, many = (course.needs[number] for number in sorted(course.needs))
        assert many.files == few.files
        assert max(many.peak.values()) / 1024 < BUDGET

    in_site(tmp_path, 52, load)


WRONG = {
    "an address nobody has": "cd {host_local}/pointed; cp $(ls -d 10.3.* | head -n1) 10.3.99.9",
    "a reservation that is gone": "cd {host_local}/scarce; rm $(ls -d 10.4.* | head -n1)",
    "a route to nobody": "nsenter --net={host} ip route add 10.3.99.9 dev up0",
    "a link too much": "nsenter --net={host} ip link add veth99999999 type veth; "
    "nsenter --net={host} ip link set veth99999999 alias multus:pointed:{pod}:net2",
    "an address given twice": "cd {host_local}/pointed; "
    "nsenter --net={netns} ip address add $(grep -L {pod} 10.3.* | head -n1)/16 dev net2",
    "a namespace that is not as it was": "nsenter --net={netns} ip route del default",
    "a port that leads nowhere": "nsenter --net={host} nft flush map inet multus_hostports any4to",
}


def test_an_audit_sees_what_is_wrong(tmp_path: Path) -> None:
    def spoil(site: Site) -> None:
        audit = Audit(site)
        live = site.pods[:3]
        for pod in live:
            site.ask("ADD", pod)
        known = set(audit.between(live))
        assert known == set()
        places = {"host_local": tmp_path / "state" / "host-local", "host": site.host.path}
        for wrong, command in WRONG.items():
            told = command.format(**places, netns=live[0].netns, pod=live[0].container_id)
            subprocess.run(["sh", "-ec", told], check=True)
            found = set(audit.between(live))
            assert found - known, wrong
            known = found

    in_site(tmp_path, 4, spoil)
