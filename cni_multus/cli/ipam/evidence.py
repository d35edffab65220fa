"""Whether the owner of an address still lives, by what the node and the cluster show; silence alone proves nothing.

An owner is alive when its namespace exists, a process of its container runs, or the API server has its pod. It is gone
when the node has booted since, its namespace is gone, or the API server does not have its pod. It is probably gone when
neither the journal of multus nor libcni's cache, which know every attachment, knows its container.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cni.errors import CniError
from cni_multus.linux.netns import Namespace
from cni_multus.state import files, libcni_cache
from cni_multus.state.addressindex import running_boot
from cni_multus.state.journal import Journal

if TYPE_CHECKING:
    from cni_multus.cli.ipam.held import Held
    from cni_multus.cli.ipam.pods import Pods

LIVES, GONE, LIKELY_GONE, UNKNOWN = "lives", "gone", "probably gone", "unknown"


@dataclass(frozen=True)
class Verdict:
    """`state` is one of the four words above."""

    state: str
    because: str


class Evidence:
    """What there is on this node, called `node`; `pods` is the API server's answer, None where it is not asked."""

    def __init__(self, cni_dir: str, results_dir: str, node: str, pods: Pods | None = None) -> None:
        self._node = node
        self._pods = pods
        self._journal = Journal(cni_dir)
        self._results = results_dir
        self._boot = running_boot()
        self._known: dict[str, list[str]] | None = None
        self._processes: dict[str, int] | None = None

    def forget(self, *, many: bool = True) -> None:
        """Look anew from now on, for all that the API server has or for each that is judged."""
        self._known = self._processes = None
        if self._pods is not None:
            self._pods.forget(many=many)

    def judge(self, held: Held) -> Verdict:
        """The verdict on one owner."""
        told = self._pods.judge(held) if self._pods is not None else None
        if told is not None and told.state == LIVES:
            return told
        here = self._elsewhere(held) or self._on_this_node(held)
        if told is None or here.state in (LIVES, GONE):
            return here
        return told

    def _elsewhere(self, held: Held) -> Verdict | None:
        if not held.here and held.node and held.node != self._node:
            return Verdict(UNKNOWN, f"it is on node {held.node}, and this is {self._node}")
        return None

    def _on_this_node(self, held: Held) -> Verdict:
        if held.claim:
            return Verdict(UNKNOWN, f"it is kept for the claim {held.claim}")
        if not held.container_id:
            return Verdict(UNKNOWN, held.wrong or "no container is recorded")
        if pid := self._running().get(held.container_id):
            return Verdict(LIVES, f"process {pid} is in its container")
        if held.boot and not same_boot(held.boot, self._boot):
            return Verdict(GONE, "the node has been booted since")
        if held.netns:
            return _look_at([held.netns])
        if not held.here and not held.node:
            return Verdict(UNKNOWN, "the record names no node")
        return self._by_container(held.container_id)

    def _by_container(self, container_id: str) -> Verdict:
        known = self._containers()
        if container_id in known:
            paths = [path for path in known[container_id] if path]
            return _look_at(paths) if paths else Verdict(UNKNOWN, "its container is on record, without a namespace")
        if not known:
            return Verdict(UNKNOWN, "neither the journal of multus nor libcni's cache has any container")
        return Verdict(LIKELY_GONE, "neither the journal of multus nor libcni's cache knows its container")

    def _containers(self) -> dict[str, list[str]]:
        """Every container that is on record here, and the paths of its namespaces."""
        if self._known is None:
            self._known = {}
            for container_id, ifname in self._journal.keys():  # noqa: SIM118 - it is no mapping
                self._known.setdefault(container_id, []).append(self._netns_of(container_id, ifname))
            for entry in libcni_cache.entries(self._results):
                self._known.setdefault(entry.container_id, []).append(entry.netns)
        return self._known

    def _netns_of(self, container_id: str, ifname: str) -> str:
        try:
            record = self._journal.find(container_id, ifname)
        except CniError:
            return ""
        return record.netns if record else ""

    def _running(self) -> dict[str, int]:
        """The containers that have a process, by the names of the control groups, and one process of each."""
        if self._processes is None:
            self._processes = {}
            for pid in filter(str.isdigit, files.names("/proc")):
                for name in _groups_of(pid):
                    self._processes.setdefault(name, int(pid))
        return self._processes


def same_boot(recorded: str, running: str) -> bool:
    """Whether a record's boot is the one that runs; records may have the kernel's name for it, or its beginning."""
    return recorded.replace("-", "")[:16] == running.replace("-", "")[:16]


def _look_at(paths: list[str]) -> Verdict:
    for path in paths:
        try:
            namespace = Namespace.find(path)
        except CniError as error:
            return Verdict(UNKNOWN, error.message)
        if namespace is not None:
            namespace.close()
            return Verdict(LIVES, f"its namespace {path} exists")
    gone, directory = paths[0], os.path.dirname(paths[0])
    if os.path.lexists(gone):
        return Verdict(GONE, f"{gone} is no namespace any more")
    if not directory.startswith("/proc") and not os.path.isdir(directory):
        return Verdict(UNKNOWN, f"there is no {directory}, where its namespace was: is it mounted here?")
    return Verdict(GONE, f"its namespace {gone} is gone")


def group_names(text: str) -> set[str]:
    """The last words of the control groups in /proc/<pid>/cgroup: `cri-containerd-<id>.scope` has `<id>`."""
    names = {line.rpartition("/")[2].removesuffix(".scope") for line in text.splitlines()}
    return {word for name in names for word in (name, name.rpartition("-")[2]) if word}


def _groups_of(pid: str) -> set[str]:
    try:
        return group_names((files.read(f"/proc/{pid}/cgroup") or b"").decode(errors="replace"))
    except CniError:
        return set()  # it has ended meanwhile
