"""Looks at a node on which anything happens, in any order: it comes right in the end, and is never half."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cni_multus.node.duty import Duty, Seat
from cni_multus.node.health import Health
from cni_multus.node.marker import BROKEN, OURS, read_mark
from cni_multus.node.troubles import Troubles
from cni_multus.node.watch import RESTORES, Watch
from tests.nodes.kit import NET_D, Site, primary

if TYPE_CHECKING:
    from collections.abc import Callable

PLUGIN, LIST = "00-multus.conf", "00-multus.conflist"
FILES = ("05-cilium.conflist", "10-calico.conflist", "10-bridge.conflist", "10-single.conf")


class Watched:
    """A site with a watch on it, whose time is ours."""

    def __init__(self, site: Site, *, rename: bool = False) -> None:
        self.site = site
        self.now = 1000.0
        self.said: list[str] = []
        self.rename = rename
        self.health = Health()
        self.seat = Seat(str(site.root), NET_D)
        self.restart()

    def restart(self) -> None:
        """As after SIGKILL: nothing is remembered."""
        self.seat._close()
        root, configuration = str(self.site.root), self.site.configuration(rename=self.rename)
        self.health = Health()
        troubles = Troubles(self.said.append, 2.0, 60.0)
        watch = Watch(root, configuration, self.health, troubles, self.said.append, settle=2.0)
        self.duty = Duty(
            watch,
            self.seat,
            self.health,
            troubles,
            self.said.append,
            listener=None,
            leaving=str,
            refresh=bool,
        )

    def look(self, after: float = 0.01) -> None:
        self.now += after
        self.duty.look(self.now)

    def ours(self) -> list[str]:
        return [name for name in self.site.names() if name.startswith("00-") and name.endswith((".conf", ".conflist"))]


def remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def hide(path: Path) -> None:
    if path.exists():
        path.rename(path.with_name(f"{path.name}.cilium_bak"))


def edit(path: Path) -> None:
    if path.exists() and read_mark(path.read_bytes()).owner == OURS:
        path.write_text(json.dumps({**json.loads(path.read_text()), "logLevel": "debug"}))


def half(path: Path) -> None:
    if path.exists():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def good(path: Path) -> None:
    if path.name in FILES:
        path.write_text(primary(path.name))


def upgraded(path: Path) -> None:
    if path.name in FILES:
        path.write_text(primary(path.name).replace("0.3.1", "1.0.0"))


CHANGES: tuple[Callable[[Path], None], ...] = (remove, hide, edit, half, good, upgraded)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(CHANGES),
        st.sampled_from((*FILES, PLUGIN, LIST)),
        st.sampled_from((0.0, 0.01, 1.0, 3.0, 70.0)),
        st.booleans(),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, rename=st.booleans())
@example(steps=[(good, "10-calico.conflist", 1.0, False), (hide, PLUGIN, 0.01, True)] * 8, rename=False)
def test_whatever_happens_it_comes_right_in_the_end(
    steps: list[tuple[Callable[[Path], None], str, float, bool]], rename: bool
) -> None:
    with TemporaryDirectory() as root:
        site = Site(Path(root) / "node")
        watched = Watched(site, rename=rename)
        for change, file, after, restarted in steps:
            change(site.net_d / file)
            if restarted:
                watched.restart()
            before = {name: (site.net_d / name).read_bytes() for name in watched.ours()}
            if after:
                watched.look(after)
            for name in watched.ours():
                data = (site.net_d / name).read_bytes()
                assert data == before.get(name) or read_mark(data).owner == OURS
                assert read_mark(data).owner != BROKEN or before[name] == data
        comes_right(watched)
        watched.seat._close()


def comes_right(watched: Watched) -> None:
    """Once edits are taken back and one good primary is left, ours is made of it."""
    site = watched.site
    for path in site.net_d.iterdir():
        if path.is_file():
            path.unlink()
    site.put("10-calico.conflist")
    for _ in range(4):
        watched.look(70.0)
    file = "10-calico.conflist.old" if watched.rename else "10-calico.conflist"
    assert site.names() == [PLUGIN, file]
    assert site.ours()["clusterNetwork"] == f"{NET_D}/{file}"
    assert watched.health.why_not_ready() == []


def test_it_is_restored_ten_times_and_then_once_a_minute(site: Site) -> None:
    watched = Watched(site)
    site.put("10-calico.conflist")
    watched.look()
    for _ in range(RESTORES):
        remove(site.net_d / PLUGIN)
        watched.look()
        assert watched.ours() == [PLUGIN]
    remove(site.net_d / PLUGIN)
    for _ in range(50):
        watched.look(1.0)
    assert watched.ours() == []
    assert "somebody removes, renames or replaces it" in watched.health.why_not_ready()[0]
    watched.look(10.0)
    assert watched.ours() == [PLUGIN]


def test_what_lasts_a_moment_is_not_said(site: Site) -> None:
    watched = Watched(site)
    site.put("10-calico.conflist")
    watched.look()
    half(site.net_d / "10-calico.conflist")
    watched.look(1.0)
    watched.look(1.9)
    site.put("10-calico.conflist")
    watched.look(0.1)
    assert not any("warning" in line for line in watched.said)
    assert watched.health.why_not_ready() == []


def test_what_lasts_is_said_once_a_minute_and_when_it_is_over(site: Site) -> None:
    watched = Watched(site)
    for _ in range(125):
        watched.look(1.0)
    assert [line.split(":")[0] for line in watched.said] == ["warning"] * 3
    site.put("10-calico.conflist")
    watched.look(1.0)
    assert [line for line in watched.said if line.startswith("over: there is no configuration")]


def test_a_directory_that_is_replaced_is_looked_at_anew(site: Site) -> None:
    watched = Watched(site)
    site.put("10-calico.conflist")
    watched.look()
    shutil.rmtree(site.net_d)
    watched.look(3.0)
    watched.look(3.0)
    assert watched.health.why_not_ready()
    site.net_d.mkdir()
    site.put("10-calico.conflist")
    watched.look(3.0)
    watched.look(3.0)
    assert watched.ours() == [PLUGIN]
