"""Pods from before the installation, its time, and after it: all start and stop, and nothing of them stays."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.node.bundle import Source
from cni_multus.node.changes import Changes
from cni_multus.node.configure import Configuration
from cni_multus.node.generate import Options
from cni_multus.node.install import Wanted, install
from cni_multus.node.processes import executing
from cni_multus.node.uninstall import Needed, uninstall
from cni_multus.node.uninstall import Options as Leaving
from tests.node import Node, Pod
from tests.nodes.load import Load
from tests.nodes.machine import facts
from tests.nodes.runtime import Failed, Runtime
from tools.build import PROGRAM
from tools.reference import reference_plugins

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.conftest import MakeNamespace

PATIENCE = 40.0


class Place:
    """A node with the Go plugins and a bridge as its primary, on which pods also get a macvlan."""

    def __init__(self, host: Namespace, root: Path) -> None:
        self.node = Node(host, root)
        self.root = root / "root"
        self.bins, self.net_d, self.state = (self.root / part for part in ("opt/bin", "etc/net.d", "lib/multus"))
        self.results = root / "results"
        self.more = root / "more"
        for directory in (self.bins, self.net_d, self.more):
            directory.mkdir(parents=True)
        for name in ("bridge", "host-local", "loopback"):
            shutil.copy2(reference_plugins() / name, self.bins / name)
        primary = {**self.node.bridge("primary"), "ipMasq": True, "cniVersion": "1.0.0"}
        document = {"cniVersion": "1.0.0", "name": "primary", "plugins": [primary]}
        (self.net_d / "10-primary.conflist").write_text(json.dumps(document))
        second = {**self.node.macvlan("second", "10.2.0.0/24"), "cniVersion": "1.0.0"}
        (self.more / "second.conf").write_text(json.dumps(second))
        self.runtime = Runtime(host, self.bins, self.net_d, self.results)

    def install(self, **changed: Any) -> None:
        more = {
            "cniDir": str(self.state),
            "defaultNetworks": ["second"],
            "resultsDir": str(self.results),
        }
        options = Options(bin_dir=str(self.bins), networks_dir=str(self.more), more=more)
        wanted = Wanted(
            **{
                "root": "/",
                "bin_dir": str(self.bins),
                "conf_dir": str(self.net_d),
                "cni_dir": str(self.state),
                "results_dir": str(self.results),
                "source": Source.look(str(PROGRAM.parent)),
                "configuration": Configuration(str(self.net_d), str(self.net_d), options=options),
                "states": (),
                **changed,
            }
        )
        assert install(wanted, Changes()) == ""

    def uninstall(self, *, force: bool = False) -> bool:
        """Whether nothing is left."""
        options = Leaving("/", str(self.bins), settle=0.5, force=force)
        return bool(self.node.run(lambda: uninstall(options, Changes()).complete))

    def tree(self) -> dict[str, tuple[object, ...]]:
        return {str(path.relative_to(self.root)): facts(path, True) for path in sorted(self.root.rglob("*"))}

    def rules(self) -> str:
        """What the node's packet filter still has about pods."""
        command = ["nsenter", f"--net={self.node.host.path}", "sh", "-c", "nft list ruleset; iptables-save"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return "\n".join(line for line in done.stdout.splitlines() if "10.1.0." in line and "10.1.0.0/24" not in line)

    def wait_for_the_end(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while any(name.startswith(".multus") for name in os.listdir(self.bins)):
            assert time.monotonic() < deadline, sorted(os.listdir(self.bins))
            time.sleep(0.1)


@pytest.fixture
def place(host: Namespace, tmp_path: Path) -> Place:
    assert PROGRAM.exists(), "run `make build` first"
    return Place(host, tmp_path)


@pytest.fixture
def pod(netns: MakeNamespace) -> Callable[[str], Pod]:
    return lambda name: Pod(netns(name), name)


def test_pods_of_every_time_start_and_stop(place: Place, pod: Callable[[str], Pod]) -> None:
    before = place.tree()
    runtime = place.runtime
    early, kept = pod("early"), pod("kept")
    runtime.add("early", early.netns)
    runtime.add("kept", kept.netns)
    place.install()
    ours, last = pod("ours"), pod("last")
    runtime.add("ours", ours.netns)
    runtime.add("last", last.netns)
    assert set(ours.links()) == {"eth0", "net1"}
    runtime.delete("early", early.netns)
    assert early.links() == {}
    assert "early" not in str(place.node.reserved("primary"))
    assert not place.uninstall()
    assert set(ours.links()) == {"eth0", "net1"}
    during, short = pod("during"), pod("short")
    runtime.add("during", during.netns)
    runtime.add("short", short.netns)
    assert set(during.links()) == {"eth0"}
    runtime.delete("short", short.netns)
    assert short.links() == {}
    runtime.delete("ours", ours.netns)
    assert ours.links() == {}
    assert (place.bins / "multus").exists()
    runtime.delete("last", last.netns)
    assert place.node.reserved("second") == {}
    place.wait_for_the_end()
    assert place.tree() == before
    after = pod("after")
    runtime.add("after", after.netns)
    for name, one in (("after", after), ("during", during), ("kept", kept)):
        runtime.delete(name, one.netns)
        assert one.links() == {}
    assert place.node.reserved("primary") == {}
    assert place.rules() == ""
    assert list(place.results.iterdir()) == []


def test_a_node_without_attachments_is_left_at_once(place: Place, pod: Callable[[str], Pod]) -> None:
    before = place.tree()
    place.install(links=("macvlan", "bridge"))
    one = pod("one")
    place.runtime.add("one", one.netns)
    place.runtime.delete("one", one.netns)
    assert place.uninstall()
    assert place.tree() == before


def test_an_uninstallation_can_be_thought_better_of(place: Place, pod: Callable[[str], Pod]) -> None:
    place.install()
    one, two = pod("one"), pod("two")
    place.runtime.add("one", one.netns)
    assert not place.uninstall()
    place.install()
    place.runtime.add("two", two.netns)
    assert set(two.links()) == {"eth0", "net1"}
    for name, each in (("one", one), ("two", two)):
        place.runtime.delete(name, each.netns)
    assert (place.bins / "multus").exists()
    assert place.uninstall()


def test_a_pod_whose_first_delete_failed_is_still_finished(place: Place, pod: Callable[[str], Pod]) -> None:
    """The last DEL cannot finish while something of it fails; the one after it does."""
    before = place.tree()
    place.install()
    one = pod("one")
    place.runtime.add("one", one.netns)
    assert not place.uninstall()
    with (place.node.addresses / "second" / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Failed, match="locked by another process"):
            place.runtime.delete("one", one.netns)
    assert (place.bins / "multus").exists()
    place.runtime.delete("one", one.netns)
    place.wait_for_the_end()
    assert place.tree() == before


def test_pods_that_died_without_a_delete_do_not_keep_the_program(place: Place, pod: Callable[[str], Pod]) -> None:
    before = place.tree()
    place.install()
    one = pod("one")
    place.runtime.add("one", one.netns)
    subprocess.run(["umount", one.netns], check=True)
    os.unlink(one.netns)
    assert place.uninstall()
    assert place.node.reserved("primary") == place.node.reserved("second") == {}
    assert place.tree() == before


def test_links_that_the_primary_needs_are_not_taken_from_it(place: Place, pod: Callable[[str], Pod]) -> None:
    for name in ("bridge", "host-local"):
        (place.bins / name).unlink()
    place.install(links=("bridge", "host-local"))
    one = pod("one")
    place.runtime.add("one", one.netns)
    with pytest.raises(Needed, match="executes bridge, host-local, which only our links provide"):
        place.uninstall()
    place.runtime.delete("one", one.netns)
    assert place.uninstall(force=True)


def test_an_end_that_is_killed_is_made_by_the_next_request(place: Place, pod: Callable[[str], Pod]) -> None:
    """The last DEL starts it; it is killed while it waits for the runtime."""
    before = place.tree()
    place.install()
    one, two = pod("one"), pod("two")
    place.runtime.add("one", one.netns)
    assert not place.uninstall()
    place.runtime.delete("one", one.netns)
    ends = executing("/", [str(place.bins / ".multus" / "current" / "multus")])
    assert len(ends) == 1
    os.kill(ends[0], signal.SIGKILL)
    time.sleep(0.2)
    assert (place.net_d / "00-multus.conflist").exists()
    place.runtime.add("two", two.netns)
    assert set(two.links()) == {"eth0"}
    place.wait_for_the_end()
    assert place.tree() == before
    place.runtime.delete("two", two.netns)
    assert two.links() == {}
    assert place.node.reserved("primary") == {}


def test_requests_go_on_at_every_moment_of_the_end(place: Place, netns: MakeNamespace) -> None:
    """Pods start and stop without a pause from before the command until after it: none fails."""
    place.install()
    kept = Pod(netns("kept"), "kept")
    place.runtime.add("kept", kept.netns)
    pods = [Pod(netns(f"pod-{at}"), f"pod-{at}") for at in range(2)]

    def attach(one: Pod) -> Callable[[int], None]:
        def work(_: int) -> None:
            place.runtime.add(one.container_id, one.netns)
            place.runtime.delete(one.container_id, one.netns)

        return work

    with Load(*map(attach, pods)) as load:
        time.sleep(1)
        place.uninstall()
        time.sleep(1)
        place.runtime.delete("kept", kept.netns)
        place.wait_for_the_end()
        time.sleep(1)
    assert load.failures == []
    assert min(load.done) > 10, load.done
    assert [one.links() for one in (*pods, kept)] == [{}, {}, {}]
    assert place.node.reserved("primary") == place.node.reserved("second") == {}
    assert place.rules() == ""
